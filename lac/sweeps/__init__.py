"""Sweeps over many runs: grids, searches, several seeds."""
