"""Training from Python: :func:`lac`, :func:`latc` and :func:`sac`."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from inspect import Parameter
from pathlib import Path
from typing import Any

from lac.agents import LAC, LATC, SAC, Agent
from lac.agents.agent import ACTOR_CRITIC_PARAMETERS
from lac.devices import limited_threads
from lac.envs import AnyEnv, AnyVectorEnv
from lac.loggers.wandb import WandbSettings
from lac.runs.recorder import RecordSettings, RunRecorder
from lac.settings.algorithms import ALGORITHMS
from lac.settings.arguments import described, from_arguments, raise_if_not_allowed, signature, training_fields
from lac.settings.consistency import Given, contradictions, unused
from lac.settings.rules import nearest, raise_if_any
from lac.settings.training import LoopSettings, ScheduleSettings
from lac.training.buffers import ReplayBuffer
from lac.training.plan import TrainingPlan
from lac.training.trainer import train

LOGGER_KWARGS = (
    "output_dir",
    "exp_name",
    "quiet",
    "verbose_vars",
    "use_wandb",
    "wandb_project",
    "wandb_group",
    "wandb_job_type",
    "wandb_run_name",
    "save_checkpoints",
)

_ENV_FN = Parameter("env_fn", Parameter.POSITIONAL_OR_KEYWORD, annotation=Callable[[], AnyEnv | AnyVectorEnv])
_LOGGER_KWARGS = Parameter("logger_kwargs", Parameter.POSITIONAL_OR_KEYWORD, default={}, annotation=Mapping[str, Any])

_DOCSTRING = """Train :class:`~lac.agents.{module}.{name}` in an environment.

    Args:
        env_fn: Makes a copy of the environment; called ``num_envs`` times for training and once per parallel test
            episode. Without test episodes it may make a :class:`gymnasium.vector.VectorEnv` instead, which is
            trained in as it is, whether it resets in the same step or in the next one.
        actor_critic: Actor-critic class; see :class:`~lac.agents.{module}.{name}`.
        ac_kwargs: Its keyword arguments.
        logger_kwargs: ``output_dir`` (a new folder under ``outputs/`` by default), ``exp_name``, ``quiet``,
            ``verbose_vars`` (metrics shown on the console), ``use_wandb``, ``wandb_project``, ``wandb_group``,
            ``wandb_job_type``, ``wandb_run_name``, ``save_checkpoints`` (keep every saved epoch's policy).
{settings}

    Returns:
        The trained agent and the replay buffer of the training.

    Raises:
        ValueError: A setting is not allowed; all such settings are named.
    """


def _training_function(agent_class: type[Agent]) -> Callable[..., tuple[Agent, ReplayBuffer]]:
    """The function that trains an agent; its signature and docstring are made from the settings."""
    name = agent_class.__name__
    algorithm = ALGORITHMS[name.lower()]
    settings = training_fields(algorithm)
    arguments = signature(
        (_ENV_FN, *ACTOR_CRITIC_PARAMETERS),
        settings,
        returns=tuple[agent_class, ReplayBuffer],  # type: ignore[valid-type]
        others={"logger_kwargs": _LOGGER_KWARGS},
    )

    def function(*args: Any, **kwargs: Any) -> tuple[Agent, ReplayBuffer]:
        bound = arguments.bind(*args, **kwargs)
        bound.apply_defaults()
        raise_if_not_allowed(settings, bound.arguments)
        raise_if_any(contradictions(Given.as_arguments(bound.arguments)))
        return _train(name.lower(), bound.arguments)

    function.__name__ = function.__qualname__ = name.lower()
    function.__signature__ = arguments  # type: ignore[attr-defined]
    function.__doc__ = _DOCSTRING.format(module=name.lower(), name=name, settings=described(settings))
    return function


lac = _training_function(LAC)
latc = _training_function(LATC)
sac = _training_function(SAC)


def _train(algorithm: str, arguments: Mapping[str, Any]) -> tuple[Agent, ReplayBuffer]:
    """Train from the arguments of one of the functions above."""
    logger_kwargs = arguments["logger_kwargs"]
    unknown = [f"{key!r}.{nearest(key, LOGGER_KWARGS)}" for key in logger_kwargs if key not in LOGGER_KWARGS]
    if unknown:
        raise ValueError(f"logger_kwargs has no entry {' '.join(unknown)} It takes {', '.join(LOGGER_KWARGS)}")
    if arguments["export"]:
        raise NotImplementedError(
            "export=True comes with a later release; the policy is saved under policy/ all the same"
        )
    plan = TrainingPlan(
        algorithm=from_arguments(ALGORITHMS[algorithm], arguments),
        seed=secrets.randbits(32) if arguments["seed"] is None else arguments["seed"],
        loop=from_arguments(LoopSettings, arguments),
        schedule=from_arguments(ScheduleSettings, arguments),
        actor_critic=arguments["actor_critic"],
        ac_kwargs=arguments["ac_kwargs"],
        num_envs=arguments["num_envs"],
        device=arguments["device"],
    )
    with limited_threads(), RunRecorder(_record_settings(algorithm, logger_kwargs, arguments)) as recorder:
        return train(plan, arguments["env_fn"], recorder)


def _record_settings(name: str, logger_kwargs: Mapping[str, Any], arguments: Mapping[str, Any]) -> RecordSettings:
    exp_name = logger_kwargs.get("exp_name", name)
    run_dir = logger_kwargs.get("output_dir") or new_run_folder(Path("outputs"), exp_name)
    wandb = WandbSettings(
        mode="auto" if logger_kwargs.get("use_wandb", False) else "disabled",
        project=logger_kwargs.get("wandb_project", "lac"),
        group=logger_kwargs.get("wandb_group"),
        job_type=logger_kwargs.get("wandb_job_type"),
        name=logger_kwargs.get("wandb_run_name", exp_name),
    )
    return RecordSettings(
        run_dir=Path(run_dir),
        title=exp_name,
        config={name: value for name, value in arguments.items() if isinstance(value, (int, float, str, type(None)))},
        save_freq=arguments["save_freq"],
        unused=unused(Given.as_arguments(arguments)),
        keep_policies=logger_kwargs.get("save_checkpoints", False),
        quiet=logger_kwargs.get("quiet", False),
        columns=logger_kwargs.get("verbose_vars"),
        wandb=wandb,
    )


def new_run_folder(parent: Path, name: str) -> Path:
    """A folder named after the time and the run that does not exist yet."""
    now = datetime.now()
    base = parent / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}-{name}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder
