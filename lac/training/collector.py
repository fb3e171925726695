"""Interaction with the environments: splits vector steps into transitions, and keeps the state between them."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from lac.envs.checks import OffendingTransitionError, are_usable, cost_problem, is_valid_cost, observation_problem
from lac.envs.factory import AnyVectorEnv
from lac.envs.vector import SerialVectorEnv, member_info

Array = npt.NDArray[Any]


class Transition(NamedTuple):
    """One step of one environment; if it ends the episode, ``obs_next`` is the last observation of that episode."""

    env_index: int
    obs: Array
    act: Array
    cost: float
    obs_next: Array
    terminated: bool
    truncated: bool

    def as_plain(self) -> dict[str, Any]:
        """Its parts by name, as numbers and lists."""
        return {name: np.asarray(part).tolist() for name, part in self._asdict().items()}


class Episode(NamedTuple):
    """The cost and the length of a running or finished episode, and whether it was terminated."""

    cost: float
    length: int
    terminated: bool = False


class Collector:
    """Acts in the environments; one call of :meth:`step` is one vector step.

    With the autoreset mode NEXT_STEP an environment whose episode has ended uses its next step for the reset;
    that step is skipped. With SAME_STEP the step that ends an episode returns the first observation of the next
    episode, and the last observation of its own in ``info``.

    Args:
        envs: Vector environment in either autoreset mode, as :func:`lac.envs.wrap_vector_env` makes it.
        seed: Seed of the first reset.

    Attributes:
        env_steps: Number of transitions so far.
        observations: Current observation of each environment, ``[num_envs, obs_dim]``.
        is_resetting: For each environment, whether its next step is its reset.
        running: The running episode of each environment.
        finished: Episodes that have ended since :meth:`take_finished` was called.
    """

    def __init__(self, envs: AnyVectorEnv, seed: int) -> None:
        self._envs = envs
        self._resets_in_next_step = envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
        self.env_steps = 0
        self.observations: Array = envs.reset(seed=seed)[0]
        self._infos: Mapping[str, Any] = {}
        self.is_resetting = [False] * envs.num_envs
        self.running = [Episode(0.0, 0)] * envs.num_envs
        self.finished: list[Episode] = []
        # Transitions of the last vector step that nobody has taken yet: behind the end of a run, which may be extended.
        self._left: deque[Transition] = deque()
        self._all_usable = False

    def step(self, act: Callable[[Array], Array]) -> Iterator[Transition]:
        """One step of each environment; yields the transitions in the order of the environments.

        If not all of them are taken, the next call yields the rest, without another step.

        Args:
            act: Returns actions ``[num_envs, act_dim]`` for observations ``[num_envs, obs_dim]``.

        Raises:
            OffendingTransitionError: An observation or a cost is not finite, beyond float32, or a cost is negative.
        """
        if not self._left:
            self._left.extend(self._vector_step(act))
        while self._left:
            transition = self._left.popleft()
            self.env_steps += 1
            has_ended = transition.terminated or transition.truncated
            if has_ended or not (self._all_usable and is_valid_cost(transition.cost)):
                self._raise_if_offending(transition)
            self._count(transition)
            yield transition

    def _vector_step(self, act: Callable[[Array], Array]) -> Iterator[Transition]:
        if not are_usable(self.observations):
            self._raise_for_reset()
        obs = self.observations
        actions = act(obs.copy())  # a copy, since policies may write into it
        self.observations, costs, terminations, truncations, infos = self._envs.step(actions)
        self._infos = infos
        self._all_usable = are_usable(self.observations)
        is_terminated, is_truncated = terminations.tolist(), truncations.tolist()
        was_resetting, self.is_resetting = self.is_resetting, [False] * self._envs.num_envs
        for i, cost in enumerate(costs.tolist()):
            if was_resetting[i]:
                continue
            has_ended = is_terminated[i] or is_truncated[i]
            self.is_resetting[i] = has_ended and self._resets_in_next_step
            in_info = has_ended and not self._resets_in_next_step
            obs_next = infos["final_obs"][i] if in_info else self.observations[i]
            yield Transition(i, obs[i], actions[i], cost, obs_next, is_terminated[i], is_truncated[i])

    def info(self, transition: Transition) -> Mapping[str, Any]:
        """What the environment said beside a transition of the last vector step; nothing after a resumption."""
        i, has_ended = transition.env_index, transition.terminated or transition.truncated
        if isinstance(self._envs, SerialVectorEnv):
            return self._envs.infos[i]
        return member_info(self._infos, i, has_ended and not self._resets_in_next_step)

    def take_finished(self) -> list[Episode]:
        """The episodes that have ended since the last call."""
        finished, self.finished = self.finished, []
        return finished

    def begin_anew(self, seed: int) -> None:
        """Reset the environments, where the running episodes cannot go on."""
        self._left.clear()
        self.observations = self._envs.reset(seed=seed)[0]
        self.is_resetting = [False] * self._envs.num_envs
        self.running = [Episode(0.0, 0)] * self._envs.num_envs

    def state_dict(self) -> dict[str, Any]:
        """The state between two vector steps, without that of the environments."""
        return {
            "env_steps": self.env_steps,
            "observations": np.array(self.observations),
            "is_resetting": list(self.is_resetting),
            "running": [tuple(episode) for episode in self.running],
            "finished": [tuple(episode) for episode in self.finished],
            "left": [tuple(transition) for transition in self._left],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned; the environments must have the state that they had then."""
        self.env_steps = state["env_steps"]
        self.observations = np.array(state["observations"])
        self.is_resetting = list(state["is_resetting"])
        self.running = [Episode(*episode) for episode in state["running"]]
        self.finished = [Episode(*episode) for episode in state["finished"]]
        self._left = deque(Transition(*transition) for transition in state.get("left", ()))

    def _count(self, transition: Transition) -> None:
        i = transition.env_index
        episode = Episode(self.running[i].cost + transition.cost, self.running[i].length + 1, transition.terminated)
        if transition.terminated or transition.truncated:
            self.finished.append(episode)
            episode = Episode(0.0, 0)
        self.running[i] = episode

    def _raise_if_offending(self, transition: Transition) -> None:
        source = f"step {self.env_steps} (environment {transition.env_index})"
        problem = cost_problem(transition.cost, source) or observation_problem(transition.obs_next, source)
        if problem is not None:
            raise OffendingTransitionError(problem, {"env_steps": self.env_steps, **transition.as_plain()})

    def _raise_for_reset(self) -> None:
        """Raise an error for an initial observation that cannot be used."""
        i = [are_usable(obs) for obs in self.observations].index(False)
        source = f"the reset after step {self.env_steps} (environment {i})"
        problem = observation_problem(self.observations[i], source)
        place = {"env_steps": self.env_steps, "env_index": i}
        raise OffendingTransitionError(str(problem), {**place, "obs": self.observations[i].tolist()})
