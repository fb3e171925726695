"""The parameters of a search, from overrides such as ``algo.alpha3=interval(0.05,0.5)``."""

import math
from dataclasses import dataclass
from decimal import Decimal

from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep, Sweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from lac.settings.commands import config_keys

Value = bool | int | float | str | None

_WHOLE_NUMBERS = {name: leaf.type is int for name, leaf in config_keys("train").items()}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a search: a choice, or a range that includes both ends.

    Attributes:
        key: The key as on the command line, with Hydra's prefix.
        low: Least value; a range of whole numbers has whole ends.
        high: Greatest value.
        step: Distance between values; None if they are continuous.
        log: Whether values are distributed uniformly on a logarithmic scale.
        choices: The options, with the text of each on the command line; empty for ranges.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    choices: tuple[tuple[Value, str], ...] = ()

    @property
    def name(self) -> str:
        """Its name in the study."""
        return self.key.lstrip("+~")

    @property
    def distribution(self) -> BaseDistribution:
        """The parameter as Optuna describes it."""
        if self.choices:
            return CategoricalDistribution([value for value, _ in self.choices])
        if isinstance(self.low, int):
            return IntDistribution(self.low, int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)

    @property
    def size(self) -> float:
        """Number of its values."""
        if self.choices:
            return len(self.choices)
        step = self.step or (1 if isinstance(self.low, int) else None)
        return math.inf if step is None else 1 + round((self.high - self.low) / step)

    @property
    def extremes(self) -> list[Value]:
        """The options, or the ends of the range; configs with these values are checked before the search."""
        return [value for value, _ in self.choices] or [self.low, self.high]

    def suggest(self, trial: Trial) -> Value:
        """Its value in a trial."""
        if self.choices:
            value: Value = trial.suggest_categorical(self.name, [value for value, _ in self.choices])
            return value
        if isinstance(self.low, int):
            return trial.suggest_int(self.name, self.low, int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def override(self, value: Value, short: bool = False) -> str:
        """A value as on the command line.

        Args:
            value: The value.
            short: Whether to round it to four digits, for names.
        """
        texts = [text for choice, text in self.choices if choice == value and type(choice) is type(value)]
        text = f"{value:.4g}" if short and isinstance(value, float) else repr(value)
        return f"{self.key}={texts[0] if texts else text}"

    def __str__(self) -> str:
        if self.choices:
            return f"{self.key}=choice({','.join(text for _, text in self.choices)})"
        step = "" if self.step is None else f" step {self.step:g}"
        return f"{self.key}={'log ' if self.log else ''}{self.low:g} to {self.high:g}{step}"


def parameter_of(override: Override) -> Parameter:
    """A swept override as a parameter.

    Raises:
        ValueError: It cannot be a parameter.
    """
    key, value, text = override.get_key_element(), override.value(), str(override.input_line)
    tags = value.tags if isinstance(value, Sweep) else set()
    if override.key_or_group in {"seed", "train.seeds"}:
        raise ValueError(
            f"{text}: a search must not choose the luckiest seed; train.seeds=3 averages over seeds inside each trial"
        )
    if tags - {"log"} or (tags and not isinstance(value, IntervalSweep)):
        raise ValueError(f"{text}: the only tag is log, and it belongs to an interval: tag(log,interval(1e-4,1e-2))")
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if low is None or high is None or not low < high or (tags and low <= 0):
            raise ValueError(f"{text}: an interval needs a low and a greater high end, both above 0 with log")
        if isinstance(low, float) and _WHOLE_NUMBERS.get(override.key_or_group):
            raise ValueError(f"{text}: {key} is a whole number; write int(interval({low:g},{high:g}))")
        return Parameter(key, low, high, log=bool(tags))
    if getattr(value, "shuffle", False):
        raise ValueError(f"{text}: shuffle has no effect in a search; leave it out")
    if isinstance(value, RangeSweep):
        values = sorted(override.sweep_iterator())  # type: ignore[type-var]
        if values:
            # In decimal arithmetic, since 0.9 + 0.05 is not 0.95 in binary floating point.
            first, step = Decimal(str(values[0])), abs(Decimal(str(value.step)))
            kind = int if isinstance(values[0], int) else float
            return Parameter(key, kind(first), kind(first + (len(values) - 1) * step), step=kind(step))
    elif override.is_choice_sweep():
        raw, texts = list(override.sweep_iterator()), list(override.sweep_string_iterator())
        if len(set(texts)) == len(texts) > 0:
            return Parameter(key, choices=tuple(zip(map(_choice, raw, texts), texts, strict=True)))
    raise ValueError(f"{text}: it must have values, each once, as choice(a,b), range(1,5) or interval(0.1,0.5)")


def _choice(raw: object, text: str) -> Value:
    """An option as Optuna stores it; lists and dictionaries are stored as text."""
    if isinstance(raw, QuotedString):
        return raw.text
    return raw if raw is None or isinstance(raw, (bool, int, float, str)) else text
