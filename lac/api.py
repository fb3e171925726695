"""Training from Python: :func:`lac`, :func:`latc` and :func:`sac`."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import fields
from datetime import datetime
from inspect import Parameter
from pathlib import Path
from typing import Any

from lac.agents import LAC, LATC, SAC, Agent
from lac.agents.agent import ACTOR_CRITIC_PARAMETERS
from lac.buffers import ReplayBuffer
from lac.devices import limited_threads
from lac.envs import AnyEnv, AnyVectorEnv
from lac.loggers.copies import missing_package
from lac.loggers.wandb import WandbSettings
from lac.loggers.wandb_environment import asked
from lac.runs.config_file import write_config
from lac.runs.folder import CONFIG, new_folder
from lac.runs.python_config import config_of_plan, is_of_script
from lac.runs.record_settings import RecordSettings
from lac.runs.recorder import RunRecorder
from lac.runs.resuming import AUTO, Resumption, newest_unfinished, resumed
from lac.settings.algorithms import ALGORITHMS
from lac.settings.arguments import allowed, described, from_arguments, signature, training_fields
from lac.settings.consistency import Given, contradictions, unused
from lac.settings.fields import setting_errors
from lac.settings.logging import LoggerSettings
from lac.settings.rules import nearest, plain, raise_if_any, shown
from lac.settings.training import LoopSettings, ScheduleSettings
from lac.training.callbacks import Callback
from lac.training.plan import TrainingPlan
from lac.training.trainer import Trainer

_ENV_FN = Parameter("env_fn", Parameter.POSITIONAL_OR_KEYWORD, annotation=Callable[[], AnyEnv | AnyVectorEnv])
_CALLBACKS = Parameter("callbacks", Parameter.KEYWORD_ONLY, default=(), annotation=Sequence[Callback])
_LOGGER_KWARGS = Parameter("logger_kwargs", Parameter.POSITIONAL_OR_KEYWORD, default={}, annotation=Mapping[str, Any])

_CONFIG_COMMENT = "The config of a run from Python, in the keys of the command `train`."

_DOCSTRING = """Train :class:`~lac.agents.{module}.{name}` in an environment.

    Args:
        env_fn: Makes a copy of the environment; called ``num_envs`` times for training and once per parallel test
            episode. Without test episodes it may make a :class:`gymnasium.vector.VectorEnv` instead, which is
            trained in as it is, whether it resets in the same step or in the next one.
        actor_critic: Actor-critic class; see :class:`~lac.agents.{module}.{name}`.
        ac_kwargs: Its keyword arguments.
        logger_kwargs: ``output_dir`` (a new folder under ``outputs/`` by default), ``exp_name``, ``quiet``,
            ``verbose_vars`` (metrics shown on the console), ``use_wandb``, ``wandb_project``, ``wandb_group``,
            ``wandb_job_type``, ``wandb_run_name``, ``save_checkpoints`` (keep every saved epoch's policy),
            ``keep_policies`` (how many policies of epochs are kept, spread evenly over the run),
            ``csv`` and ``tensorboard`` (copies of the metrics), ``keep_checkpoints`` and ``checkpoint_seconds`` (how
            many, how often), ``resume`` (the folder of a run that goes on from its newest checkpoint; the other
            arguments are those with which it was begun).
            The folder is made when the training starts: a call that cannot start leaves none.
{settings}
        callbacks: Objects of subclasses of :class:`lac.Callback`, such as ``[lac.InfoMetrics(["is_success"])]``, which
            give further metrics and reasons to stop (``docs/callbacks.md``).

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
        others={"logger_kwargs": _LOGGER_KWARGS, "callbacks": _CALLBACKS},
    )

    def function(*args: Any, **kwargs: Any) -> tuple[Agent, ReplayBuffer]:
        bound = arguments.bind(*args, **kwargs)
        bound.apply_defaults()
        given = allowed(settings, bound.arguments)
        raise_if_any(contradictions(Given.as_arguments(given)))
        return _train(name.lower(), given)

    function.__name__ = function.__qualname__ = name.lower()
    function.__signature__ = arguments  # type: ignore[attr-defined]
    function.__doc__ = _DOCSTRING.format(module=name.lower(), name=name, settings=described(settings))
    return function


lac = _training_function(LAC)
latc = _training_function(LATC)
sac = _training_function(SAC)


def _train(algorithm: str, arguments: Mapping[str, Any]) -> tuple[Agent, ReplayBuffer]:
    """Train from the arguments of one of the functions above."""
    logging = _logger_settings(arguments["logger_kwargs"])
    here = Path.cwd()  # environments may change it
    with chdir(here), limited_threads(), _resumption(here, logging) as resumption:  # chdir for its return
        plan = _plan(algorithm, arguments, None if resumption is None else resumption.seed)
        state = None if resumption is None else resumption.training
        with Trainer(plan, arguments["env_fn"], state, arguments["callbacks"]) as trainer:
            if resumption is not None:
                resumption.raise_if_nothing_is_left(trainer.is_complete, trainer.early_stop)
            described = config_of_plan(plan, logging, trainer.environments.first)
            if resumption is not None:
                resumption.raise_if_other_environment(described[0]["env"], described[1])
            settings = _record_settings(algorithm, here, logging, arguments, resumption, *described)
            with RunRecorder(settings, resumption, trainer.deviations) as recorder:
                _write_config(settings, arguments)
                trainer.run(recorder)
    return trainer.agent, trainer.buffer


