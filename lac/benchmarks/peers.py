"""Updates of SAC in other packages, where these are installed (extra ``benchmark``)."""

import os
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np

INSTALL = 'pip install -c constraints.txt -e ".[benchmark]"'
_JAX_THREADS = "NPROC"
"""The variable from which XLA takes the number of its threads. With the number of cores, its default, an update is
handed from thread to thread, which takes a sixth more time of the CPU."""


@dataclass(frozen=True)
class Peer:
    """A package with a class ``SAC`` that has the interface of Stable-Baselines3.

    Attributes:
        name: How it is called.
        module: What is imported.
        distribution: What is installed.
    """

    name: str
    module: str
    distribution: str

    def problem(self) -> str | None:
        """Why it cannot be measured; None if it can."""
        if find_spec(self.module) is None:
            return f"{self.name} is not installed ({INSTALL})"
        try:
            import_module(self.module)
        except Exception as error:  # an installation that does not fit the others raises errors of many kinds
            return f"{self.name} cannot be imported ({type(error).__name__}: {error})"
        return None

    @property
    def version(self) -> str:
        """Its installed version."""
        return version(self.distribution)


PEERS = (Peer("Stable-Baselines3", "stable_baselines3", "stable-baselines3"), Peer("sbx (JAX)", "sbx", "sbx-rl"))


def limit_threads_of_jax(threads: int) -> None:
    """Let JAX compute in that many threads, unless the user has set a number; before it is imported."""
    os.environ.setdefault(_JAX_THREADS, str(threads))


class PeerUpdates:
    """Runs so many updates of a peer's SAC, with the sampling of their minibatches, in one call.

    Args:
        peer: An installed one.
        env: Environment whose spaces the networks have.
        width: Width of the two hidden layers of actor and critics.
        batch_size: Transitions per update.
        stored: Random transitions in its replay buffer.
    """

    def __init__(self, peer: Peer, env: gymnasium.Env[Any, Any], width: int, batch_size: int, stored: int) -> None:
        self.model = import_module(peer.module).SAC(
            "MlpPolicy",
            env,
            policy_kwargs={"net_arch": [width, width]},
            batch_size=batch_size,
            buffer_size=stored,
            device="cpu",
            seed=0,
        )
        self.model.set_logger(import_module("stable_baselines3.common.logger").configure(None, []))
        rng, act_shape = np.random.default_rng(0), env.action_space.shape or ()
        for _ in range(stored):
            obs, obs_next = rng.uniform(0, 10, (2, 1, *(env.observation_space.shape or ())))
            action, reward = rng.uniform(-1, 1, (1, *act_shape)), rng.uniform(-10, 0, 1)
            self.model.replay_buffer.add(obs, obs_next, action, reward, np.zeros(1), [{}])

    def __call__(self, number: int) -> None:
        """Run updates; at their end losses become Python's numbers, for which JAX has to finish."""
        self.model.train(gradient_steps=number, batch_size=self.model.batch_size)
