"""The settings of each command: its config, group by group."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

from lac.settings.algorithms import ALGORITHMS, Algorithm
from lac.settings.controllers import ControllerSettings
from lac.settings.disturbances import Disturbance, kind_leaves
from lac.settings.exporting import C_TYPE, DEFAULT_FORMAT, POLICY
from lac.settings.fields import REQUIRED, Leaf, Settings, group, leaves, setting
from lac.settings.logging import CopySettings
from lac.settings.policies import PolicyName
from lac.settings.rules import COUNT, FROM_ZERO, OPTIONAL_COUNT, SEED, THREADS, Choice, Flag, Number, Text
from lac.settings.training import (
    DeviceSettings,
    EnvChoice,
    EnvSettings,
    KeepSettings,
    LoopSettings,
    NetworkSettings,
    ScheduleSettings,
)

_PROJECT = "W&B project"
_ENTITY = "W&B user or team; null: your default"


@dataclass(frozen=True, kw_only=True)
class TrainGroup(LoopSettings, KeepSettings):
    """The group ``train``: the loop of one seed, what it keeps, and how many seeds."""

    seeds: int = setting(
        1,
        Number(low=1, limit=10_000, whole=True),
        "seeds trained one after another (seed, seed + 1, ...); the result is their mean",
    )


@dataclass(frozen=True, kw_only=True)
class WandbGroup(Settings):
    """The group ``wandb``: Weights & Biases."""

    mode: str = setting(
        "auto",
        Choice(("auto", "online", "offline", "disabled")),
        "auto (WANDB_DISABLED or WANDB_MODE, else online where an API key is configured, else offline), online, "
        "offline or disabled",
    )
    project: str = setting("lac", None, _PROJECT)
    entity: str | None = setting(None, None, _ENTITY)
    group: str | None = setting(
        None, None, "group of runs; null: WANDB_RUN_GROUP; else, in a sweep, the name of its folder"
    )
    name: str | None = setting(
        None,
        None,
        "name of the run, in a sweep followed by what differs; null: WANDB_NAME, else from the choices and the seed",
    )
    tags: list[str] = setting([], None, "tags, beside environment, algorithm and those in WANDB_TAGS")


@dataclass(frozen=True, kw_only=True)
class TrainCommand(Settings):
    """Everything that the command ``train`` takes."""

    algo: Algorithm = group(Algorithm)
    env: EnvSettings = group(EnvSettings)
    network: NetworkSettings = group(NetworkSettings)
    lr_schedule: ScheduleSettings = group(ScheduleSettings)
    device: DeviceSettings = group(DeviceSettings)
    disturbance: Disturbance = group(Disturbance)
    train: TrainGroup = group(TrainGroup)
    loggers: CopySettings = group(CopySettings)
    wandb: WandbGroup = group(WandbGroup)
    seed: int | None = setting(None, SEED, "seed of everything; null: one is drawn and recorded")
    resume: str | None = setting(
        None,
        Text(is_path=True, optional=True),
        "folder of a run that goes on from its newest checkpoint, or auto: the last one interrupted in outputs/",
    )
    dry_run: bool = setting(False, Flag(), "in a sweep (-m): list the jobs and their cost without running them")
    fail_fast: bool = setting(False, Flag(), "in a sweep: stop at the first job that fails")


@dataclass(frozen=True, kw_only=True)
class EvaluateCommand(Settings):
    """Everything that the command ``evaluate`` takes."""

    run_dir: Any = setting(REQUIRED, None, "folder of a run or of a sweep, or a list: [outputs/a,outputs/b]")
    controller: ControllerSettings = group(ControllerSettings)
    env: EnvChoice = group(EnvChoice)
    policy: str = setting(
        "final",
        PolicyName(with_all=True),
        "final, best, epoch-N (see train.keep_policies), or all: every policy of the run on the same resets",
    )
    episodes: int = setting(100, COUNT, "number of episodes")
    steps: int | None = setting(
        None, OPTIONAL_COUNT, "length of an episode, also beyond its time limit; null: the length of the training"
    )
    first_seed: int | None = setting(None, SEED, "seed of the first reset; null: the resets of the tests in training")
    video: bool = setting(False, Flag(), "whether the first episode is drawn as video.gif")
    disturbance: Disturbance = group(Disturbance)


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings(Settings):
    """The group ``protocol``: grids of disturbances for each environment that it is meant for."""

    name: str = setting("none", None, "name of the protocol; choose it with protocol=OPTION")
    environments: dict[str, Any] = setting(
        {}, None, "its grids by the id of the environment, each a disturbance and the values of one or two of its keys"
    )


@dataclass(frozen=True, kw_only=True)
class RobustnessCommand(Settings):
    """Everything that the command ``robustness`` takes."""

    run_dir: Any = setting(REQUIRED, None, "folder of a run or of a sweep, or a list: [outputs/a,outputs/b]")
    controller: ControllerSettings = group(ControllerSettings)
    env: EnvChoice = group(EnvChoice)
    policy: str = setting("final", POLICY, "final, best or epoch-N")
    protocol: ProtocolSettings = group(ProtocolSettings)
    disturbance: Disturbance = group(Disturbance)
    vary: dict[str, Any] = setting(
        {},
        None,
        "the values of one or two keys of the disturbance: vary.magnitude=[50,100], vary.values.length=0.1:2:20 (from "
        "0.1 to 2, 20 values)",
    )
    episodes: int = setting(100, COUNT, "number of episodes in each variant")
    steps: int | None = setting(
        None, OPTIONAL_COUNT, "length of an episode, also beyond its time limit; null: the length of the training"
    )
    first_seed: int | None = setting(None, SEED, "seed of the first reset; null: the resets of the tests in training")
    workers: int | None = setting(
        None,
        Number(low=1, limit=1024, whole=True, optional=True),
        "processes, of one thread each; null: one for each core, if there is work for them",
    )
    output: str | None = setting(
        None, Text(optional=True), "folder in which the folder of the results is made; null: that of the runs"
    )


@dataclass(frozen=True, kw_only=True)
class BenchmarkCommand(Settings):
    """Everything that the command ``benchmark`` takes."""

    width: int | None = setting(
        None,
        Number(low=1, limit=16_384, whole=True, optional=True),
        "width of the two hidden layers of actor and critic; null: 64 with batches of 128, and 256 with 256",
    )
    batch_size: int | None = setting(
        None,
        Number(low=1, limit=1_000_000, whole=True, optional=True),
        "transitions per update; null: as above, 256 for other widths",
    )
    rounds: int = setting(15, COUNT, "rounds of the interleaved run; each times everything once")
    round_seconds: float = setting(0.1, Number(low=0), "seconds spent on each thing in a round")
    main_jobs: int = setting(3, FROM_ZERO, "runs of the main job, env=oscillator algo.alpha3=0.1, between the rounds")
    peers: bool = setting(True, Flag(), "whether the packages of the extra [benchmark] that are installed are measured")
    threads: int = setting(1, THREADS, "CPU threads")
    output: str | None = setting(None, None, "new folder of the results; null: one below outputs/")


CONFIDENCE = Number(low=0.5, high=0.999999)
ACTION_ERROR = Number(low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class CertifyCommand(Settings):
    """Everything that the command ``certify`` takes."""

    run_dir: Any = setting(REQUIRED, None, "folder of a run or of a sweep, or a list: [outputs/a,outputs/b]")
    controller: ControllerSettings = group(ControllerSettings)
    env: EnvChoice = group(EnvChoice)
    policy: str = setting("final", POLICY, "final, best or epoch-N")
    seed: int = setting(0, SEED, "seed of every sample")
    confidence: float = setting(0.99, CONFIDENCE, "confidence of each bound")
    proof: bool = setting(True, Flag(), "whether a proof is tried for systems with two states")
    action_error: float = setting(1e-4, ACTION_ERROR, "what a proof adds to each action, in half-widths of its box")
    pictures: bool = setting(True, Flag(), "whether pictures are drawn")
    check: bool = setting(False, Flag(), "verify the saved certificate anew instead")


@dataclass(frozen=True, kw_only=True)
class ExportCommand(Settings):
    """Everything that the command ``export`` takes."""

    run_dir: Any = setting(REQUIRED, None, "folder of a run or of a sweep, or a list: [outputs/a,outputs/b]")
    format: Any = setting(DEFAULT_FORMAT, None, "onnx, c or pt2, or a list: [onnx,c]")
    policy: str = setting("final", POLICY, "final, best or epoch-N")
    c_type: str = setting("double", C_TYPE, "number type of a C file, double or float")


@dataclass(frozen=True, kw_only=True)
class ReportCommand(Settings):
    """Everything that the command ``report`` takes."""

    runs: Any = setting(
        REQUIRED,
        None,
        "folder of runs or of a sweep, or runs.jsonl of a report, or a list: [outputs/a,saved/runs.jsonl]",
    )
    output: str | None = setting(None, None, "folder of the report; null: the first of the runs' folders")
    yardsticks: bool = setting(
        True, Flag(), "whether the controller that is designed for an environment is tested beside the runs"
    )


@dataclass(frozen=True, kw_only=True)
class WandbSweepCommand(Settings):
    """Everything that the command ``wandb_sweep`` takes beside the settings of ``train``."""

    output: str = setting("sweep.yaml", None, "file that is written")
    method: str | None = setting(
        None,
        Choice(("grid", "random", "bayes"), optional=True),
        "grid, random or bayes; null: random where there is an interval, grid otherwise",
    )
    metric: str = setting("test/cost_mean", None, "logged metric that is minimised")
    name: str | None = setting(None, None, "name of the sweep")
    overrides: list[str] = setting([], None, "the words for train; given without this key, they are put here")


@dataclass(frozen=True, kw_only=True)
class DashboardCommand(Settings):
    """Everything that the command ``dashboard`` takes."""

    env: EnvSettings = group(EnvSettings)
    group_by: str = setting("algo.name", None, "config key whose values are compared")
    project: str = setting("lac", None, _PROJECT)
    entity: str | None = setting(None, None, _ENTITY)
    mode: str = setting(
        "auto",
        Choice(("auto", "online", "offline")),
        "auto (published where an API key is configured), online or offline (only written)",
    )
    output: str = setting("outputs/dashboard.json", None, "file that the workspace is written to")


COMMANDS: dict[str, type[Settings]] = {
    "train": TrainCommand,
    "evaluate": EvaluateCommand,
    "export": ExportCommand,
    "robustness": RobustnessCommand,
    "certify": CertifyCommand,
    "report": ReportCommand,
    "benchmark": BenchmarkCommand,
    "wandb_sweep": WandbSweepCommand,
    "dashboard": DashboardCommand,
}
"""The settings of each command."""


def config_keys(command: str, algorithm: str | None = None) -> dict[str, Leaf]:
    """The keys of a command's config; ``train`` has those of one algorithm, or of all."""
    keys = dict(leaves(COMMANDS[command])) | dict(_disturbance_leaves(COMMANDS[command]))
    if command != "train":
        return keys
    algorithms = ALGORITHMS.values() if algorithm is None else [ALGORITHMS[algorithm]]
    return {name: leaf for settings in algorithms for name, leaf in leaves(settings, "algo.")} | keys


def owners(name: str) -> list[str]:
    """The algorithms that have a key ``algo.*``."""
    return [algorithm for algorithm, settings in ALGORITHMS.items() if name in dict(leaves(settings, "algo."))]


def _disturbance_leaves(command: type) -> Iterator[tuple[str, Leaf]]:
    """The keys of all kinds of disturbances, where the command has one."""
    if get_type_hints(command).get("disturbance") is Disturbance:
        yield from kind_leaves("disturbance.")