def _plan(algorithm: str, arguments: Mapping[str, Any], seed: int | None) -> TrainingPlan:
    """The plan of the arguments; ``seed`` is that of a run that goes on, where the arguments have none."""
    given = seed if arguments["seed"] is None else arguments["seed"]
    return TrainingPlan(
        algorithm=from_arguments(ALGORITHMS[algorithm], arguments),
        seed=secrets.randbits(31) if given is None else given,
        loop=from_arguments(LoopSettings, arguments),
        schedule=from_arguments(ScheduleSettings, arguments),
        actor_critic=arguments["actor_critic"],
        ac_kwargs=arguments["ac_kwargs"],
        num_envs=arguments["num_envs"],
        termination_cost=arguments["termination_cost"],
        device=arguments["device"],
        engine=arguments["engine"],
    )


@contextmanager
def _resumption(here: Path, logging: LoggerSettings) -> Iterator[Resumption | None]:
    """What a run continues from, within the block; None if one begins.

    Raises:
        RunError: It cannot be continued.
    """
    if logging.resume is None:
        yield None
        return
    folder = newest_unfinished(here / "outputs") if logging.resume == AUTO else here / logging.resume
    with resumed(folder) as resumption:
        yield resumption


def _logger_settings(logger_kwargs: Any) -> LoggerSettings:
    """The entries of ``logger_kwargs``.

    Raises:
        ValueError: An entry is unknown or has a value that is not allowed.
    """
    known = [f.name for f in fields(LoggerSettings)]
    if not isinstance(logger_kwargs, Mapping):
        raise ValueError(f"logger_kwargs is {shown(logger_kwargs)}; it must be a dict of {', '.join(known)}")
    unknown = [f"{key!r}.{nearest(str(key), known)}" for key in logger_kwargs if key not in known]
    if unknown:
        raise ValueError(f"logger_kwargs has no entry {' '.join(unknown)} It takes {', '.join(known)}")
    given = plain(logger_kwargs)
    raise_if_any(setting_errors(LoggerSettings, given, "logger_kwargs: "))
    settings = LoggerSettings(**given)
    missing = missing_package(settings.tensorboard)
    if missing is not None:
        raise ValueError(f"logger_kwargs: tensorboard {missing}")
    if settings.resume is not None and settings.output_dir is not None:
        raise ValueError(
            f"logger_kwargs: resume is {settings.resume!r} and output_dir is {settings.output_dir!r}; leave output_dir "
            "out, since a run goes on in its own folder"
        )
    if settings.output_dir is not None and Path(settings.output_dir).is_file():
        raise ValueError(f"logger_kwargs: output_dir is {settings.output_dir!r}, which is a file; give a folder")
    return settings


def _record_settings(
    name: str,
    here: Path,
    logging: LoggerSettings,
    arguments: Mapping[str, Any],
    resumption: Resumption | None,
    config: Mapping[str, Any],
    unmade_environment: str | None,
) -> RecordSettings:
    exp_name = logging.exp_name or name
    wandb = WandbSettings(
        mode="auto" if logging.use_wandb else "disabled",
        project=logging.wandb_project,
        group=logging.wandb_group,
        job_type=logging.wandb_job_type,
        name=asked(logging.wandb_run_name, "WANDB_NAME") or exp_name,
    )
    if resumption is not None:
        run_dir = resumption.folder
    else:
        run_dir = here / logging.output_dir if logging.output_dir else _new_run_folder(here / "outputs", exp_name)
    return RecordSettings(
        run_dir=run_dir,
        start_dir=here,
        title=exp_name,
        config=config,
        save_freq=arguments["save_freq"],
        # With twin critics lac is latc.
        unused=unused(Given.as_arguments(arguments, name if arguments["actor_critic"] is None else None)),
        keep_saved=logging.save_checkpoints,
        keep_policies=logging.keep_policies,
        quiet=logging.quiet,
        columns=logging.verbose_vars,
        export=arguments["export"],
        wandb=wandb if resumption is None else resumption.labels(wandb, {"name"}),
        keep_checkpoints=logging.keep_checkpoints,
        checkpoint_seconds=logging.checkpoint_seconds,
        copies=logging,
        is_from_python=True,
        unmade_environment=unmade_environment,
    )


def _write_config(settings: RecordSettings, arguments: Mapping[str, Any]) -> None:
    """Write the config of a run, with a comment that says whether the command ``train`` can run it again."""
    own = arguments["actor_critic"]
    obstacles = [] if own is None else [f"its actor-critic {own.__name__} is known to Python alone"]
    if settings.unmade_environment is not None:
        obstacles.append(f"its environment cannot be made by name ({settings.unmade_environment})")
    elif is_of_script(settings.config["env"]["id"]):
        obstacles.append("its environment is registered by the script that was run; let a module of its own do that")
    callbacks = ", ".join(type(callback).__name__ for callback in arguments["callbacks"])
    if obstacles:
        comment = f"{_CONFIG_COMMENT}\nThe command cannot run it again: {'; '.join(obstacles)}."
    else:
        without = f", without its callbacks ({callbacks})" if callbacks else ""
        comment = (
            f"{_CONFIG_COMMENT}\nThe command runs it again{without}, with --config-dir FOLDER --config-name config."
        )
    write_config(settings.run_dir / CONFIG, settings.config, comment, is_runnable=not obstacles)


def _new_run_folder(parent: Path, name: str) -> Path:
    """A folder of its own for a run, named after the time and the run."""
    now = datetime.now()
    return new_folder(parent / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}-{name}")
