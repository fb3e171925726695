"""Training from Python."""

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from torch import nn

from lac.agents import LAC, LATC, SAC, Agent
from lac.agents.base import DEFAULT_AC_KWARGS
from lac.devices import limited_threads
from lac.envs import AnyEnv, AnyVectorEnv
from lac.loggers.wandb import WandbSettings
from lac.runs.recorder import RecordSettings, RunRecorder
from lac.settings.rules import check, nearest
from lac.training.buffers import ReplayBuffer
from lac.training.trainer import train_from_settings

A = TypeVar("A", bound=Agent)
P = ParamSpec("P")

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


def lac(
    env_fn: Callable[[], AnyEnv | AnyVectorEnv],
    actor_critic: type[nn.Module] | None = None,
    ac_kwargs: Mapping[str, Any] = DEFAULT_AC_KWARGS,
    opt_type: str = "minimize",
    max_ep_len: int | None = None,
    epochs: int = 100,
    steps_per_epoch: int = 2048,
    start_steps: int = 0,
    update_every: int = 100,
    update_after: int = 1000,
    steps_per_update: int = 100,
    num_test_episodes: int = 10,
    alpha: float = 0.99,
    alpha3: float = 0.2,
    labda: float = 0.99,
    gamma: float = 0.99,
    polyak: float = 0.995,
    target_entropy: float | None = None,
    adaptive_temperature: bool = True,
    lr_a: float = 1e-4,
    lr_c: float = 3e-4,
    lr_alpha: float = 1e-4,
    lr_labda: float = 3e-4,
    lr_a_final: float = 1e-10,
    lr_c_final: float = 1e-10,
    lr_alpha_final: float = 1e-10,
    lr_labda_final: float = 1e-10,
    lr_decay_type: str = "linear",
    lr_a_decay_type: str | None = None,
    lr_c_decay_type: str | None = None,
    lr_alpha_decay_type: str | None = None,
    lr_labda_decay_type: str | None = None,
    lr_decay_ref: str = "epoch",
    batch_size: int = 256,
    replay_size: int = 1_000_000,
    horizon_length: int = 0,
    seed: int | None = None,
    device: str = "cpu",
    logger_kwargs: Mapping[str, Any] = {},
    save_freq: int = 1,
    start_policy: str | None = None,
    export: bool = False,
    *,
    critic_loss: str = "squared",
    anti_windup: bool = False,
    labda_min: float = 0.0,
    twin_drift: str = "symmetric",
    drift_weights: str = "mixed",
    time_limit_is_terminal: bool = False,
    num_envs: int = 1,
) -> tuple[LAC, ReplayBuffer]:
    """Train :class:`~lac.agents.lac.LAC` in an environment.

    Args:
        env_fn: Makes a copy of the environment; called ``num_envs`` times for training and once per parallel test
            episode. Without test episodes it may make a :class:`gymnasium.vector.VectorEnv` instead, which is
            trained in as it is, whether it resets in the same step or in the next one.
        actor_critic: Actor-critic class; see :class:`~lac.agents.lac.LAC`.
        ac_kwargs: Its keyword arguments.
        opt_type: ``minimize`` for costs, ``maximize`` for rewards with a known upper bound.
        max_ep_len: Longest episode in steps; None leaves the environment's own limit.
        epochs: Number of epochs; each ends with a test and a line of metrics.
        steps_per_epoch: Environment steps per epoch.
        start_steps: Environment steps with uniformly random actions at the start.
        update_every: Environment steps between rounds of updates.
        update_after: Environment steps before the first round.
        steps_per_update: Updates per round.
        num_test_episodes: Episodes of the deterministic policy at the end of an epoch, from fixed resets.
        alpha: See :class:`~lac.agents.lac.LAC`, as for all arguments up to ``lr_labda``.
        alpha3: Demanded decrease of L, as a share of the cost.
        labda: Initial Lyapunov multiplier.
        gamma: Discount factor, for the infinite horizon.
        polyak: Weight of the old target networks.
        target_entropy: Target of the temperature; None stands for ``-dim(A)``.
        adaptive_temperature: Whether the temperature is adapted.
        lr_a: Initial learning rate of the actor.
        lr_c: Initial learning rate of the critic.
        lr_alpha: Initial learning rate of the temperature.
        lr_labda: Initial learning rate of the Lyapunov multiplier.
        lr_a_final: Learning rate of the actor at the end.
        lr_c_final: Learning rate of the critic at the end.
        lr_alpha_final: Learning rate of the temperature at the end.
        lr_labda_final: Learning rate of the Lyapunov multiplier at the end.
        lr_decay_type: ``linear``, ``exponential`` or ``constant``.
        lr_a_decay_type: As ``lr_decay_type``, for the actor alone; None follows it.
        lr_c_decay_type: The same for the critic.
        lr_alpha_decay_type: The same for the temperature.
        lr_labda_decay_type: The same for the Lyapunov multiplier.
        lr_decay_ref: Whether learning rates change with each ``epoch`` or each round of updates (``step``).
        batch_size: Transitions per update.
        replay_size: Transitions that are remembered.
        horizon_length: Steps of the finite horizon; 0 is the infinite, discounted one.
        seed: Seed of everything; None draws one, which the run's summary tells.
        device: Where the networks are.
        logger_kwargs: ``output_dir`` (a new folder under ``outputs/`` by default), ``exp_name``, ``quiet``,
            ``verbose_vars`` (metrics shown on the console), ``use_wandb``, ``wandb_project``, ``wandb_group``,
            ``wandb_job_type``, ``wandb_run_name``, ``save_checkpoints`` (keep every saved epoch's policy).
        save_freq: Epochs between saved policies.
        start_policy: Run folder or policy file to start from.
        export: Not available yet; True is refused.
        critic_loss: See :class:`~lac.agents.lac.LAC`.
        anti_windup: See :class:`~lac.agents.lac.LAC`.
        labda_min: See :class:`~lac.agents.lac.LAC`.
        twin_drift: See :class:`~lac.agents.lac.LAC`.
        drift_weights: See :class:`~lac.agents.lac.LAC`.
        time_limit_is_terminal: Whether the end of an episode by its time limit is stored as a terminal state,
            as the authors' code does. The infinite-horizon target ends there then: L no longer counts what
            follows, though the observation does not tell how much time is left. A finite horizon is not touched.
        num_envs: Environments that training steps side by side, with one call of the policy. Environment steps are
            counted over all of them, here and in the arguments above.

    Returns:
        The trained agent and the replay buffer of the training.

    Raises:
        ValueError: A setting is not allowed; all of them are told.
    """
    return _train(LAC, locals())


