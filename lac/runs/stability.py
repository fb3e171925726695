"""The stability report of a run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lac.envs import AnyEnv
from lac.files import relative_to
from lac.runs.folder import RunError, one_line
from lac.runs.loading import Run
from lac.stability.certification import certify
from lac.stability.findings import TrainedFor
from lac.stability.report import FOLDER, StabilityReport, earlier_seeds


def certify_run(
    run: Run,
    policy: str,
    seed: int,
    confidence: float,
    action_error: float,
    with_proof: bool,
    folder: str | Path | None = None,
    make_env: Callable[[], tuple[AnyEnv, Mapping[str, Any]]] | None = None,
) -> StabilityReport:
    """Examine a policy of a run; nothing is written.

    Args:
        run: The run.
        policy: ``final``, ``best`` or ``epoch-N``.
        seed: Of every sample.
        confidence: Of each bound of a first attempt.
        action_error: See :func:`lac.proofs.prove`.
        with_proof: Whether a proof is tried where there are two states.
        folder: Where an earlier report may be besides the folder of the run.
        make_env: Gives another environment than that of the run, and what the report says of it.

    Raises:
        RunError: The policy or the environment cannot be loaded, or the environment fails.
    """
    from lac.agents import LAC  # noqa: PLC0415 (imports torch)
    from lac.agents.policy_files import policy_path  # noqa: PLC0415 (as above)

    if make_env is None:
        agent, envs = run.closed_loop(policy)
        environment: Mapping[str, Any] = {name: run.config["env"][name] for name in ("id", "kwargs")}
    else:
        agent, (env, environment) = run.policy(policy), make_env()
        envs = [env]
    file = policy_path(run.folder, policy)
    described = {
        "file": str(relative_to(file, run.folder)),
        "sha256": run.policy_sha256(policy),
        "algorithm": type(agent).__name__,
    }
    folders = [run.folder / FOLDER, *([] if folder is None else [Path(folder)])]
    try:
        return certify(
            agent,
            envs[0],
            described,
            environment,
            seed=seed,
            confidence=confidence,
            trained_for=_trained_for(run) if isinstance(agent, LAC) else None,
            earlier=earlier_seeds(*folders),
            action_error=action_error,
            with_proof=with_proof,
        )
    except Exception as error:  # whatever the code of an environment raises
        raise RunError(f"{run.folder} cannot be examined: {type(error).__name__}: {one_line(error)}") from error
    finally:
        for each in envs:
            each.close()


def _trained_for(run: Run) -> TrainedFor:
    settings = run.lyapunov_settings()
    return TrainedFor(settings["alpha3"], settings["gamma"], settings["horizon_length"])
