"""The settings of a training beside the algorithm's: environment, networks, loop, learning rates, device."""

from dataclasses import dataclass, fields
from typing import Any

from lac.settings.fields import REQUIRED, Settings, group, setting
from lac.settings.rules import (
    COUNT,
    FROM_ZERO,
    OPTIONAL_COUNT,
    OPTIONAL_NUMBER,
    RATE,
    THREADS,
    Choice,
    Flag,
    Number,
    Numbers,
    OrWord,
    Text,
    Widths,
)

ENGINE = Choice(("auto", "torch", "compiled"))
ACTIVATIONS = ("relu", "tanh", "elu", "gelu", "silu", "softplus", "identity")
DECAY_TYPES = ("linear", "exponential", "constant")
ABSORBING, AUTO = "absorbing", "auto"
TERMINATION_COST = OrWord(Number(low=0, optional=True), ABSORBING)
_ACTIVATION = Choice(ACTIVATIONS)
_OWN_DECAY = Choice(DECAY_TYPES, optional=True)


@dataclass(frozen=True, kw_only=True)
class EnvChoice(Settings):
    """The environment itself."""

    name: str = setting(REQUIRED, None, "short name, used in folder names")
    id: str = setting(REQUIRED, None, "Gymnasium id; with env=gym any registered environment with continuous actions")
    max_episode_steps: int | None = setting(
        None, OPTIONAL_COUNT, "time limit in steps; null: the environment's own limit"
    )
    reward_max: float | None = setting(
        None, OPTIONAL_NUMBER, "upper bound of the reward per step, for algo.opt_type=maximize"
    )
    goal_tolerance: Any = setting(
        None,
        Numbers(above=0, optional=True),
        "an episode settles when the state of interest stays this close to its reference, one number or one each; "
        "null: the environment's own",
    )
    kwargs: dict[str, Any] = setting({}, None, "arguments of the environment's constructor")


@dataclass(frozen=True, kw_only=True)
class EnvSettings(EnvChoice):
    """The environment, and how training uses it."""

    termination_cost: Any = setting(
        None,
        TERMINATION_COST,
        "added in training to the cost of a step that terminates, needed where the discounted cost of living exceeds "
        "that of dying: a number, or absorbing, the discounted cost of staying there for ever; null: nothing",
    )
    num_envs: int = setting(
        1,
        Number(low=1, limit=10_000, whole=True),
        "environments that training steps side by side; steps are counted over all of them",
    )


@dataclass(frozen=True, kw_only=True)
class HiddenSizes(Settings):
    """Layer widths."""

    actor: list[int] = setting([256, 256], Widths(), "widths of the actor's layers")
    critic: list[int] = setting(
        [256, 256], Widths(), "widths of the critic's layers; the last is the number of squared features of L"
    )


@dataclass(frozen=True, kw_only=True)
class Activation(Settings):
    """Activations by name."""

    actor: str = setting("relu", _ACTIVATION, "activation between the actor's layers")
    critic: str = setting("relu", _ACTIVATION, "activation after the critic's layers")


@dataclass(frozen=True, kw_only=True)
class OutputActivation(Settings):
    """Activation of the last hidden layer."""

    actor: str = setting("relu", _ACTIVATION, "activation after the actor's last hidden layer")


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """Architecture of actor and critic."""

    hidden_sizes: HiddenSizes = group(HiddenSizes)
    activation: Activation = group(Activation)
    output_activation: OutputActivation = group(OutputActivation)
    observation_scale: Any = setting(
        None,
        OrWord(Numbers(above=0, optional=True), AUTO),
        "observations are divided by this number, or by one each; auto: by their root mean square over 2000 random "
        "steps before the training, without outliers; null: by 1",
    )
    normalise_actions: bool = setting(False, Flag(), "whether the critic reads actions scaled to (-1, 1)")
    actor_bias: bool = setting(
        True,
        Flag(),
        "whether the layers of the policy's mean have biases; without them it is the centre of the action box where "
        "the observation is 0, so that a goal there is a state of rest; best with tanh, since relu then bends there",
    )


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings(Settings):
    """How learning rates fall."""

    decay_type: str = setting("linear", Choice(DECAY_TYPES), "linear, exponential or constant", "lr_decay_type")
    decay_ref: str = setting(
        "epoch",
        Choice(("epoch", "step")),
        "whether learning rates change with each epoch or with each round of updates (step)",
        "lr_decay_ref",
    )
    lr_a_final: float = setting(1e-10, RATE, "learning rate of the actor at the end")
    lr_c_final: float = setting(1e-10, RATE, "learning rate of the critics at the end")
    lr_alpha_final: float = setting(1e-10, RATE, "learning rate of alpha at the end")
    lr_labda_final: float = setting(1e-10, RATE, "learning rate of labda at the end, where there is one")
    lr_a_decay_type: str | None = setting(None, _OWN_DECAY, "decay type of the actor's rate; null: that of all")
    lr_c_decay_type: str | None = setting(None, _OWN_DECAY, "decay type of the critics' rate; null: that of all")
    lr_alpha_decay_type: str | None = setting(None, _OWN_DECAY, "decay type of alpha's rate; null: that of all")
    lr_labda_decay_type: str | None = setting(None, _OWN_DECAY, "decay type of labda's rate; null: that of all")


