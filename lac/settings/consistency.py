"""Settings against each other: what cannot be meant, and what has no effect.

The command line and the Python API ask here. Values are given by their key on the command line, whatever the user calls
them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lac.settings.commands import config_keys
from lac.settings.rules import SEED
from lac.settings.training import ABSORBING

_RATES = ("lr_a", "lr_c", "lr_alpha", "lr_labda")
_LABELS = ("wandb.project", "wandb.entity", "wandb.group", "wandb.name", "wandb.tags")


@dataclass(frozen=True)
class Given:
    """The settings of a training, as far as they are known.

    Attributes:
        values: Values by key; those that break their own rule are passed over.
        name: The name that the user knows for a key.
    """

    values: Mapping[str, Any]
    name: Callable[[str], str] = field(default=str)

    def __post_init__(self) -> None:
        leaves = config_keys("train")
        rules = {key: leaf.rule for key, leaf in leaves.items()}
        kept = {key: value for key, value in self.values.items() if key in rules}
        sound = {key: value for key, value in kept.items() if rules[key] is None or rules[key].accepts(value)}  # type: ignore[union-attr]
        object.__setattr__(self, "values", sound)

    @classmethod
    def as_arguments(cls, arguments: Mapping[str, Any], algorithm: str | None = None) -> "Given":
        """Settings that are given as arguments of the Python API.

        Args:
            arguments: By name.
            algorithm: Its name; None where it is not known, or not with the actor-critic that belongs to it.
        """
        names = {key: leaf.argument for key, leaf in config_keys("train").items() if leaf.argument in arguments}
        values = {key: arguments[argument] for key, argument in names.items()}
        return cls(values | ({"algo.name": algorithm} if algorithm else {}), lambda key: names.get(key, key))

    def has(self, *keys: str) -> bool:
        """Whether all of these have values."""
        return all(key in self.values for key in keys)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def word(self, key: str) -> str:
        """A key with its value, as ``algo.labda=0.1``."""
        return f"{self.name(key)}={self.values[key]}"

    @property
    def total_steps(self) -> int | None:
        """Environment steps of a run, if they are known."""
        if not self.has("train.epochs", "train.steps_per_epoch"):
            return None
        return int(self["train.epochs"] * self["train.steps_per_epoch"])

    def decay_type(self, rate: str) -> str | None:
        """How a learning rate falls, if that is known."""
        own = self.values.get(f"lr_schedule.{rate}_decay_type")
        return own or self.values.get("lr_schedule.decay_type")

    @property
    def rates(self) -> list[str]:
        """The learning rates that the algorithm has."""
        return [rate for rate in _RATES if self.has(f"algo.{rate}")]


def contradictions(given: Given) -> list[str]:
    """A sentence for each setting that cannot be meant beside the others."""
    checks = (_floor, _decay_to_zero, _batch, _seeds, _environments, _absorbing, _early_stop)
    return [sentence for check in checks for sentence in check(given)]


def _floor(given: Given) -> Iterator[str]:
    if given.has("algo.labda", "algo.labda_min") and given["algo.labda_min"] > given["algo.labda"]:
        yield (
            f"{given.name('algo.labda_min')} is {given['algo.labda_min']}, above the initial "
            f"{given.word('algo.labda')}; lower the one or raise the other"
        )


def _decay_to_zero(given: Given) -> Iterator[str]:
    for rate in given.rates:
        final = f"lr_schedule.{rate}_final"
        is_trained = given[f"algo.{rate}"] > 0
        if is_trained and given.has(final) and given[final] == 0 and given.decay_type(rate) == "exponential":
            yield (
                f"{given.name(final)} is {given[final]}, which an exponential decay cannot reach; give a number above "
                f"0, or {given.name(f'lr_schedule.{rate}_decay_type')}=linear"
            )


def _batch(given: Given) -> Iterator[str]:
    batch, size = "train.batch_size", "train.replay_size"
    if given.has(batch, size) and given[batch] > given[size]:
        yield (
            f"{given.name(batch)} is {given[batch]}, more than the replay buffer holds with {given.word(size)}; "
            "lower the one or raise the other"
        )


def _seeds(given: Given) -> Iterator[str]:
    if not given.has("seed", "train.seeds") or given["seed"] is None:
        return
    last = given["seed"] + given["train.seeds"] - 1
    if last > SEED.high:
        yield (
            f"{given.name('train.seeds')} is {given['train.seeds']}, but from {given.word('seed')} on the last is "
            f"{last}, and the largest seed is {int(SEED.high)}; lower one of them"
        )


def _environments(given: Given) -> Iterator[str]:
    steps = given.total_steps
    if steps is not None and given.has("env.num_envs") and given["env.num_envs"] > steps:
        yield (
            f"{given.name('env.num_envs')} is {given['env.num_envs']}, but the run has {steps} steps in all; "
            "give at most one environment for each"
        )


def _absorbing(given: Given) -> Iterator[str]:
    is_absorbing = given.values.get("env.termination_cost") == ABSORBING
    if is_absorbing and given.values.get("algo.gamma") == 1 and not given.values.get("algo.horizon_length"):
        yield (
            f"{given.name('env.termination_cost')} is {ABSORBING}, which is infinite with {given.word('algo.gamma')}; "
            "give a number or a smaller discount"
        )


def _early_stop(given: Given) -> Iterator[str]:
    for key in ("train.stop_below", "train.patience"):
        if given.values.get(key) is not None and given.values.get("train.num_test_episodes") == 0:
            yield (
                f"{given.name(key)} is {given[key]}, but nothing is tested with "
                f"{given.word('train.num_test_episodes')}; give episodes, or leave {given.name(key)} out"
            )


def unused(given: Given) -> list[str]:
    """A phrase for each setting that has no effect beside the others, with the reason; defaults are left out."""
    defaults = {key: leaf.default for key, leaf in config_keys("train").items()}
    reasons = {
        key: reason for check in (_of_algorithm, _of_rates, _of_length, _of_others) for key, reason in check(given)
    }
    return [
        f"{given.word(key)} ({reason})"
        for key, reason in reasons.items()
        if given.has(key) and given[key] != defaults[key]
    ]


Unused = Iterator[tuple[str, str]]
"""Keys, each with the reason why it has no effect."""


def _of_algorithm(given: Given) -> Unused:
    if given.values.get("algo.horizon_length"):
        reason = f"the horizon is finite: {given.word('algo.horizon_length')}"
        for key in ("algo.gamma", "algo.polyak", "algo.time_limit_is_terminal"):
            yield key, reason
        if given.values.get("env.termination_cost") == ABSORBING:
            yield "env.termination_cost", f"{reason}, and its sums always go on with the last cost"
    if given.values.get("algo.adaptive_temperature") is False:
        reason = f"alpha is constant: {given.word('algo.adaptive_temperature')}"
        for key in ("algo.target_entropy", "algo.lr_alpha", *_schedule_of("lr_alpha")):
            yield key, reason
    elif given.values.get("algo.lr_alpha") == 0:
        yield "algo.target_entropy", f"alpha is constant: {given.word('algo.lr_alpha')}"
    if given.values.get("algo.lr_labda") == 0:
        yield "algo.alpha3", f"labda is constant: {given.word('algo.lr_labda')}"
    if given.values.get("algo.name") == "lac":
        yield "algo.twin_drift", "lac has one critic"
    if given.values.get("algo.opt_type") == "minimize":
        yield "env.reward_max", f"the environment gives costs: {given.word('algo.opt_type')}"


def _of_rates(given: Given) -> Unused:
    for rate in _RATES:
        if rate not in given.rates:
            reason = f"this algorithm has no {rate}"
        elif given[f"algo.{rate}"] == 0:
            reason = f"it stays 0: {given.word(f'algo.{rate}')}"
        else:
            if given.decay_type(rate) == "constant":
                yield f"lr_schedule.{rate}_final", f"{given.name(f'algo.{rate}')} is constant"
            continue
        for key in _schedule_of(rate):
            yield key, reason
    if all(given.values.get(f"lr_schedule.{rate}_decay_type") for rate in given.rates):
        yield "lr_schedule.decay_type", "every learning rate has its own"
    if all(given.decay_type(rate) == "constant" for rate in given.rates):
        yield "lr_schedule.decay_ref", "the learning rates are constant"


def _schedule_of(rate: str) -> tuple[str, str]:
    return f"lr_schedule.{rate}_final", f"lr_schedule.{rate}_decay_type"


def _of_length(given: Given) -> Unused:
    steps, epochs = given.total_steps, given.values.get("train.epochs")
    if steps is None:
        return
    if given.values.get("train.replay_size", 0) > steps:
        yield "train.replay_size", f"the run has {steps} steps, and the buffer is no larger"
    if given.values.get("train.batch_size", 0) > steps:
        yield "train.batch_size", f"the run has {steps} steps, so that a batch repeats some of them"
    if given.values.get("train.start_steps", 0) > steps:
        yield "train.start_steps", f"the run has {steps} steps, which are all random"
    if given.values.get("train.save_freq", 0) > epochs:
        yield "train.save_freq", f"the run ends after epoch {epochs}, where it saves its policy"
    if epochs is not None and (given.values.get("train.patience") or 0) >= epochs - 1:
        yield "train.patience", f"the run has {epochs} epochs"
    if epochs == 1 and given.values.get("lr_schedule.decay_ref") == "epoch":
        reason = "learning rates change after an epoch, and the run has one"
        for key in given.values:
            if key.startswith("lr_schedule."):
                yield key, reason


def _of_others(given: Given) -> Unused:
    sizes = given.values.get("network.hidden_sizes.actor")
    if sizes is not None and len(sizes) == 1:
        yield "network.activation.actor", "the actor has one layer, which output_activation follows"
    if given.values.get("wandb.mode") == "disabled":
        for key in _LABELS:
            yield key, given.word("wandb.mode")
