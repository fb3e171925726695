"""The stability report of a closed loop: examination and, for two states, a proof."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lac.controllers.controller import nominal_system
from lac.envs import AnyEnv
from lac.proofs import NotProvedError, Proof, prove
from lac.stability.examination import examine
from lac.stability.findings import Effort, TrainedFor
from lac.stability.report import Seeds, StabilityReport, attempt_of, bound_confidence, make_report, with_seed

_PLANE = 2


def certify(
    policy: Any,
    env: AnyEnv,
    policy_data: Mapping[str, Any],
    environment_data: Mapping[str, Any],
    seed: int = 0,
    confidence: float = 0.99,
    trained_for: TrainedFor | None = None,
    earlier: Seeds = MappingProxyType({}),
    action_error: float = 1e-4,
    with_proof: bool = True,
    effort: Effort | None = None,
) -> StabilityReport:
    """Examine a closed loop, try to prove it, and report both.

    Args:
        policy: A trained agent, a controller, or a function from observations ``[B, obs_dim]`` to actions.
        env: As :func:`lac.envs.wrap_env` makes it.
        policy_data: ``file``, ``sha256`` and ``algorithm``, for the report.
        environment_data: ``id`` and ``kwargs``, for the report.
        seed: Of every sample.
        confidence: Of each bound of a first attempt; see :func:`lac.stability.report.bound_confidence`.
        trained_for: See :func:`lac.stability.examination.examine`.
        earlier: The seeds of earlier attempts at policies.
        action_error: See :func:`lac.proofs.prove`.
        with_proof: Whether a proof is tried where there are two states.
        effort: Numbers of states and trajectories.
    """
    sha256 = policy_data["sha256"]
    seeds = with_seed(earlier, sha256, seed)
    own_confidence = bound_confidence(confidence, attempt_of(seeds, sha256, seed))
    found = examine(policy, env, seed, own_confidence, trained_for, effort)
    start = time.perf_counter()
    proof, reason = _proof(policy, env, action_error, seed) if with_proof else (None, None)
    if proof is not None:
        found.seconds["proof"] = time.perf_counter() - start
    return make_report(found, policy_data, environment_data, confidence, seed, seeds, proof, reason)


def _proof(policy: Any, env: AnyEnv, action_error: float, seed: int) -> tuple[Proof | None, str | None]:
    system = nominal_system(env)
    if system is None or system.state_dim != _PLANE:
        return None, "proofs are for systems with two states."
    try:
        return prove(env, policy, action_error=action_error, seed=seed), None
    except NotProvedError as error:
        return None, str(error)
