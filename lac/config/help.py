"""What ``--help`` shows: the options of groups and the keys with their meaning."""

from lac.config.schemas import CONFIG_DIR
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import config_keys, owners
from lac.settings.fields import Leaf


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
    found = {}
    for path in sorted((CONFIG_DIR / group).rglob("*.yaml")):
        comments = [
            line[2:] for line in path.read_text().splitlines() if line.startswith("# ") and "@package" not in line
        ]
        found[str(path.relative_to(CONFIG_DIR / group).with_suffix(""))] = comments[0] if comments else ""
    return found


def groups_text(*groups: str) -> str:
    """The options of config groups with what they are, one a line."""
    lines = []
    for group in groups:
        shown = group.replace("cli/", "hydra/")
        lines += [f"  {shown + '=' + name:<34} {meaning}" for name, meaning in options(group).items()]
    return "\n".join(lines)


def help_text(config_name: str) -> str:
    """All keys of a script's config with their meaning, one a line."""
    lines = []
    for name, leaf in config_keys(config_name).items():
        having = owners(name) or list(ALGORITHMS)
        only = f" ({', '.join(having)})" if len(having) < len(ALGORITHMS) else ""
        lines.append(f"  {name:<34} {leaf.meaning}{only}")
    return "\n".join(lines).replace("$", "$$")
