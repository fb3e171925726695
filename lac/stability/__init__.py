"""Evidence of stability: what can be said about a trained policy in its closed loop, and how surely."""
