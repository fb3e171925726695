"""Errors of a command line, as sentences that name the key."""

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

from lac.config.checks import config_errors, override_errors
from lac.config.disturbances import unknown_disturbance_key
from lac.config.help import allowed_text, options
from lac.config.schemas import CONFIG_DIR, schema_settings
from lac.settings.commands import config_keys, owners
from lac.settings.fields import Leaf
from lac.settings.rules import nearest, size_hint


def explain(error: Exception, config_name: str, arguments: Sequence[str]) -> list[str]:
    """All errors of a command line, found by trying its overrides one by one.

    Args:
        error: What Hydra raised.
        config_name: Main config of the command.
        arguments: The command line.
    """
    given = get_args_parser().parse_args(list(arguments))
    command, config_name = config_name, given.config_name or config_name
    errors: list[str] = []
    main_dir = Path(given.config_dir).resolve() if given.config_dir else CONFIG_DIR
    search = [] if main_dir == CONFIG_DIR else [f"hydra.searchpath=[file://{CONFIG_DIR}]"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(main_dir), version_base="1.3"):
        try:
            compose(config_name, overrides=search)
        except Exception:
            if given.config_name:
                return [f"--config-name is {config_name!r}: {first_line(error)}; without it, it is {command}"]
            return [first_line(error)]
        is_training = config_name == "train" or bool(given.config_dir)
        main = _MainConfig(config_name, "train" if is_training else config_name, tuple(search))
        errors += _errors_of(main, _overrides_with_groups_first(given.overrides, given.multirun, is_training, errors))
    return list(dict.fromkeys(errors))


