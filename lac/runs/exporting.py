"""Exports the policies of runs, with what their environments say of observations and actions."""

import hashlib
import warnings
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

from lac.agents import Agent
from lac.agents.loading import load_agent
from lac.agents.policy_files import policy_path
from lac.envs.factory import AnyEnv, validate_spaces
from lac.exporting import Exported, ExportError, Source, export_policy
from lac.runs.folder import CONFIG, RunError, one_line
from lac.runs.loading import Run, load, missing_policy
from lac.settings.exporting import C_TYPE, EXPORT_FORMAT, POLICY
from lac.settings.policies import FINAL, full_name
from lac.settings.rules import Text, raise_if_wrong, shown


def export(
    run_or_agent: Agent | Run | str | Path,
    path: str | Path | None = None,
    format: str | None = None,
    policy: str = FINAL,
    c_type: str = "double",
) -> Path:
    """Write a trained deterministic policy as a file that runs without this package, and a manifest beside it.

    The file is run on 10 000 observations first and compared with a float64 reference; one that differs is not written.

    Args:
        run_or_agent: An agent, a run, the folder of one, or a policy file.
        path: The file (``*.onnx``, ``*.c``, ``*.pt2``), or a folder, which gets ``export/policy.FORMAT``; None: the
            folder of the run.
        format: ``onnx``, ``c`` or ``pt2``; None: that of the file's name, or C for a folder.
        policy: ``final``, ``best`` or ``epoch-N``, of a run.
        c_type: ``double`` or ``float``, the number type of a C file.

    Returns:
        The file that was written.

    Raises:
        ValueError: An argument is not allowed, there is no policy, or it cannot be exported.
    """
    _raise_if_wrong(path, format, policy, c_type)
    if isinstance(run_or_agent, Agent) or _is_file(run_or_agent):
        if path is None:
            raise ValueError("path is None; an agent or a policy file has no run folder, so give a file or a folder")
        agent = run_or_agent if isinstance(run_or_agent, Agent) else load_agent(run_or_agent)  # type: ignore[arg-type]
        return agent.export(path, format, c_type)
    if not isinstance(run_or_agent, (Run, str, Path)):
        raise ValueError(f"run_or_agent is {shown(run_or_agent)}; it must be an agent, a run, or the folder of one")
    folder = run_or_agent.folder if isinstance(run_or_agent, Run) else Path(run_or_agent)
    exported = export_run(folder, format, policy, c_type, path)
    if exported.note is not None:
        warnings.warn(exported.note, stacklevel=2)
    return exported.file


def _raise_if_wrong(path: Any, format: Any, policy: Any, c_type: Any) -> None:
    raise_if_wrong(
        path=(path, Text(is_path=True, optional=True)),
        format=(format, EXPORT_FORMAT),
        policy=(policy, POLICY),
        c_type=(c_type, C_TYPE),
    )


def _is_file(given: object) -> bool:
    return isinstance(given, (str, Path)) and Path(given).is_file()


def export_run(
    folder: Path,
    format: str | None = None,
    policy: str = FINAL,
    c_type: str = "double",
    path: str | Path | None = None,
) -> Exported:
    """Export a policy of a run; see :func:`export`.

    Where its environment cannot be built, which is no error, the names in it are not known.

    Raises:
        RunError: The run has no such policy, or it cannot be exported, or the file cannot be written.
    """
    file = policy_path(folder, policy)
    if not file.is_file():
        raise RunError(missing_policy(folder, file))
    try:
        agent = load_agent(file)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    except Exception as error:  # whatever bytes that are no policy lead to
        raise RunError(f"{file} cannot be exported: {one_line(error)}") from error
    source = Source(type(agent).__name__, sha256, file=str(file.relative_to(folder)))
    source, unknown = _with_environment(folder, source, agent)
    name = "policy" if policy == FINAL else f"policy-{full_name(policy)}"
    try:
        exported = export_policy(agent, folder if path is None else path, source, format, c_type, name)
    except (ExportError, OSError) as error:
        raise RunError(f"{file} cannot be exported: {one_line(error)}") from error
    notes = [note for note in (exported.note, unknown) if note is not None]
    return replace(exported, note="; ".join(notes) or None)


def _with_environment(folder: Path, source: Source, agent: Agent) -> tuple[Source, str | None]:
    """The source with what the environment of the run says, or a sentence about why it says nothing.

    What an agent has saved has no config, and nothing is wrong with it.
    """
    if not (folder / CONFIG).exists():
        return source, None
    try:
        with chdir(Path.cwd()):  # for its return: environments may change the working directory
            run = load(folder)
            env = run.environment()()
            observations, actions = validate_spaces(env)
            env.close()
    except Exception as error:  # whatever the code of an environment raises
        return source, f"names and bounds of the observations of {folder} are not known ({one_line(error)})"
    if (observations.shape, actions.shape) != (agent.observation_space.shape, agent.action_space.shape):
        return source, f"the environment of {folder} has other observations or actions than its policy"
    described = replace(
        source,
        environment=str(run.config["env"]["id"]),
        observation_box=observations,
        observation_names=_names(env, "observation_names", observations.shape[0]),
        action_names=_names(env, "action_names", actions.shape[0]),
    )
    return described, None


def _names(env: AnyEnv, attribute: str, size: int) -> Sequence[str] | None:
    """A name for each observation or action, where the environment has them."""
    names = getattr(env.unwrapped, attribute, None)
    is_usable = isinstance(names, (list, tuple)) and len(names) == size and all(isinstance(n, str) for n in names)
    return names if is_usable else None
