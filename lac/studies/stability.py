"""Stability reports from Python: :func:`certify`."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lac.agents import LAC
from lac.devices import limited_threads
from lac.envs import AnyEnv
from lac.runs import Run, load
from lac.runs.stability import certify_run
from lac.settings.commands import ACTION_ERROR, CONFIDENCE
from lac.settings.rules import SEED, Choice, Number, raise_if_wrong
from lac.stability.certification import certify as certify_loop
from lac.stability.findings import TrainedFor
from lac.stability.report import StabilityReport
from lac.studies.arguments import Factory, acting, made, raise_if_other_opt_type


def certify(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None = None,
    seed: int = 0,
    confidence: float = 0.99,
    action_error: float = 1e-4,
    proof: bool = True,
    opt_type: str = "minimize",
    output_dir: str | Path | None = None,
    horizon_length: int | None = None,
) -> StabilityReport:
    """The stability report of a policy: what can be said about its closed loop, and how surely.

    ``docs/evidence.md`` explains every quantity. ``report.verdict`` is ``none``, ``empirical``, ``statistical`` or
    ``proved-on-model``; ``report.sentences`` say what that means here.

    Args:
        policy: A trained agent, a controller, any function from observations ``[B, obs_dim]`` to actions, or a run or
            its folder.
        env_fn: Makes the environment; None is that of the run, with its costs or rewards.
        seed: Of every sample.
        confidence: Of each bound.
        action_error: What a proof adds to each action, in half-widths of the action box: at least what the float32 of
            a policy or of its export errs by.
        proof: Whether a proof is tried for systems with two states.
        opt_type: Whether ``env_fn`` gives costs (``minimize``) or rewards (``maximize``).
        output_dir: Folder for ``report.json``, ``report.md``, ``report.html``, pictures, and ``certificate.npz`` where
            there is a proof; None writes nothing. An attempt with another seed counts (``docs/evidence.md``) if the
            reports before it are in this folder, or in that of the run.
        horizon_length: The finite horizon with which an agent was trained; None is the infinite one, or that of the
            run.

    Raises:
        ValueError: An argument is wrong.
        RunError: The run cannot be read.
    """
    raise_if_wrong(
        seed=(seed, SEED),
        confidence=(confidence, CONFIDENCE),
        action_error=(action_error, ACTION_ERROR),
        opt_type=(opt_type, Choice(("minimize", "maximize"))),
        horizon_length=(horizon_length, Number(low=0, whole=True, optional=True)),
    )
    if horizon_length is not None and not isinstance(policy, LAC):
        raise ValueError(
            f"horizon_length is {horizon_length}, which is for agents of LAC and LATC; a run has it in its config. "
            "Leave it out"
        )
    settings = {"seed": seed, "confidence": confidence, "action_error": action_error, "with_proof": proof}
    with limited_threads():
        if isinstance(policy, (str, Path, Run)):
            report = _certify_run(policy, env_fn, opt_type, output_dir, settings)
        else:
            report = _certify_policy(policy, env_fn, opt_type, horizon_length, settings)
        if output_dir is not None:
            report.save(output_dir)
    return report


def _certify_run(
    given: str | Path | Run,
    env_fn: Callable[[], AnyEnv] | None,
    opt_type: str,
    output_dir: str | Path | None,
    settings: Mapping[str, Any],
) -> StabilityReport:
    run = given if isinstance(given, Run) else load(given)
    if env_fn is None:
        raise_if_other_opt_type(run, opt_type)
    make_env = None if env_fn is None else partial(_environment, env_fn, opt_type)
    return certify_run(run, "final", folder=output_dir, make_env=make_env, **settings)


def _certify_policy(
    policy: Any,
    env_fn: Callable[[], AnyEnv] | None,
    opt_type: str,
    horizon_length: int | None,
    settings: Mapping[str, Any],
) -> StabilityReport:
    _, factory = acting(policy, env_fn)
    trained_for = TrainedFor.of(policy, horizon_length or 0) if isinstance(policy, LAC) else None
    env, environment = _environment(factory, opt_type)
    try:
        described = {"file": None, "sha256": None, "algorithm": type(policy).__name__}
        return certify_loop(policy, env, described, environment, trained_for=trained_for, **settings)
    finally:
        env.close()


def _environment(factory: Factory, opt_type: str) -> tuple[AnyEnv, Mapping[str, Any]]:
    """An environment, and what a report says of it."""
    env = made(factory, opt_type, None)
    name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
    kwargs = {} if env.spec is None else env.spec.kwargs
    return env, {"id": name, "kwargs": json.loads(json.dumps(kwargs, default=repr))}
