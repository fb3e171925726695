"""What makes a difference to the result of a run beside its seed."""

from collections.abc import Mapping
from typing import Any

from lac.runs.folder import UNMADE
from lac.runs.loading import Run
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import config_keys
from lac.settings.training import KEEP_KEYS

PARTS = ("algo", "env", "network", "lr_schedule", "train", "disturbance")
"""The parts of a config that a method consists of."""
_ENV_FN = "env.env_fn"
"""What a config does not show of an environment from Python."""
_ENV_TEST = ("env.id", "env.max_episode_steps", "env.reward_max", "env.goal_tolerance", _ENV_FN)
_TEST = ("algo.opt_type", *_ENV_TEST, "train.max_ep_len")
_TEST_PARTS = ("env.kwargs", "disturbance.")
_WITH_DEFAULTS = ("algo", "network", "lr_schedule", "train")
"""Parts whose keys all have defaults."""
_NO_METHOD = {"env.name", "train.seeds", "train.save_freq", "train.export", "disturbance.name", *KEEP_KEYS}
"""Keys that change what things are called, what is kept of a training, or how many there are, but no result."""
_UNDISTURBED = "none"


def method_of(run: Run) -> dict[str, Any]:
    """The config keys, with dotted names, that make a difference to the result of a run beside its seed.

    A key that a run of an earlier version lacks has its default: a new setting leaves what there was as it was.
    """
    parts = [part for part in PARTS if part in run.config]
    method = flat({part: run.config[part] for part in parts})
    algo = method.get("algo.name")
    if isinstance(algo, str) and algo in ALGORITHMS:
        for key, leaf in config_keys("train", algo).items():
            is_new = not any(own == key or own.startswith(f"{key}.") or key.startswith(f"{own}.") for own in method)
            if is_new and key.partition(".")[0] in _WITH_DEFAULTS and key.partition(".")[0] in parts:
                method[key] = leaf.default
    if run.summary.get(UNMADE) is not None:
        method[_ENV_FN] = run.summary[UNMADE]
    if not is_disturbed(run):
        method = {key: value for key, value in method.items() if not key.startswith("disturbance.")}
    return {key: value for key, value in method.items() if key not in _NO_METHOD}


def is_disturbed(run: Run) -> bool:
    """Whether a run was trained, and tested at its end, under a disturbance."""
    disturbance = run.config.get("disturbance")
    return isinstance(disturbance, Mapping) and disturbance.get("kind", _UNDISTURBED) != _UNDISTURBED


def settings_of_test(method: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method that its final policy is tested with: costs under different ones are not comparable."""
    return {key: value for key, value in method.items() if key in _TEST or key.startswith(_TEST_PARTS)}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config with one level of dotted names."""
    result: dict[str, Any] = {}
    for name, value in config.items():
        result |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return result
