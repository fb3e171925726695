"""What each setting may be: one table for the Python API and for the command line."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real


@dataclass(frozen=True)
class Number:
    """A finite number between ``low`` and ``high``, both included."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if value is None:
            return self.optional
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if self.whole and not isinstance(value, int):
            return False
        return math.isfinite(value) and self.low <= value <= self.high

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
        return (value is None and self.optional) or value in self.options

    def __str__(self) -> str:
        return "one of " + ", ".join(self.options) + (" or null" if self.optional else "")


@dataclass(frozen=True)
class Numbers:
    """A finite number of at least ``low``, or a list of them."""

    low: float = -math.inf

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
            numbers = list(value)
            return bool(numbers) and all(self._is_one(number) for number in numbers)
        return self._is_one(value)

    def _is_one(self, value: object) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool):
            return False
        return math.isfinite(value) and float(value) >= self.low

    def __str__(self) -> str:
        least = f" of at least {self.low:g}" if math.isfinite(self.low) else ""
        return f"a finite number{least} or a list of them"


@dataclass(frozen=True)
class Indices:
    """A list of different whole numbers from 0, or null."""

    def accepts(self, value: object) -> bool:
        """Whether the setting may have this value."""
        if value is None:
            return True
        if not isinstance(value, (list, tuple, range)) or not value or len(set(map(str, value))) < len(value):
            return False
        return all(isinstance(index, int) and not isinstance(index, bool) and index >= 0 for index in value)

    def __str__(self) -> str:
        return "a list of different whole numbers from 0, as [0,2], or null"


Rule = Number | Numbers | Indices | Choice

DECAY_TYPES = ("linear", "exponential", "constant")
DECAY_REFERENCES = ("epoch", "step")

_RATE = Number(low=0)
_FLAG = Choice((True, False))  # type: ignore[arg-type]
_DECAY = Choice(DECAY_TYPES)
_OWN_DECAY = Choice(DECAY_TYPES, optional=True)

ALLOWED: dict[str, Rule] = {
    "opt_type": Choice(("minimize", "maximize")),
    "alpha": Number(low=0),
    "alpha3": Number(low=0),
    "labda": Number(low=0, high=1),
    "gamma": Number(low=0, high=1),
    "polyak": Number(low=0, high=1),
    "target_entropy": Number(optional=True),
    "horizon_length": Number(low=0, whole=True),
    "critic_loss": Choice(("squared", "relative")),
    "labda_min": Number(low=0, high=1),
    "twin_drift": Choice(("asymmetric", "symmetric")),
    "drift_weights": Choice(("mixed", "before", "after")),
    "lr_a": _RATE,
    "lr_c": _RATE,
    "lr_alpha": _RATE,
    "lr_labda": _RATE,
    "lr_a_final": _RATE,
    "lr_c_final": _RATE,
    "lr_alpha_final": _RATE,
    "lr_labda_final": _RATE,
    "decay_type": _DECAY,
    "decay_ref": Choice(DECAY_REFERENCES),
    "lr_decay_type": _DECAY,
    "lr_decay_ref": Choice(DECAY_REFERENCES),
    "lr_a_decay_type": _OWN_DECAY,
    "lr_c_decay_type": _OWN_DECAY,
    "lr_alpha_decay_type": _OWN_DECAY,
    "lr_labda_decay_type": _OWN_DECAY,
    "seeds": Number(low=1, whole=True),
    "epochs": Number(low=1, whole=True),
    "steps_per_epoch": Number(low=1, whole=True),
    "start_steps": Number(low=0, whole=True),
    "update_every": Number(low=1, whole=True),
    "update_after": Number(low=0, whole=True),
    "steps_per_update": Number(low=1, whole=True),
    "batch_size": Number(low=1, whole=True),
    "num_envs": Number(low=1, whole=True),
    "replay_size": Number(low=1, whole=True),
    "num_test_episodes": Number(low=0, whole=True),
    "max_ep_len": Number(low=1, whole=True, optional=True),
    "max_episode_steps": Number(low=1, whole=True, optional=True),
    "reward_max": Number(optional=True),
    "width": Number(low=1, whole=True),
    "rounds": Number(low=1, whole=True),
    "episodes": Number(low=1, whole=True),
    "save_freq": Number(low=1, whole=True),
    "seed": Number(low=0, high=2**32 - 1, whole=True, optional=True),
    "threads": Number(low=1, whole=True),
    # of disturbances
    "magnitude": Numbers(),
    "at_step": Number(low=0, whole=True, optional=True),
    "every": Number(low=1, whole=True, optional=True),
    "direction": Choice(("sign_of_action", "sign_of_state", "constant")),
    "state_index": Number(low=0, whole=True, optional=True),
    "channel": Choice(("action", "external_force")),
    "target": Choice(("action", "observation", "process")),
    "mean": Numbers(),
    "std": Numbers(low=0),
    "dims": Indices(),
    "period": Number(low=2, optional=True),
    "random_phase": _FLAG,
    "constant": Number(optional=True),
    "offset": Number(optional=True),
    "amplitude": Number(optional=True),
    "phase": Number(optional=True),
}


def setting_errors(
    settings: Mapping[str, object], prefix: str = "", allowed: Mapping[str, Rule] = ALLOWED
) -> list[str]:
    """A sentence for each setting whose value is not allowed; settings without a rule are passed over."""
    return [
        f"{prefix}{name} is {value!r}; it must be {allowed[name]}{_nearest_choice(value, allowed[name])}"
        for name, value in settings.items()
        if name in allowed and not allowed[name].accepts(value)
    ]


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


def _nearest_choice(value: object, rule: Rule) -> str:
    if isinstance(value, str) and isinstance(rule, Choice):
        hint = nearest(value, [str(option) for option in rule.options])
        return f".{hint}" if hint else ""
    return ""


def check(settings: Mapping[str, object]) -> None:
    """Raise a ValueError that tells every problem at once."""
    errors = setting_errors(settings)
    if errors:
        raise ValueError("; ".join(errors))


def nearest(word: str, options: Iterable[str]) -> str:
    """A hint at the option that was probably meant, or an empty string."""
    close = get_close_matches(word, list(options), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
