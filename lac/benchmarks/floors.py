"""The machine's own limit: the matrix products of an update, at the speed of one large product."""

from functools import partial

import numpy as np
import torch
from scipy.linalg.blas import sgemm

from lac.agents import SAC, Agent
from lac.benchmarks.timing import Thing

FLOOR, TORCH, OPENBLAS = "floor", "torch", "OpenBLAS"
PRODUCT_SIZE = 1024
"""Rows and columns of the large product; beyond 512 it gains no speed."""


def large_products() -> list[Thing]:
    """One large product in torch (MKL on most machines), and in the BLAS of scipy (OpenBLAS on most machines)."""
    rng, shape = np.random.default_rng(0), (PRODUCT_SIZE, PRODUCT_SIZE)
    x, y, z = (rng.standard_normal(shape, np.float32) for _ in range(3))
    in_torch = partial(torch.mm, torch.from_numpy(x), torch.from_numpy(y), out=torch.empty(shape))
    in_openblas = partial(sgemm, 1.0, x.T, y.T, 0.0, z.T, overwrite_c=True)  # Fortran's order, so nothing is copied
    flops = 2.0 * PRODUCT_SIZE**3
    return [Thing(FLOOR, TORCH, in_torch, 1, flops), Thing(FLOOR, OPENBLAS, in_openblas, 1, flops)]


def update_flops(agent: Agent, batch_size: int) -> float:
    """Floating-point operations of the matrix products that one update needs, with an infinite horizon.

    The target takes a pass of the actor and of each critic; the critics' loss a pass of each, the gradients by its
    weights, and those by the inputs of all layers but the first; the policy's loss a pass of each critic and the
    gradients by its inputs, and a pass of the actor with gradients like a critic's. LAC and LATC have the last for the
    actor twice: its actions at s' lower the critic, its actions at s raise the entropy.
    """
    actor, actor_first = _multiplications(agent.ac.pi)
    critic, critic_first = _multiplications(agent.critics[0])
    passes_of_policy = 1 if isinstance(agent, SAC) else 2
    of_actor = actor + passes_of_policy * (3 * actor - actor_first)
    of_critics = len(agent.critics) * (6 * critic - critic_first)
    return 2.0 * batch_size * (of_actor + of_critics)


def _multiplications(network: torch.nn.Module) -> tuple[int, int]:
    """Multiplications in the products of a pass for one sample, and those of the first layer."""
    sizes = [p.numel() for name, p in network.named_parameters() if name.endswith("weight")]
    return sum(sizes), sizes[0]
