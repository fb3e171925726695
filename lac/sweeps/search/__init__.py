"""Hyper-parameter search with Optuna, which only this package uses; each trial is a run folder."""
