"""The types of every config key and what they mean.

The YAML files under ``conf/`` hold the values, these dataclasses the types; a test holds both together.
"""

from dataclasses import dataclass, field
from typing import Any

from lac.config.disturbances import Disturbance
from lac.settings.fields import key

ACTIVATION_NAMES = ("relu", "tanh", "elu", "gelu", "silu", "softplus", "identity")
WANDB_MODES = ("auto", "online", "offline", "disabled")


@dataclass
class Algo:
    """What every algorithm has, and all that SAC has; keys are the argument names of the Python API."""

    name: str = key("algorithm")
    opt_type: str = key("minimize: the environment gives costs; maximize: rewards, with a bound env.reward_max")
    alpha: float = key("initial entropy temperature")
    gamma: float = key("discount factor of the infinite horizon")
    polyak: float = key("weight of the old target networks in their average")
    target_entropy: float | None = key("entropy that alpha is adapted to; null: -dim(actions)")
    adaptive_temperature: bool = key("whether alpha is adapted")
    lr_a: float = key("initial learning rate of the actor")
    lr_c: float = key("initial learning rate of the critic")
    lr_alpha: float = key("initial learning rate of alpha")
    time_limit_is_terminal: bool = key("store the end of an episode by its time limit as a terminal state")


@dataclass
class LyapunovAlgo(Algo):
    """What LAC and LATC have beyond that."""

    alpha3: float = key("demanded decrease of the Lyapunov function, as a share of the cost")
    labda: float = key("initial Lyapunov multiplier, 0 to 1")
    lr_labda: float = key("initial learning rate of labda")
    horizon_length: int = key("steps of the finite horizon; 0: infinite, discounted")
    critic_loss: str = key("squared, or relative: each square divided by 1 + target")
    anti_windup: bool = key("keep log(labda) at or below 0, so that labda comes back at once")
    labda_min: float = key("floor of labda; 0: none")
    twin_drift: str = key("L(s, a) of twin critics in the drift: symmetric (the larger) or asymmetric (the first)")
    drift_weights: str = key("critic in the drift: mixed (L(s, a) before its step, L(s', a') after), before or after")


@dataclass
class Env:
    """The environment."""

    name: str = key("short name, used in folder names")
    id: str = key("Gymnasium id; with env=gym any registered environment with continuous actions")
    max_episode_steps: int | None = key("time limit in steps; null: the environment's own")
    reward_max: float | None = key("upper bound of the reward per step, for algo.opt_type=maximize")
    kwargs: dict[str, Any] = key("arguments of the environment's constructor")
    num_envs: int = key("how many of them training steps side by side; steps are counted over all of them")


@dataclass
class HiddenSizes:
    """Layer widths."""

    actor: list[int] = key("widths of the actor's layers")
    critic: list[int] = key("widths of the critic's layers; the last is the number of squared features")


@dataclass
class Activation:
    """Activations by name."""

    actor: str = key("activation between the actor's layers")
    critic: str = key("activation after the critic's layers")


@dataclass
class OutputActivation:
    """Activation of the last hidden layer."""

    actor: str = key("activation after the actor's last hidden layer")


@dataclass
class Network:
    """Architecture of actor and critic."""

    hidden_sizes: HiddenSizes = field(default_factory=HiddenSizes)
    activation: Activation = field(default_factory=Activation)
    output_activation: OutputActivation = field(default_factory=OutputActivation)
    observation_scale: Any = key("observations are divided by this number, or by one number each; null: as they are")
    normalise_actions: bool = key("whether the critic reads actions scaled to (-1, 1)")


@dataclass
class LrSchedule:
    """How learning rates fall; keys are those of the Python API without the leading lr_ where shared."""

    decay_type: str = key("linear, exponential or constant")
    decay_ref: str = key("whether rates change with each epoch or with each round of updates (step)")
    lr_a_final: float = key("learning rate of the actor at the end")
    lr_c_final: float = key("learning rate of the critic at the end")
    lr_alpha_final: float = key("learning rate of alpha at the end")
    lr_labda_final: float = key("learning rate of labda at the end, where there is one")
    lr_a_decay_type: str | None = key("decay type of the actor's rate alone; null: decay_type")
    lr_c_decay_type: str | None = key("decay type of the critic's rate alone")
    lr_alpha_decay_type: str | None = key("decay type of alpha's rate alone")
    lr_labda_decay_type: str | None = key("decay type of labda's rate alone")


