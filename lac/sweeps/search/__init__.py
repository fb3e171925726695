"""Hyper-parameter search on Optuna, which nothing else knows; a trial is a run folder."""
