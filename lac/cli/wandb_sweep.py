"""The command ``wandb_sweep``: converts the overrides of ``scripts/train.py -m`` to a sweep of Weights & Biases."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, Quote, QuotedString, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lac.cli.errors import explain
from lac.config.checks import ConfigError
from lac.config.help import options
from lac.config.schemas import CONFIG_DIR
from lac.files import relative_to_cwd
from lac.settings.commands import WandbSweepCommand, config_keys
from lac.settings.fields import setting_errors

TRAIN = CONFIG_DIR.parent / "scripts" / "train.py"


def gather_overrides() -> None:
    """Move the overrides for ``scripts/train.py`` into the key ``overrides``, so that Hydra does not apply them."""
    own = set(config_keys("wandb_sweep"))
    given = get_args_parser().parse_args(sys.argv[1:]).overrides
    words = [word for word in given if word.partition("=")[0] not in own]
    flags = {"-m", "--multirun"}  # as copied from a command of scripts/train.py
    sys.argv[1:] = [word for word in sys.argv[1:] if word not in words and word not in flags]
    if words:
        sys.argv.append(f"overrides=[{','.join(map(_quoted, words))}]")


def run(cfg: DictConfig) -> None:
    """Write the sweep file of a config, and print the commands that run it.

    Raises:
        ConfigError: The overrides are not a valid sweep of ``scripts/train.py``, or W&B does not support it.
    """
    words: list[str] = OmegaConf.to_container(cfg.overrides)  # type: ignore[assignment]
    errors = setting_errors(WandbSweepCommand, {"method": cfg.method})
    overrides = _parsed(words, errors)
    errors += _train_errors(overrides)
    if errors:
        raise ConfigError(errors)
    sweep = sweep_definition(overrides, cfg.method, cfg.metric, cfg.name)
    Path(cfg.output).parent.mkdir(parents=True, exist_ok=True)
    Path(cfg.output).write_text(OmegaConf.to_yaml(OmegaConf.create(sweep)), encoding="utf-8")
    sizes = [len(parameter["values"]) for parameter in sweep["parameters"].values() if "values" in parameter]
    number = f"{math.prod(sizes)} runs" if sweep["method"] == "grid" else "runs until it is stopped"
    print(f"{cfg.output}: {sweep['method']} over {', '.join(sweep['parameters'])}; {number}")
    print(f"next:\n  wandb sweep {cfg.output}\n  wandb agent ENTITY/{sweep['project']}/SWEEP")


def sweep_definition(
    overrides: Sequence[Override], method: str | None, metric: str, name: str | None
) -> dict[str, Any]:
    """A W&B sweep whose agents run ``scripts/train.py``.

    Args:
        overrides: Parsed overrides of a sweep.
        method: grid, random or bayes; None: random where there is an interval, grid otherwise.
        metric: Logged metric that is minimised.
        name: Name of the sweep; None lets W&B choose one.

    Raises:
        ConfigError: No key has several values, or W&B does not support the sweep.
    """
    errors: list[str] = []
    parameters = {o.key_or_group: _parameter(o, errors) for o in overrides if o.is_sweep_override()}
    fixed = [str(o.input_line) for o in overrides if not o.is_sweep_override()]
    if not parameters:
        errors.append("nothing is swept; give a key several values, as seed=0,1,2")
    intervals = [key for key, parameter in parameters.items() if "distribution" in parameter]
    if method == "grid" and intervals:
        errors.append(f"method is 'grid', which needs a list of values for {', '.join(intervals)}; use random or bayes")
    if errors:
        raise ConfigError(errors)
    wandb = _composed(fixed).wandb
    return {
        **({"name": name} if name is not None else {}),
        "program": str(relative_to_cwd(TRAIN)),
        "project": wandb.project,
        **({"entity": wandb.entity} if wandb.entity is not None else {}),
        "method": method or ("random" if intervals else "grid"),
        "metric": {"name": metric, "goal": "minimize"},
        "parameters": parameters,
        "command": ["${env}", "${interpreter}", "${program}", *fixed, "${args_no_hyphens}"],
    }


def _parsed(words: Sequence[str], errors: list[str]) -> list[Override]:
    parser = OverridesParser.create()
    overrides = []
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException as problem:
            errors.append(f"{word!r} is not KEY=VALUE as Hydra reads it: {str(problem).splitlines()[0]}")
            continue
        key = override.key_or_group
        if key.partition("/")[0].partition(".")[0] == "hydra":
            errors.append(f"{key} is a setting of Hydra, and agents start one run at a time; leave it out")
            continue
        overrides.append(override)
    return overrides


def _train_errors(overrides: Sequence[Override]) -> list[str]:
    """The errors that ``scripts/train.py -m`` would report, with intervals checked at their ends."""
    words = []
    for o in overrides:
        value = o.value()
        word = str(o.input_line)
        if isinstance(value, IntervalSweep):
            word = f"{o.key_or_group}={','.join(_number(end) for end in (value.start, value.end))}"
        words.append(_as_typed(word))
    return explain(ValueError(), "train", ["-m", *words])


def _parameter(override: Override, errors: list[str]) -> dict[str, Any]:
    key, value = override.key_or_group, override.value()
    if isinstance(value, IntervalSweep):
        return _distribution(key, value, errors)
    if isinstance(value, Glob):
        return {"values": value.filter(list(options(key)))}
    return {"values": [_plain(element) for element in override.sweep_iterator(Transformer.identity)]}


def _distribution(key: str, interval: IntervalSweep, errors: list[str]) -> dict[str, Any]:
    leaf = config_keys("train").get(key)
    is_whole, is_log = leaf is not None and leaf.type in {int, int | None}, "log" in interval.tags
    low, high = float(interval.start or 0), float(interval.end or 0)
    if not low < high:
        errors.append(f"{key} is an interval from {low:g} to {high:g}; the second number must be above the first")
    if is_log and is_whole:
        errors.append(
            f"{key} is a whole number, for which W&B has no logarithmic distribution; leave out tag(log, ...)"
        )
    if is_log and low <= 0:
        errors.append(f"{key} begins at {low:g}; a logarithmic interval begins above 0")
    if is_whole:
        return {"distribution": "int_uniform", "min": int(low), "max": int(high)}
    return {"distribution": "log_uniform_values" if is_log else "uniform", "min": low, "max": high}


def _plain(element: Any) -> Any:
    """A value whose ``str``, which the agent puts on the command line, is valid in Hydra."""
    if isinstance(element, (bool, int, float)):
        return element
    if isinstance(element, QuotedString):
        return element.with_quotes()
    return Transformer.str(element)


def _composed(words: Sequence[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", overrides=[_as_typed(word) for word in words])


def _as_typed(word: str) -> str:
    """An override as scripts/train.py converts it: any constructor argument is allowed."""
    return f"++{word}" if word.startswith("env.kwargs.") else word


def _number(value: float | None) -> str:
    return str(int(value)) if value is not None and float(value).is_integer() else str(value)


def _quoted(word: str) -> str:
    return str(QuotedString(word, Quote.double).with_quotes())
