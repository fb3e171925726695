"""Test episodes of a policy, and statistics over seeds."""
