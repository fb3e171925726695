"""What is wrong with a command line, told in sentences that name the key."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, UnsupportedValueType, ValidationError

from lac.config.checks import choice_errors, config_errors
from lac.config.disturbances import unknown_disturbance_key
from lac.config.help import allowed_text, options
from lac.config.schemas import CONFIG_DIR, schema_settings
from lac.settings.commands import config_keys, owners
from lac.settings.fields import Leaf
from lac.settings.rules import nearest


def explain(error: Exception, config_name: str, arguments: Sequence[str]) -> list[str]:
    """All problems of a command line, found by trying its overrides one by one; ``error`` is what Hydra said."""
    given = get_args_parser().parse_args(list(arguments))
    config_name = given.config_name or config_name
    errors: list[str] = []
    main_dir = Path(given.config_dir).resolve() if given.config_dir else CONFIG_DIR
    search = [] if main_dir == CONFIG_DIR else [f"hydra.searchpath=[file://{CONFIG_DIR}]"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(main_dir), version_base="1.3"):
        try:
            compose(config_name, overrides=search)
        except Exception:
            if given.config_name:
                return [f"--config-name is {config_name!r}: {first_sentence(error)}; without it, it is train"]
            return [first_sentence(error)]
        is_training = config_name == "train" or bool(given.config_dir)
        main = _MainConfig(config_name, "train" if is_training else config_name, tuple(search))
        errors += _errors_of(main, _overrides_with_groups_first(given.overrides, given.multirun, errors))
    return list(dict.fromkeys(errors))


@dataclass(frozen=True)
class _MainConfig:
    """The config in which overrides are tried.

    Attributes:
        name: Its name for Hydra.
        schema: The script whose keys it has.
        search: Overrides with which Hydra finds the groups.
    """

    name: str
    schema: str
    search: tuple[str, ...]

    def problem(self, text: str, before: Sequence[str]) -> str | None:
        """What is wrong with an override by itself, after others that are right."""
        try:
            compose(self.name, overrides=[*self.search, *before, text])
        except Exception as problem:
            return _sentence(text, problem, self.schema)
        return next(iter(choice_errors([text])), None)

    def errors(self, overrides: Sequence[str]) -> list[str]:
        """What is wrong with overrides together, of which each is right by itself, and with the values they lead to."""
        try:
            composed = compose(self.name, overrides=[*self.search, *overrides])
        except Exception as problem:
            return [f"{', '.join(overrides)}: {_foreign_key(problem) or first_sentence(problem)}"]
        return config_errors(composed) if self.schema == "train" else []


def _errors_of(main: _MainConfig, overrides: Iterable[Sequence[str]]) -> list[str]:
    """Try overrides one after the other, and each further value of a sweep in the place of the first."""
    errors: list[str] = []
    firsts: list[str] = []
    others: list[tuple[int, str]] = []
    for values in overrides:
        for number, text in enumerate(values):
            told = main.problem(text, firsts)
            if told is None:
                others += [(len(firsts), other) for other in values[number + 1 :]]
                firsts.append(text)
                break
            errors.append(told)
    errors += main.errors(firsts)
    for place, text in others:
        problems = main.errors([*firsts[:place], text, *firsts[place + 1 :]])
        alone = problems and main.problem(text, firsts[:place])
        errors += [alone] if alone else problems
    return errors


def _overrides_with_groups_first(arguments: Sequence[str], is_sweep: bool, errors: list[str]) -> Iterator[list[str]]:
    """The values of each override, sweeps taken apart; what cannot be parsed is added to ``errors``."""
    parser = OverridesParser.create()
    parsed: list[tuple[bool, list[str]]] = []
    for text in arguments:
        try:
            override = parser.parse_override(text)
        except HydraException as problem:
            errors.append(f"{text!r} is not KEY=VALUE as Hydra reads it: {first_sentence(problem)}")
            continue
        if not override.key_or_group:
            errors.append(f"{text!r} is not KEY=VALUE: the key is missing")
            continue
        if override.is_sweep_override() and not is_sweep:
            key, _, value = text.partition("=")
            errors.append(f"{key} is {value!r}, several values; add -m to run one job for each")
            continue
        is_group = (CONFIG_DIR / override.key_or_group).is_dir()
        parsed.append((not is_group, list(_singles(override, text))))
    yield from (singles for _, singles in sorted(parsed, key=lambda pair: pair[0]))


def _singles(override: Override, text: str) -> Iterable[str]:
    if not override.is_sweep_override():
        return [text]
    value = override.value()
    if isinstance(value, IntervalSweep):
        values: Iterable[object] = (value.start, value.end)
    elif isinstance(value, Glob):
        values = value.filter(list(options(override.key_or_group)))
    else:
        values = override.sweep_string_iterator()
    return [f"{text.partition('=')[0]}={value}" for value in values]


def _sentence(text: str, problem: Exception, config_name: str) -> str:
    key, _, value = text.lstrip("+~").partition("=")
    foreign = _foreign_key(problem)
    if foreign:
        return foreign if foreign.startswith(f"{key} ") else f"{key} is {value!r}, but {foreign}"
    choices = _choices(key)
    if choices and value not in choices:
        return f"{key} is {value!r}; it must be one of {', '.join(choices)}.{nearest(value, choices)}"
    types = config_keys(config_name)
    if key not in types and not choices:
        groups = [folder.name for folder in CONFIG_DIR.iterdir() if folder.is_dir()]
        return f"{key} is not a key or a group.{nearest(key, [*types, *groups])} --help lists them"
    cause = problem.__cause__
    if key.startswith("disturbance.") and isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return unknown_disturbance_key(key, schema_settings(cause.object_type))
    if text.startswith("~"):
        return f"{key} cannot be removed; give it a value"
    return _sentence_about_value(key, value, problem, types.get(key))


def _choices(group: str) -> list[str]:
    """The options of a config group, ours or Hydra's; none if it is not a group."""
    if group.startswith("hydra/"):
        return [name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)]
    return list(options(group)) if (CONFIG_DIR / group).is_dir() else []


def _sentence_about_value(key: str, value: str, problem: Exception, leaf: Leaf | None) -> str:
    is_type = isinstance(problem.__cause__, (ValidationError, UnsupportedValueType))
    if leaf is not None and (is_type or "could not be converted" in str(problem)):
        return f"{key} is {value!r}; it must be {allowed_text(leaf)}.{_whole_number_hint(value)}"
    return f"{key} is {value!r}: {first_sentence(problem)}"


def _foreign_key(problem: Exception) -> str | None:
    """What is wrong, if it is a key of another algorithm than the chosen one."""
    # Of a key in a file, Hydra tells which one in its message alone.
    missing = re.search(r"Key '(\w+)' not in '\w*Algorithm'", f"{problem} {problem.__cause__}")
    having = owners(f"algo.{missing[1]}") if missing else []
    return (
        f"algo.{missing[1]} belongs to {' and '.join(having)}, not to the chosen algorithm"
        if missing and having
        else None
    )


def _whole_number_hint(value: str) -> str:
    try:
        return f" Write {int(float(value))}." if float(value).is_integer() and not value.isdigit() else ""
    except (ValueError, OverflowError):
        return ""


def first_sentence(error: Exception) -> str:
    """The first line that an error says, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
