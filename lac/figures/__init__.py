"""Figures of runs and episodes, drawn with matplotlib."""

from lac.figures.bars import Bar, bars
from lac.figures.comparison import Method, Panel, comparison, learning_curves
from lac.figures.learning_curve import learning_curve
from lac.figures.policies import PolicyTest, policies
from lac.figures.trajectories import trajectories

__all__ = [
    "Bar",
    "Method",
    "Panel",
    "PolicyTest",
    "bars",
    "comparison",
    "learning_curve",
    "learning_curves",
    "policies",
    "trajectories",
]
