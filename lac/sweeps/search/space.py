"""What is searched for."""

import math
from dataclasses import dataclass

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Parameter:
    """A value that is searched for: a choice, or a range with both ends.

    Attributes:
        key: The key as on the command line, with Hydra's prefix.
        low: Least value; a range of whole numbers has whole ends.
        high: Greatest value.
        step: Distance of values, None where they are continuous.
        log: Whether the logarithm is what is searched evenly.
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
        """The same for Optuna."""
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

    def suggest(self, trial: Trial) -> Value:
        """Its value in a trial."""
        if self.choices:
            value: Value = trial.suggest_categorical(self.name, [value for value, _ in self.choices])
            return value
        if isinstance(self.low, int):
            return trial.suggest_int(self.name, self.low, int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def override(self, value: Value, short: bool = False) -> str:
        """A value as on the command line."""
        texts = [text for choice, text in self.choices if choice == value and type(choice) is type(value)]
        shown = f"{value:.4g}" if short and isinstance(value, float) else repr(value)
        return f"{self.key}={texts[0] if texts else shown}"

    def __str__(self) -> str:
        if self.choices:
            return f"{self.key}=choice({','.join(text for _, text in self.choices)})"
        step = "" if self.step is None else f" step {self.step:g}"
        return f"{self.key}={'log ' if self.log else ''}{self.low:g} to {self.high:g}{step}"
