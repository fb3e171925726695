"""Names of run folders, of sweep folders and of runs on W&B, made from overrides."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.config.commands import config_flags
from lac.settings.rules import with_whole_numbers
from lac.settings.training import KEEP_KEYS

MAX_NAME_ON_WANDB = 128
_MAX_VALUES = 4  # of a varied key that stand in a name
_NO_EFFECT = rf"((wandb|loggers)\..*|dry_run|fail_fast|resume|{'|'.join(map(re.escape, KEEP_KEYS))})="
"""Overrides without an effect on results."""


def run_name(env: str, algo: str, override_dirname: str) -> str:
    """A short folder name from environment, algorithm and other overrides, which needs no quotes in Hydra."""
    return override_name(_others(override_dirname.split(",")), env, algo)


def override_name(overrides: Sequence[str], *first: str) -> str:
    """A short name from some words and overrides, which needs no quotes in Hydra."""
    return _joined(overrides, *first)[:100].rstrip("._-")


def name_on_wandb(env: str, algo: str, seed: int, overrides: Sequence[str]) -> str:
    """A name for a run outside a sweep that distinguishes it from runs with other overrides or another seed."""
    others = [text for text in _others(overrides) if not text.startswith("seed=")]
    name = _joined([*others, f"seed={seed}"], env, algo)
    if len(name) <= MAX_NAME_ON_WANDB:
        return name
    # The end is kept, since agents of W&B put there what differs; the digest distinguishes runs that differ before it.
    first = f"{_joined([], env, algo)[:32]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}-"
    return first + name[len(first) - MAX_NAME_ON_WANDB :]


def _others(overrides: Sequence[str]) -> list[str]:
    """The overrides without those that a name begins with."""
    return [text for text in overrides if not re.match(r"(env|algo)=", text)]


def _joined(overrides: Sequence[str], *first: str) -> str:
    """Some words and overrides that affect results, without characters that need quotes in Hydra."""
    kept = [text for text in overrides if text and not re.match(rf"hydra[./].*=|{_NO_EFFECT}", text)]
    short = [re.sub(r"^[+~]*(?:[\w.]*\.)?(\w+)=", r"\1=", text).replace("=", "_") for text in kept]
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", "-".join([*first, *short]))


def sweep_name(*, _root_: DictConfig) -> str:
    """The folder name of a sweep: the same for the same overrides in any order."""
    params = OmegaConf.to_container(_root_.hydra.sweeper).get("params") or {}  # type: ignore[union-attr]
    overrides = [*(f"{key}={value}" for key, value in params.items()), *_root_.hydra.overrides.task]
    relevant = relevant_overrides(overrides)
    sweeper = str(_root_.hydra.runtime.choices["hydra/sweeper"])
    # A grid and a search of the same values are different sweeps, and so are two ways to search.
    settings: Any = OmegaConf.to_container(_root_.hydra.sweeper)
    ways = [f"{key}={json.dumps(settings[key])}" for key in ("sampler", "pruner", "study_name") if key in settings]
    identity = relevant if sweeper == "grid" else [*relevant, sweeper, *ways]
    # And so are the same values beside the other settings of two saved configs.
    identity = [*identity, *config_flags(_root_.hydra)]
    digest = hashlib.sha256("\n".join(sorted(identity)).encode()).hexdigest()[:8]
    return f"{override_name(relevant)[:60].rstrip('._-')}-{digest}".lstrip("-")


def relevant_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides that affect results, sorted."""
    return sorted(text for text in overrides if not re.match(_NO_EFFECT, text))


def evaluation_name(policy: str, steps: int | None, disturbance: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    """What distinguishes a test from others of the same run; empty for the final policy without a disturbance.

    Different policies and disturbances have different names, in characters that are safe in names of files.

    Args:
        policy: Name of the policy.
        steps: Length of an episode; None is that of the training.
        disturbance: Part ``disturbance`` of a config.
        preset: The same without changes; what differs from it is a part of the name.
    """
    parts = [] if disturbance["kind"] == "none" else name_and_changes(disturbance, preset)
    if policy != "final":
        parts.append(f"policy={policy}")
    if steps is not None:
        parts.append(f"steps={steps}")
    return _safe_name(parts)


def settings_name(settings: Mapping[str, Any], preset: Mapping[str, Any]) -> str:
    """The name of a part of a config, with the values that differ from its preset.

    It has only characters that are safe in names of files, and different settings have different names.
    """
    return _safe_name(name_and_changes(settings, preset))


def study_name(first: Sequence[str], vary: Mapping[str, Sequence[Any]], changed: Mapping[str, Any]) -> str:
    """The name of a robustness study: the same for the same settings, and different ones for others.

    Args:
        first: What it begins with: the name of a protocol, or that of a disturbance and what differs from its preset.
        vary: Values of the varied keys.
        changed: Other settings that are not the usual ones.
    """
    parts = [*first, *(f"{key}={_values_text(values)}" for key, values in vary.items())]
    parts += [f"{key}={value}" for key, value in changed.items()]
    if any(len(values) > _MAX_VALUES for values in vary.values()):
        parts.append(hashlib.sha256(json.dumps(vary).encode()).hexdigest()[:8])
    return _safe_name(parts)


def name_and_changes(settings: Mapping[str, Any], preset: Mapping[str, Any]) -> list[str]:
    """The name of a part of a config, and the values that differ from its preset."""
    usual = dict(_leaves(preset))
    changes = [pair for pair in _leaves(settings) if pair not in usual.items() and pair[0] != "name"]
    return [settings["name"], *(f"{key}={value}" for key, value in changes)]


def _values_text(values: Sequence[Any]) -> str:
    """Values of a key: all of them, or both ends and the number where they are many."""
    texts = [value if isinstance(value, str) else json.dumps(with_whole_numbers(value)) for value in values]
    return "+".join(texts) if len(texts) <= _MAX_VALUES else f"{texts[0]}to{texts[-1]}x{len(texts)}"


def _safe_name(parts: Sequence[str]) -> str:
    text = "-".join(parts)
    short = re.sub(r"[^\w.+=-]+", "_", text)[:100].rstrip("_")
    return short if short == text else f"{short}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The values of a part of a config as text, each with its full name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(with_whole_numbers(value))