def first_line(error: Exception) -> str:
    """The first line of an exception's message, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@dataclass(frozen=True)
class _MainConfig:
    """The config in which overrides are tried.

    Attributes:
        name: Its name for Hydra.
        schema: The command whose keys it has.
        search: Overrides with which Hydra finds the groups.
    """

    name: str
    schema: str
    search: tuple[str, ...]

    def error_of(self, text: str, before: Sequence[str]) -> str | None:
        """The error of an override alone, after others without errors."""
        try:
            compose(self.name, overrides=[*self.search, *before, text])
        except Exception as error:
            return _sentence(text, error, self.schema)
        return next(iter(override_errors([text])), None)

    def errors_together(self, overrides: Sequence[str]) -> list[str]:
        """Errors of a combination of overrides that have none one by one, and of the values it gives."""
        try:
            composed = compose(self.name, overrides=[*self.search, *overrides])
        except Exception as error:
            return [f"{', '.join(overrides)}: {_key_of_another_algorithm(error) or first_line(error)}"]
        return config_errors(composed) if self.schema == "train" else []


def _errors_of(main: _MainConfig, overrides: Iterable[Sequence[str]]) -> list[str]:
    """Try overrides one after the other, and each further value of a sweep in the place of the first."""
    errors: list[str] = []
    firsts: list[str] = []
    others: list[tuple[int, str]] = []
    for values in overrides:
        for number, text in enumerate(values):
            sentence = main.error_of(text, firsts)
            if sentence is None:
                others += [(len(firsts), other) for other in values[number + 1 :]]
                firsts.append(text)
                break
            errors.append(sentence)
    errors += main.errors_together(firsts)
    for place, text in others:
        together = main.errors_together([*firsts[:place], text, *firsts[place + 1 :]])
        alone = main.error_of(text, firsts[:place]) if together else None
        errors += together if alone is None else [alone]
    return errors


def _overrides_with_groups_first(
    arguments: Sequence[str], is_sweep: bool, can_sweep: bool, errors: list[str]
) -> Iterator[list[str]]:
    """The values of each override, sweeps taken apart; what cannot be parsed is added to ``errors``."""
    parser = OverridesParser.create()
    parsed: list[tuple[bool, list[str]]] = []
    for text in arguments:
        try:
            override = parser.parse_override(text)
        except HydraException as error:
            errors.append(f"{text!r} is not KEY=VALUE in Hydra's syntax: {first_line(error)}")
            continue
        if not override.key_or_group:
            errors.append(f"{text!r} is not KEY=VALUE: the key is missing")
            continue
        if override.is_sweep_override() and not is_sweep:
            key, _, value = text.lstrip("+").partition("=")
            hint = "add -m to run one job for each" if can_sweep else "a list is written in brackets, as [a,b]"
            errors.append(f"{key} is {value!r}, several values; {hint}")
            continue
        try:
            values = list(_single_values(override, text))
        except Exception as error:  # whatever Hydra raises for values that it cannot list
            errors.append(f"{text!r} cannot be taken apart into single values: {first_line(error)}")
            continue
        parsed.append((not _is_group(override.key_or_group), values))
    yield from (values for _, values in sorted(parsed, key=lambda pair: pair[0]))


def _single_values(override: Override, text: str) -> Iterable[str]:
    """An override for each value of a sweep; of an interval, one for each end."""
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


def _sentence(text: str, error: Exception, config_name: str) -> str:
    """The exception that an override raised, as a sentence."""
    key, _, value = text.lstrip("+~").partition("=")
    foreign = _key_of_another_algorithm(error)
    if foreign is not None:
        return foreign if foreign.startswith(f"{key} ") else f"{key} is {value!r}, but {foreign}"
    choices = _choices(key)
    if choices and value not in choices and not text.startswith("~"):
        return f"{key} is {value!r}; it must be one of {', '.join(choices)}.{nearest(value, choices)}"
    keys = config_keys(config_name)
    if key not in keys and not choices:
        groups = [folder.name for folder in CONFIG_DIR.iterdir() if folder.is_dir()]
        return f"{key} is not a key or a group.{nearest(key, [*keys, *groups])} --help lists them"
    cause = error.__cause__
    if key.startswith("disturbance.") and isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return unknown_disturbance_key(key, schema_settings(cause.object_type))
    if text.startswith("~"):
        return f"{key} cannot be removed; give it a value"
    return _sentence_about_value(key, value, error, keys.get(key))


def _is_group(name: str) -> bool:
    return (CONFIG_DIR / name).is_dir()


def _choices(group: str) -> list[str]:
    """The options of a config group, those that Hydra and its plugins bring included; none if it is not a group."""
    ours = list(options(group)) if _is_group(group) else []
    if not group.startswith("hydra/"):
        return ours
    of_hydra = [name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)]
    return list(dict.fromkeys([*ours, *of_hydra]))


def _sentence_about_value(key: str, value: str, error: Exception, leaf: Leaf | None) -> str:
    is_type = isinstance(error.__cause__, (ValidationError, UnsupportedValueType))
    if leaf is not None and (is_type or "could not be converted" in str(error)):
        return f"{key} is {value!r}; it must be {allowed_text(leaf)}.{_whole_number_hint(value, leaf)}"
    return f"{key} is {value!r}: {first_line(error)}"


def _key_of_another_algorithm(error: Exception) -> str | None:
    """The sentence about a key that only algorithms other than the chosen one have; None if it is not one."""
    # Hydra names OmegaConf's exception as the cause for an override, and leaves it as context for a key in a file.
    refused = error.__cause__ or error.__context__
    if not isinstance(refused, (ConfigAttributeError, ConfigKeyError)):
        return None
    having = owners(str(refused.full_key))
    return f"{refused.full_key} belongs to {' and '.join(having)}, not to the chosen algorithm" if having else None


def _whole_number_hint(value: str, leaf: Leaf) -> str:
    """How to write a whole number such as 1e3, or that it is too large."""
    try:
        number = int(float(value))
    except (ValueError, OverflowError):
        return ""
    if number != float(value) or value.isdigit() or leaf.rule is None:
        return ""
    return f" Write {number}." if leaf.rule.accepts(number) else size_hint(number, leaf.rule)
