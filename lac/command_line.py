"""What the scripts share: one message for wrong input, and an orderly end."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException, UnsupportedValueType, ValidationError

from lac.config import CONFIG_DIR, SCHEMAS, allowed_text, leaves, options
from lac.experiment import ConfigError, config_problems
from lac.validation import nearest

T = TypeVar("T")

WANTS_TRACEBACK = os.environ.get("HYDRA_FULL_ERROR", "0") not in {"", "0"}


def run_app(main: Callable[[], Any], config_name: str) -> NoReturn:
    """Run a Hydra main function; wrong input ends it with one message and exit status 2.

    ``HYDRA_FULL_ERROR=1`` shows the traceback instead. Ctrl-C and SIGTERM end a run as interrupted.
    """
    # Hydra would print its own message and exit with 1; this makes it raise.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    signal.signal(signal.SIGTERM, _exit_on_signal)
    # Constructor arguments are free, so that Hydra need not know them beforehand.
    sys.argv[1:] = [f"++{text}" if text.startswith("env.kwargs.") else text for text in sys.argv[1:]]
    try:
        main()
    except (HydraException, OmegaConfBaseException) as error:
        if WANTS_TRACEBACK:
            raise
        _refuse(explain(error, config_name, sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def run_job(task: Callable[[DictConfig], T], cfg: DictConfig) -> T:
    """Run one job of a script; a config that cannot be run ends the program, without Hydra's own words."""
    try:
        return task(cfg)
    except ConfigError as error:
        if WANTS_TRACEBACK:
            raise
        _refuse(error.problems)


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
    if (CONFIG_DIR / key).is_dir():
        choices = options(key)
        return f"{key} is {value!r}; it must be one of {', '.join(choices)}.{nearest(value, choices)}"
    types = dict(leaves(SCHEMAS[config_name]))
    if key not in types:
        groups = [folder.name for folder in CONFIG_DIR.iterdir() if folder.is_dir()]
        return f"{key} is not a key or a group.{nearest(key, [*types, *groups])} --help lists them"
    if text.startswith("~"):
        return f"{key} cannot be removed; give it a value"
    if isinstance(problem.__cause__, (ValidationError, UnsupportedValueType)) or "could not be converted" in str(
        problem
    ):
        return f"{key} is {value!r}; it must be {allowed_text(key, types[key])}.{_whole_number_hint(value)}"
    return f"{key} is {value!r}: {_first_sentence(problem)}"


def _whole_number_hint(value: str) -> str:
    try:
        return f" Write {int(float(value))}." if float(value).is_integer() and not value.isdigit() else ""
    except (ValueError, OverflowError):
        return ""


def _first_sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _refuse(problems: Sequence[str]) -> NoReturn:
    heading = "This cannot be run:" if len(problems) == 1 else f"This cannot be run, for {len(problems)} reasons:"
    print("\n  ".join([heading, *problems]), file=sys.stderr)
    sys.exit(2)


def _exit_on_signal(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
