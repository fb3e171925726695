"""What the scripts share: one message for wrong input, and an orderly end."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lac.config import CONFIG_DIR, SCHEMAS, leaves, options
from lac.experiment import ConfigError, config_problems
from lac.validation import nearest


def run_app(main: Callable[[], Any], config_name: str) -> NoReturn:
    """Run a Hydra main function; wrong input ends it with one message and exit status 2.

    ``HYDRA_FULL_ERROR=1`` shows the traceback instead. Ctrl-C and SIGTERM end a run as interrupted.
    """
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in {"", "0"}
    # Hydra would print its own message and exit with 1; this makes it raise.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        main()
    except ConfigError as error:
        if wants_traceback:
            raise
        _refuse(error.problems)
    except (HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        _refuse(explain(error, config_name, sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def explain(error: Exception, config_name: str, arguments: Sequence[str]) -> list[str]:
    """All problems of a command line that Hydra could not compose, found by trying its overrides one by one."""
    if "--config-dir" in arguments or "-cd" in arguments:
        return [_first_sentence(error)]
    found: list[str] = []
    accepted: list[str] = []
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        for text in _overrides_with_groups_first(arguments, found):
            try:
                compose(config_name, overrides=[*accepted, text])
                accepted.append(text)
            except (HydraException, OmegaConfBaseException) as problem:
                found.append(_sentence(text, problem, config_name))
        if config_name == "train":  # the others are told by what they run
            found += config_problems(compose(config_name, overrides=accepted))
    return found or [_first_sentence(error)]


def _overrides_with_groups_first(arguments: Sequence[str], found: list[str]) -> Iterator[str]:
    """Each override by itself, sweeps taken apart; what cannot be parsed is told in ``found``."""
    parser = OverridesParser.create()
    parsed: list[tuple[bool, str]] = []
    for text in arguments:
        if text.startswith("-"):
            continue
        try:
            override = parser.parse_override(text)
        except HydraException as problem:
            found.append(f"{text!r} is not KEY=VALUE as Hydra reads it: {_first_sentence(problem)}")
            continue
        is_group = (CONFIG_DIR / override.key_or_group).is_dir()
        parsed += [(not is_group, single) for single in _singles(override, text)]
    yield from (text for _, text in sorted(parsed, key=lambda pair: pair[0]))


def _singles(override: Override, text: str) -> Iterable[str]:
    if not override.is_sweep_override() or not override.is_discrete_sweep():
        return [text]
    return [f"{text.partition('=')[0]}={value}" for value in override.sweep_string_iterator()]


def _sentence(text: str, problem: Exception, config_name: str) -> str:
    key, _, value = text.lstrip("+~").partition("=")
    message = f"{problem} {problem.__cause__}"
    if (CONFIG_DIR / key).is_dir():
        choices = options(key)
        return f"{key} is {value!r}; it must be one of {', '.join(choices)}.{nearest(value, choices)}"
    converted = re.search(r"could not be converted to (\w+)|Value '.*' of type '.*' (?:is not|could not)", message)
    if converted:
        kind = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false"}.get(
            converted.group(1) or ""
        )
        rule = kind or "of another type"
        return f"{key} is {value!r}; it must be {rule}.{_whole_number_hint(value, converted.group(1))}"
    names = [name for name, _ in leaves(SCHEMAS[config_name])]
    groups = [folder.name for folder in CONFIG_DIR.iterdir() if folder.is_dir()]
    if key not in names:
        return f"{key} is not a key or a group.{nearest(key, [*names, *groups])} --help lists them"
    return f"{key} is {value!r}: {_first_sentence(problem)}"


def _whole_number_hint(value: str, kind: str | None) -> str:
    try:
        is_whole = kind == "Integer" and float(value).is_integer()
    except ValueError:
        return ""
    return f" Write {int(float(value))}." if is_whole else ""


def _first_sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _refuse(problems: Sequence[str]) -> NoReturn:
    heading = "This cannot be run:" if len(problems) == 1 else f"This cannot be run, for {len(problems)} reasons:"
    print("\n  ".join([heading, *problems]), file=sys.stderr)
    sys.exit(2)


def _exit_on_signal(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
