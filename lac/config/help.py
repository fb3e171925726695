"""The pages of ``--help``: prose from ``conf/cli``, with every option of a group and every key in its place."""

import textwrap
from collections.abc import Iterable

from omegaconf import OmegaConf

from lac.config.commands import COMMANDS, command_text
from lac.config.schemas import CONFIG_DIR
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import config_keys, owners
from lac.settings.fields import Leaf

_WIDTH = 80
_MEANING_COLUMN = 30  # where meanings begin at the latest

_OVERVIEW = """\
Learn a controller together with a Lyapunov function.

  lac COMMAND [KEY=VALUE ...]

Commands (lac COMMAND --help shows the options of each):
{commands}

Completion of commands, keys and options in bash:
  eval "$(lac -sc install=bash)"
"""


def overview() -> str:
    """The commands of ``lac``, each with its purpose."""
    return _OVERVIEW.format(commands=_table(COMMANDS.items()))


def help_page(command: str) -> str:
    """Everything that ``--help`` prints for a command."""
    register_help()
    return str(OmegaConf.load(CONFIG_DIR / "cli" / f"{command}.yaml").help.template)


def register_help() -> None:
    """Make known to OmegaConf what the pages under ``conf/cli`` leave to this module."""
    for name, function in (("keys", _keys_text), ("options", _options_text), ("command", command_text)):
        OmegaConf.register_new_resolver(f"lac.{name}", function, replace=True)


def allowed_text(leaf: Leaf) -> str:
    """The allowed values of a key, in words."""
    if leaf.rule is not None:
        return str(leaf.rule)
    words = {
        bool: "true or false",
        str: "a text",
        list[int]: "a list of whole numbers, as [64,64]",
        list[str]: "a list",
    }
    return words.get(leaf.type, "a text or null" if leaf.type == str | None else f"of the type {leaf.type}")


def options(group: str) -> dict[str, str]:
    """The options of a config group, each with the first comment of its file."""
    meanings = {}
    for path in sorted((CONFIG_DIR / group).rglob("*.yaml")):
        comments = [
            line[2:] for line in path.read_text().splitlines() if line.startswith("# ") and "@package" not in line
        ]
        meanings[str(path.relative_to(CONFIG_DIR / group).with_suffix(""))] = comments[0] if comments else ""
    return meanings


def _options_text(*groups: str) -> str:
    """The options of config groups, each group under its name."""
    sections = {}
    for group in groups:
        typed = group.replace("cli/", "hydra/")  # presets of launchers, which the command registers with Hydra
        sections[typed] = [(f"{typed}={name}", meaning) for name, meaning in options(group).items()]
    return _sections(sections)


def _keys_text(config_name: str) -> str:
    """All keys of a command's config, those of a part of it under the name of the part."""
    parts: dict[str, list[tuple[str, str]]] = {}
    single: list[tuple[str, str]] = []
    for name, leaf in config_keys(config_name).items():
        part, dot, _ = name.partition(".")
        having = owners(name)
        only = f" ({', '.join(having)})" if having and len(having) < len(ALGORITHMS) else ""
        (parts.setdefault(part, []) if dot else single).append((name, leaf.meaning + only))
    return _sections(parts | ({"others": single} if parts else {"": single}))


def _sections(sections: dict[str, list[tuple[str, str]]]) -> str:
    return "\n\n".join(f"{heading}:\n{_table(rows)}" if heading else _table(rows) for heading, rows in sections.items())


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and meanings in two columns; a name that is too long has its meaning below it."""
    rows = list(rows)
    column = min(_MEANING_COLUMN, 4 + max(len(name) for name, _ in rows))
    margin = " " * column
    lines = []
    for name, meaning in rows:
        head = f"  {name}"
        wrapped = textwrap.wrap(meaning, _WIDTH - column, break_long_words=False, break_on_hyphens=False) or [""]
        if len(head) + 2 <= column:
            lines.append(f"{head:<{column}}{wrapped.pop(0)}".rstrip())
        else:
            lines.append(head)
        lines += [margin + line for line in wrapped]
    return "\n".join(lines)
