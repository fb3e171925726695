"""Replay buffers: the transitions of a training, from which its minibatches are drawn."""

from lac.buffers.finite_horizon import FiniteHorizonReplayBuffer
from lac.buffers.replay import Batch, ReplayBuffer

__all__ = ["Batch", "FiniteHorizonReplayBuffer", "ReplayBuffer"]