@dataclass
class Device:
    """Where and how to compute."""

    name: str = key("cpu, gpu, gpu:N, cuda, cuda:N or auto (a GPU if there is one)")
    threads: int = key("CPU threads of this process; 1 is fastest for these networks, use processes for seeds")


@dataclass
class Train:
    """The training loop."""

    seeds: int = key("seeds trained one after another (seed, seed + 1, ...); the result is their mean")
    epochs: int = key("number of epochs; each ends with a test and a line of metrics")
    steps_per_epoch: int = key("environment steps per epoch")
    start_steps: int = key("environment steps with random actions at the start")
    update_every: int = key("environment steps between rounds of updates")
    update_after: int = key("environment steps before the first round")
    steps_per_update: int = key("gradient steps per round")
    batch_size: int = key("transitions per gradient step")
    replay_size: int = key("transitions that are remembered")
    num_test_episodes: int = key("deterministic test episodes after each epoch, from fixed resets")
    max_ep_len: int | None = key("longest episode in steps, below the environment's own limit")
    save_freq: int = key("epochs between saved policies")
    start_policy: str | None = key("run folder or policy file to start from")
    export: bool = key("write a deployable policy at the end (not available yet)")


@dataclass
class Wandb:
    """Weights & Biases."""

    mode: str = key("auto (online where an API key is configured, else offline), online, offline or disabled")
    project: str = key("project")
    entity: str | None = key("user or team; null: your default")
    group: str | None = key("group of runs")
    name: str | None = key("name of the run; null: from environment, algorithm and seed")
    tags: list[str] = key("tags")


@dataclass
class TrainConfig:
    """Everything that scripts/train.py takes."""

    algo: Algo = field(default_factory=Algo)
    env: Env = field(default_factory=Env)
    network: Network = field(default_factory=Network)
    lr_schedule: LrSchedule = field(default_factory=LrSchedule)
    device: Device = field(default_factory=Device)
    disturbance: Disturbance = field(default_factory=Disturbance)
    train: Train = field(default_factory=Train)
    wandb: Wandb = field(default_factory=Wandb)
    seed: int | None = key("seed of everything; null: one is drawn and recorded")
    dry_run: bool = key("in a sweep (-m): tell the jobs and what they cost, run none")
    fail_fast: bool = key("in a sweep: stop at the first job that fails")


@dataclass
class EvaluateConfig:
    """Everything that scripts/evaluate.py takes."""

    run_dir: Any = key("folder of a run or of a sweep, or a list of them: [outputs/a,outputs/b]")
    policy: str = key("final or best")
    episodes: int = key("number of episodes")
    first_seed: int | None = key("seed of the first reset; null: the resets of the tests during training")
    disturbance: Disturbance = field(default_factory=Disturbance)


@dataclass
class BenchmarkConfig:
    """Everything that scripts/benchmark.py takes."""

    width: int = key("width of the two hidden layers of actor and critic")
    batch_size: int = key("transitions per update")
    rounds: int = key("rounds of the interleaved run; each times everything once")
    round_seconds: float = key("seconds spent on each thing in a round")
    threads: int = key("CPU threads")


@dataclass
class ReportConfig:
    """Everything that scripts/report.py takes."""

    runs: Any = key("folder of runs or of a sweep, or a list of them: [outputs/multirun/a,outputs/b]")
    output: str | None = key("folder of the report; null: the first of the runs' folders")


@dataclass
class WandbSweepConfig:
    """Everything that scripts/wandb_sweep.py takes beside the keys of scripts/train.py."""

    output: str = key("file that is written")
    method: str | None = key("grid, random or bayes; null: random where there is an interval, grid otherwise")
    metric: str = key("logged metric that is minimised")
    name: str | None = key("name of the sweep")
    overrides: list[str] = key("the words for scripts/train.py; given without this key, they are put here")


@dataclass
class DashboardConfig:
    """Everything that scripts/dashboard.py takes."""

    env: Env = field(default_factory=Env)
    group_by: str = key("config key whose values are compared")
    project: str = key("project of the runs")
    entity: str | None = key("user or team; null: your default")
    mode: str = key("auto (published where an API key is configured), online or offline (only written)")
    output: str = key("file that the workspace is written to")
