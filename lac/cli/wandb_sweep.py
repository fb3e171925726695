"""From the overrides of a sweep (``train -m``) to a sweep of Weights & Biases: the command ``wandb_sweep``."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, Quote, QuotedString, RangeSweep, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from lac.cli.app import with_free_keys_added
from lac.cli.errors import explain, first_line
from lac.cli.folders import write_output
from lac.config.checks import ConfigError
from lac.config.commands import running_script
from lac.config.help import options
from lac.config.schemas import CONFIG_DIR
from lac.files import shell_text
from lac.settings.commands import WandbSweepCommand, config_keys
from lac.settings.fields import setting_errors

_MOST_VALUES = 10_000  # of a range, which is written to the file value by value


def gather_overrides(arguments: Sequence[str]) -> list[str]:
    """The command line with everything that is meant for ``train`` in the key ``overrides``, which Hydra leaves alone.

    Args:
        arguments: The command line as it was typed: keys of this command, and overrides of ``train -m``.
    """
    own = set(config_keys("wandb_sweep"))
    given = get_args_parser().parse_args(list(arguments)).overrides
    overrides = [text for text in given if text.partition("=")[0] not in own]
    flags = {"-m", "--multirun"}  # as copied from a command line of train
    kept = [text for text in arguments if text not in overrides and text not in flags]
    return [*kept, f"overrides=[{','.join(map(_quoted, overrides))}]"] if overrides else kept


def run(cfg: DictConfig) -> None:
    """Write the sweep file of a config, and print how to start it.

    Raises:
        ConfigError: The overrides are not a sweep of ``train``, or W&B cannot carry it out.
    """
    texts: list[str] = OmegaConf.to_container(cfg.overrides)  # type: ignore[assignment]
    errors = setting_errors(WandbSweepCommand, {"method": cfg.method})
    overrides = _parsed(texts, errors)
    errors += _train_errors(overrides)
    if errors:
        raise ConfigError(errors)
    sweep = sweep_definition(overrides, cfg.method, cfg.metric, cfg.name)
    write_output(cfg.output, OmegaConf.to_yaml(OmegaConf.create(sweep)))
    sizes = [len(parameter["values"]) for parameter in sweep["parameters"].values() if "values" in parameter]
    number = f"{math.prod(sizes)} runs" if sweep["method"] == "grid" else "runs until it is stopped"
    print(f"{cfg.output}: {sweep['method']} over {', '.join(sweep['parameters'])}; {number}")
    agents = f"{sweep.get('entity', 'ENTITY')}/{sweep['project']}/SWEEP"
    print(f"next:\n  {shell_text(['wandb', 'sweep', cfg.output])}\n  {shell_text(['wandb', 'agent', agents])}")


def sweep_definition(
    overrides: Sequence[Override], method: str | None, metric: str, name: str | None
) -> dict[str, Any]:
    """A W&B sweep whose agents run the command ``train``.

    Args:
        overrides: The overrides, parsed.
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
        errors.append(
            f"method is 'grid', which needs a list of values for {', '.join(intervals)}; choose random or bayes"
        )
    if errors:
        raise ConfigError(errors)
    wandb = _composed(fixed).wandb
    program, start = _program()
    return {
        **({"name": name} if name is not None else {}),
        "program": program,
        "project": wandb.project,
        **({"entity": wandb.entity} if wandb.entity is not None else {}),
        "method": method or ("random" if intervals else "grid"),
        "metric": {"name": metric, "goal": "minimize"},
        "parameters": parameters,
        "command": ["${env}", *start, *fixed, "${args_no_hyphens}"],
    }


def _program() -> tuple[str, list[str]]:
    """The program that agents run, and how they start it: ``lac``, or the script beside the running one."""
    script = running_script()
    if script is None:
        return "lac", ["${program}", "train"]
    train = script.resolve().with_name("train.py")
    shown = train.relative_to(Path.cwd()) if train.is_relative_to(Path.cwd()) else train
    return str(shown), ["${interpreter}", "${program}"]


def _parsed(texts: Sequence[str], errors: list[str]) -> list[Override]:
    parser = OverridesParser.create()
    overrides: list[Override] = []
    for text in texts:
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            errors.append(f"{text!r} is not KEY=VALUE in Hydra's syntax: {first_line(error)}")
            continue
        key = override.key_or_group
        if key.partition("/")[0].partition(".")[0] == "hydra":
            errors.append(f"{key} is a setting of Hydra, and agents start one run at a time; leave it out")
            continue
        value = override.value()
        if isinstance(value, RangeSweep) and not _range_size(value) <= _MOST_VALUES:
            errors.append(f"{text} has {_range_size(value):g} values; give at most {_MOST_VALUES}, or an interval")
            continue
        if isinstance(value, Glob) and not value.filter(list(options(key))):
            errors.append(f"{text} fits none of the options {', '.join(options(key))}")
            continue
        if key in (other.key_or_group for other in overrides):
            errors.append(f"{key} is given twice; leave one out")
            continue
        overrides.append(override)
    return overrides


def _range_size(values: RangeSweep) -> float:
    """How many values a range has, at most."""
    return abs(float(values.stop or 0) - float(values.start or 0)) / (abs(values.step) or 1)


def _train_errors(overrides: Sequence[Override]) -> list[str]:
    """What ``train -m`` would refuse, intervals tried at their ends."""
    texts = []
    for o in overrides:
        value = o.value()
        text = str(o.input_line)
        if isinstance(value, IntervalSweep):
            text = f"{o.key_or_group}={','.join(_number(end) for end in (value.start, value.end))}"
        texts.append(with_free_keys_added(text))
    return explain(ValueError(), "train", ["-m", *texts])


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
        errors.append(f"{key} begins at {low:g}; a logarithmic interval must begin above 0")
    if is_whole:
        return {"distribution": "int_uniform", "min": int(low), "max": int(high)}
    return {"distribution": "log_uniform_values" if is_log else "uniform", "min": low, "max": high}


def _plain(element: Any) -> Any:
    """A value whose ``str``, which the agent puts on the command line, Hydra reads as the same value."""
    if isinstance(element, (bool, int, float)):
        return element
    if isinstance(element, QuotedString):
        return element.with_quotes()
    return Transformer.str(element)


def _composed(texts: Sequence[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose("train", overrides=[with_free_keys_added(text) for text in texts])


def _number(value: float | None) -> str:
    return str(int(value)) if value is not None and float(value).is_integer() else str(value)


def _quoted(text: str) -> str:
    return str(QuotedString(text, Quote.double).with_quotes())