@dataclass(frozen=True, kw_only=True)
class DeviceSettings(Settings):
    """Where and how to compute."""

    name: str = setting("cpu", None, "cpu, gpu, gpu:N, cuda, cuda:N or auto (a GPU if there is one)", "device")
    engine: str = setting(
        "auto",
        ENGINE,
        "what executes the updates: torch; compiled, which is fastest and knows the networks of this package on a CPU; "
        "or auto, which is compiled wherever possible",
    )
    threads: int = setting(
        1, THREADS, "CPU threads of this process; 1 is fastest for these networks, use processes for seeds"
    )


@dataclass(frozen=True, kw_only=True)
class LoopSettings(Settings):
    """The training loop."""

    epochs: int = setting(100, COUNT, "number of epochs; each ends with a test and a line of metrics")
    steps_per_epoch: int = setting(2048, COUNT, "environment steps per epoch")
    start_steps: int = setting(0, FROM_ZERO, "environment steps with uniformly random actions at the start")
    update_every: int = setting(100, COUNT, "environment steps between rounds of updates")
    update_after: int = setting(1000, FROM_ZERO, "environment steps before the first round")
    steps_per_update: int = setting(100, COUNT, "updates (gradient steps) per round")
    batch_size: int = setting(256, COUNT, "transitions per update")
    replay_size: int = setting(1_000_000, COUNT, "transitions that the replay buffer holds")
    num_test_episodes: int = setting(
        10, FROM_ZERO, "episodes of the deterministic policy after each epoch, from fixed resets"
    )
    final_test_episodes: int = setting(
        100,
        COUNT,
        "episodes at the end, of the final and the best policy, and of four times the length; none without tests in "
        "training",
    )
    max_ep_len: int | None = setting(
        None, OPTIONAL_COUNT, "longest episode in steps, at most the environment's own limit; null: that limit"
    )
    stop_below: float | None = setting(
        None, OPTIONAL_NUMBER, "end after an epoch whose test has a mean cost below this and no early terminations"
    )
    patience: int | None = setting(
        None,
        OPTIONAL_COUNT,
        "end after so many epochs without a better test: fewer early terminations, then more settled, then lower cost",
    )
    save_freq: int = setting(1, COUNT, "epochs between saved policies")
    start_policy: str | None = setting(
        None, Text(is_path=True, optional=True), "run folder or policy file to start from"
    )
    export: bool = setting(False, Flag(), "export the final policy at the end, as one C file that needs no Python")

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def first_round(self) -> int:
        """Environment steps before the first round of updates."""
        return self.update_after or self.update_every

    def is_update_round(self, env_steps: int) -> bool:
        """Whether a round of ``steps_per_update`` updates follows that many environment steps."""
        since = env_steps - self.first_round
        return since >= 0 and since % self.update_every == 0

    def updates_until(self, env_steps: int) -> int:
        """Updates up to that many environment steps."""
        rounds = max(0, (env_steps - self.first_round) // self.update_every + 1)
        return rounds * self.steps_per_update

    @property
    def total_updates(self) -> int:
        """Updates of the whole run."""
        return self.updates_until(self.total_steps)


@dataclass(frozen=True, kw_only=True)
class KeepSettings(Settings):
    """What a run keeps on its way: the checkpoints from which it continues exactly, and policies of epochs."""

    keep_checkpoints: int = setting(
        2, Number(low=0, limit=10_000, whole=True), "checkpoints that are kept; 0 writes none, and the run cannot go on"
    )
    checkpoint_seconds: float = setting(
        60.0, Number(low=0), "seconds between checkpoints, or more where they would take a twentieth of the time"
    )
    keep_policies: int = setting(
        0,
        Number(low=0, limit=1_000_000, whole=True),
        "policies that are kept beside the final and the best one, of epochs spread evenly over the run: with N of E "
        "epochs those of E/N, 2 E/N, ..., E, rounded up, all of them if N is above E; 0 keeps none",
    )


KEEP_KEYS = tuple(f"train.{field.name}" for field in fields(KeepSettings))
"""Their keys in a config, which change no result."""