def _with_arguments_of(function: Callable[P, Any], agent_class: type[A]) -> Callable[P, tuple[A, ReplayBuffer]]:
    """A training function for another agent with the same arguments."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def train(*args: P.args, **kwargs: P.kwargs) -> tuple[A, ReplayBuffer]:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return _train(agent_class, given.arguments)

    name = agent_class.__name__
    train.__name__ = train.__qualname__ = name.lower()
    train.__signature__ = signature.replace(return_annotation=tuple[agent_class, ReplayBuffer])  # type: ignore
    train.__doc__ = f"Train :class:`~lac.agents.{name.lower()}.{name}`; all else is as for :func:`{function.__name__}`."
    return train


latc = _with_arguments_of(lac, LATC)


def sac(
    env_fn: Callable[[], AnyEnv],
    actor_critic: type[nn.Module] | None = None,
    ac_kwargs: Mapping[str, Any] = DEFAULT_AC_KWARGS,
    opt_type: str = "minimize",
    max_ep_len: int | None = None,
    epochs: int = 100,
    steps_per_epoch: int = 2048,
    start_steps: int = 0,
    update_every: int = 100,
    update_after: int = 1000,
    steps_per_update: int = 100,
    num_test_episodes: int = 10,
    alpha: float = 0.99,
    gamma: float = 0.99,
    polyak: float = 0.995,
    target_entropy: float | None = None,
    adaptive_temperature: bool = True,
    lr_a: float = 1e-4,
    lr_c: float = 3e-4,
    lr_alpha: float = 1e-4,
    lr_a_final: float = 1e-10,
    lr_c_final: float = 1e-10,
    lr_alpha_final: float = 1e-10,
    lr_decay_type: str = "linear",
    lr_a_decay_type: str | None = None,
    lr_c_decay_type: str | None = None,
    lr_alpha_decay_type: str | None = None,
    lr_decay_ref: str = "epoch",
    batch_size: int = 256,
    replay_size: int = 1_000_000,
    seed: int | None = None,
    device: str = "cpu",
    logger_kwargs: Mapping[str, Any] = {},
    save_freq: int = 1,
    start_policy: str | None = None,
    export: bool = False,
    *,
    time_limit_is_terminal: bool = False,
    num_envs: int = 1,
) -> tuple[SAC, ReplayBuffer]:
    """Train :class:`~lac.agents.sac.SAC` in an environment.

    The arguments are those of :func:`lac` that SAC has: there is no Lyapunov function, hence no ``alpha3``, no
    ``labda`` and no finite horizon. ``actor_critic`` has ``Q1`` and ``Q2`` instead of ``L``.

    Returns:
        The trained agent and the replay buffer of the training.

    Raises:
        ValueError: A setting is not allowed; all of them are told.
    """
    return _train(SAC, locals())


def _train(agent_class: type[A], settings: Mapping[str, Any]) -> tuple[A, ReplayBuffer]:
    """Train from the arguments of one of the functions above."""
    settings, logger_kwargs = dict(settings), settings["logger_kwargs"]
    check(settings)
    unknown = [f"{key!r}.{nearest(key, LOGGER_KWARGS)}" for key in logger_kwargs if key not in LOGGER_KWARGS]
    if unknown:
        raise ValueError(f"logger_kwargs has no entry {' '.join(unknown)} It takes {', '.join(LOGGER_KWARGS)}")
    if settings["export"]:
        raise NotImplementedError(
            "export=True comes with a later release; the policy is saved under policy/ all the same"
        )
    record = _record_settings(agent_class.__name__.lower(), logger_kwargs, settings)
    with limited_threads(), RunRecorder(record) as recorder:
        return train_from_settings(agent_class, settings, settings["env_fn"], recorder)


def _record_settings(name: str, logger_kwargs: Mapping[str, Any], settings: Mapping[str, Any]) -> RecordSettings:
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
        config={name: value for name, value in settings.items() if isinstance(value, (int, float, str, type(None)))},
        save_freq=settings["save_freq"],
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
