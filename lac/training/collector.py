"""Interaction with the environments: vector steps taken apart into transitions, and what is between two of them."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from lac.envs.checks import OffendingTransitionError, all_finite, cost_problem, observation_problem
from lac.envs.factory import AnyVectorEnv

Array = npt.NDArray[Any]


class Transition(NamedTuple):
    """One step of one environment; ``obs_next`` is the last observation of its episode where that ends."""

    env_index: int
    obs: Array
    act: Array
    cost: float
    obs_next: Array
    terminated: bool
    truncated: bool


class Episode(NamedTuple):
    """The cost and the length of an episode, so far or in the end."""

    cost: float
    length: int


class Collector:
    """Acts in the environments; one call of :meth:`step` is one vector step.

    With the autoreset mode NEXT_STEP an environment whose episode has ended uses its next step for the reset;
    that step is left out. With SAME_STEP the step that ends an episode gives the next one's first observation,
    and its own in ``info``.

    Args:
        envs: Vector environment in either autoreset mode.
        seed: Seed of the first reset.

    Attributes:
        env_steps: Transitions so far.
        observations: Present observation of each environment, ``[num_envs, obs_dim]``.
        is_resetting: Whether the next step of each environment is its reset.
        running: The running episode of each environment.
        finished: Episodes that have ended since :meth:`take_finished` was called.
    """

    def __init__(self, envs: AnyVectorEnv, seed: int) -> None:
        self._envs = envs
        self._resets_in_next_step = envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
        self.env_steps = 0
        self.observations: Array = envs.reset(seed=seed)[0]
        self.is_resetting = [False] * envs.num_envs
        self.running = [Episode(0.0, 0)] * envs.num_envs
        self.finished: list[Episode] = []

    def step(self, act: Callable[[Array], Array]) -> Iterator[Transition]:
        """One step of each environment; the transitions one by one, in the order of the environments.

        Args:
            act: Actions ``[num_envs, act_dim]`` for observations ``[num_envs, obs_dim]``.

        Raises:
            OffendingTransitionError: An observation is not finite, or a cost is not finite or negative.
        """
        if not all_finite(self.observations):
            self._raise_for_reset()
        # A copy, since vector environments may write each step's observations to the same place.
        obs = np.array(self.observations)
        actions = act(obs)
        self.observations, costs, terminations, truncations, infos = self._envs.step(actions)
        are_finite = all_finite(self.observations)
        is_terminated, is_truncated = terminations.tolist(), truncations.tolist()
        was_resetting, self.is_resetting = self.is_resetting, [False] * self._envs.num_envs
        for i, cost in enumerate(costs.tolist()):
            if was_resetting[i]:
                continue
            self.env_steps += 1
            has_ended = is_terminated[i] or is_truncated[i]
            self.is_resetting[i] = has_ended and self._resets_in_next_step
            in_info = has_ended and not self._resets_in_next_step
            obs_next = infos["final_obs"][i] if in_info else self.observations[i]
            transition = Transition(i, obs[i], actions[i], cost, obs_next, is_terminated[i], is_truncated[i])
            if has_ended or not (are_finite and 0.0 <= cost < math.inf):
                self._raise_if_offending(transition)
            self._count(transition)
            yield transition

    def take_finished(self) -> list[Episode]:
        """The episodes that have ended since the last call."""
        finished, self.finished = self.finished, []
        return finished

    def state_dict(self) -> dict[str, Any]:
        """What lies between two vector steps, beside the environments themselves."""
        return {
            "env_steps": self.env_steps,
            "observations": np.array(self.observations),
            "is_resetting": list(self.is_resetting),
            "running": [tuple(episode) for episode in self.running],
            "finished": [tuple(episode) for episode in self.finished],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned; the environments have to be where they were then."""
        self.env_steps = state["env_steps"]
        self.observations = np.array(state["observations"])
        self.is_resetting = list(state["is_resetting"])
        self.running = [Episode(*episode) for episode in state["running"]]
        self.finished = [Episode(*episode) for episode in state["finished"]]

    def _count(self, transition: Transition) -> None:
        i = transition.env_index
        episode = Episode(self.running[i].cost + transition.cost, self.running[i].length + 1)
        if transition.terminated or transition.truncated:
            self.finished.append(episode)
            episode = Episode(0.0, 0)
        self.running[i] = episode

    def _raise_if_offending(self, transition: Transition) -> None:
        space = self._envs.single_observation_space
        source = f"step {self.env_steps} (environment {transition.env_index})"
        problem = cost_problem(transition.cost, source) or observation_problem(transition.obs_next, space, source)
        if problem is not None:
            plain = {name: np.asarray(part).tolist() for name, part in transition._asdict().items()}
            raise OffendingTransitionError(problem, {"env_steps": self.env_steps, **plain})

    def _raise_for_reset(self) -> None:
        """Name the first observation of an episode that is not finite; all transitions were sound."""
        i = int(np.argmin(np.isfinite(self.observations).all(axis=1)))
        source = f"the reset after step {self.env_steps} (environment {i})"
        problem = observation_problem(self.observations[i], self._envs.single_observation_space, source)
        place = {"env_steps": self.env_steps, "env_index": i}
        raise OffendingTransitionError(str(problem), {**place, "obs": self.observations[i].tolist()})
