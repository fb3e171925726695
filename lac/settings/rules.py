"""What a value may be: rules, and the sentences that name a value which breaks one."""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, TypeGuard

import numpy as np

_LONGEST = 200
"""Characters of a value that are shown in a message."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
LARGEST, SMALLEST = 3.4e38, 1.2e-38
"""Settings become float32, which holds nothing beyond these (rounded for messages) but infinity and 0."""
LARGEST_WHOLE = 2**53
"""Whole numbers are stored and shown as float64, which does not hold all of those beyond."""


class Rule(Protocol):
    """Accepts some values; its text completes the sentence "it must be ..."."""

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""


@dataclass(frozen=True)
class Number:
    """A finite number between ``low`` and ``high``, both included.

    ``limit`` is the largest number that can be used, though larger ones have a meaning.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    limit: float = LARGEST
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if value is None:
            return self.optional
        if not is_number(value) or (self.whole and not isinstance(value, (int, np.integer))):
            return False
        return (
            abs(value) <= min(self.limit, LARGEST_WHOLE if self.whole else LARGEST) and self.low <= value <= self.high
        )

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a finite number"
        if math.isfinite(self.low) and math.isfinite(self.high):
            kind += f" from {_plain(self.low)} to {_plain(self.high)}"
        elif math.isfinite(self.low):
            kind += f" of at least {self.low:g}"
        return kind + (" or null" if self.optional else "")


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        return (value is None and self.optional) or (isinstance(value, str) and value in self.options)

    def __str__(self) -> str:
        return "one of " + ", ".join(self.options) + (" or null" if self.optional else "")


@dataclass(frozen=True)
class OrWord:
    """What another rule accepts, or one word."""

    rule: Rule
    word: str

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        return value == self.word if isinstance(value, str) else self.rule.accepts(value)

    @property
    def options(self) -> tuple[str, ...]:
        """The words that are allowed."""
        return (self.word,)

    def __str__(self) -> str:
        return f"{self.word}, or {self.rule}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        return isinstance(value, (bool, np.bool_))

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text:
    """A text that is not empty; a path, if ``is_path``, may also be a ``pathlib.Path``."""

    is_path: bool = False
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if value is None:
            return self.optional
        text = os.fspath(value) if self.is_path and isinstance(value, os.PathLike) else value
        return isinstance(text, str) and bool(text) and "\0" not in text

    def __str__(self) -> str:
        return ("a path" if self.is_path else "a text") + (" or null" if self.optional else "")


@dataclass(frozen=True)
class Texts:
    """A list of texts, or null."""

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        return value is None or (isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value))

    def __str__(self) -> str:
        return "a list of texts, or null"


@dataclass(frozen=True)
class Numbers:
    """A finite number, or a list of them, of at least ``low`` and above ``above``."""

    low: float = -math.inf
    above: float = -math.inf
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if value is None:
            return self.optional
        value = plain(value)
        if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
            numbers = list(value)
            return bool(numbers) and all(self._is_one(number) for number in numbers)
        return self._is_one(value)

    def _is_one(self, value: object) -> bool:
        if not is_number(value) or abs(value) > LARGEST:
            return False
        return float(value) >= self.low and float(value) - self.above >= SMALLEST

    def __str__(self) -> str:
        bound = f" of at least {self.low:g}" if math.isfinite(self.low) else ""
        bound += f" above {self.above:g}" if math.isfinite(self.above) else ""
        return f"a finite number{bound} or a list of them" + (", or null" if self.optional else "")


@dataclass(frozen=True)
class Indices:
    """A list of different whole numbers from 0, or null."""

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if value is None:
            return True
        value = plain(value)
        if not isinstance(value, (list, tuple, range)) or not value or len(set(map(str, value))) < len(value):
            return False
        return all(FROM_ZERO.accepts(index) for index in value)

    def __str__(self) -> str:
        return "a list of different whole numbers from 0, as [0,2], or null"


@dataclass(frozen=True)
class Widths:
    """The widths of the layers of a network."""

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        value = plain(value)
        return isinstance(value, (list, tuple)) and bool(value) and all(COUNT.accepts(width) for width in value)

    def __str__(self) -> str:
        return "a list of at least one whole number above 0, as [64,64]"


RATE = Number(low=0)
COUNT = Number(low=1, whole=True)
FROM_ZERO = Number(low=0, whole=True)
OPTIONAL_COUNT = Number(low=1, whole=True, optional=True)
OPTIONAL_NUMBER = Number(optional=True)
THREADS = Number(low=1, limit=1024, whole=True)
SEED = Number(low=0, high=2**31 - 1, whole=True, optional=True)  # simulators often keep it in a C int


class ArgumentError(ValueError):
    """One argument of the Python API that cannot be used, with the reason apart from its name.

    The command line has other names for the same settings: it puts the key in the place of the argument.

    Args:
        argument: Name of the argument.
        reason: The rest of the sentence, such as ``is 0; it must be ...``.
    """

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"{argument} {reason}")
        self.argument, self.reason = argument, reason


def value_error(name: str, value: object, rule: Rule | None) -> str | None:
    """A sentence about a value that breaks its rule; None if it does not, or if there is no rule."""
    if rule is None or rule.accepts(value):
        return None
    options: tuple[str, ...] = getattr(rule, "options", ())
    hint = nearest(value, options) if isinstance(value, str) and options else size_hint(value, rule)
    return f"{name} is {shown(value)}; it must be {rule}" + (f".{hint}" if hint else "")


def raise_if_wrong(**arguments: tuple[object, Rule]) -> None:
    """Raise one ValueError that names all arguments, given with their rules, whose values are not allowed."""
    raise_if_any(filter(None, (value_error(name, value, rule) for name, (value, rule) in arguments.items())))


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite real number of Python or numpy; truth values are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that is too large for a float
        return False


def plain(value: Any) -> Any:
    """A value with the numbers and arrays of numpy as Python's own numbers and lists, and paths as text."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def with_whole_numbers(value: Any) -> Any:
    """A value with whole numbers as such, also in lists and mappings, so that 1 and 1.0 are the same."""
    if isinstance(value, Mapping):
        return {name: with_whole_numbers(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_whole_numbers(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def shown(value: object) -> str:
    """A value in a message: on one line and not too long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # objects of users, and whole numbers of thousands of digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def size_hint(value: object, rule: Rule) -> str:
    """What to say of a finite number that is too large or too small for its setting; empty for others."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value in (math.inf, -math.inf):
        return ""
    largest = rule.limit if isinstance(rule, Number) else LARGEST
    if isinstance(value, int):
        largest = min(largest, LARGEST_WHOLE)
    if abs(value) > largest:
        return f" The largest number here is {_plain(largest) if largest <= LARGEST_WHOLE else f'{largest:g}'}."
    return f" Numbers below {SMALLEST:g} are 0 here." if 0 < abs(value) < SMALLEST else ""


def raise_if_any(errors: Iterable[str]) -> None:
    """Raise one ValueError that names all errors."""
    sentences = list(errors)
    if sentences:
        raise ValueError("; ".join(sentences))


def nearest(word: str, options: Iterable[str]) -> str:
    """A hint at the option that was probably meant, or an empty string."""
    close = get_close_matches(word, list(options), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"
