"""What the environment variables and keys of Weights & Biases ask for; settings of the run win over them."""

import netrc
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

MODES = ("auto", "online", "offline", "disabled")
MAX_TAG_LENGTH = 64
"""W&B refuses a run with a longer tag."""

_HOSTS = ("api.forge.coreweave.com", "api.wandb.ai")  # `wandb login` stores the key under the first since wandb 0.31
_MODE_NAMES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
# The process gets the mode, the tags and the run from the training; W&B fails at values of these that it does not know.
_REPLACED = {"WANDB_MODE", "WANDB_TAGS", "WANDB_RESUME", "WANDB_SERVICE"}


def resolve_mode(mode: str) -> tuple[str, str]:
    """The mode to use and the reason for it, which names the variables that are not used.

    ``auto`` is what ``WANDB_DISABLED`` or ``WANDB_MODE`` says, else online if an API key is configured, else offline.
    """
    if mode not in MODES:
        raise ValueError(f"wandb.mode is {mode!r}; it must be one of {', '.join(MODES)}")
    wishes = _mode_wishes()
    known = [(wish, text) for text, wish in wishes.items() if wish is not None]
    if mode != "auto":
        chosen, reason = mode, "as configured"
    elif known:
        chosen, reason = known[0]
    elif has_key():
        chosen, reason = "online", "an API key is configured"
    else:
        chosen, reason = "offline", "no API key is configured"
    return chosen, with_unused(reason, [text for text, wish in wishes.items() if wish != chosen])


def with_unused(reason: str, variables: Iterable[str]) -> str:
    """A reason, followed by the environment variables that are not used."""
    return "; ".join([reason, *(f"{text} is not used" for text in variables)])


def _mode_wishes() -> dict[str, str | None]:
    """The variables about the mode as ``NAME=VALUE``, and the mode that each asks for; None where it is none."""
    wishes: dict[str, str | None] = {}
    disabled, mode = os.environ.get("WANDB_DISABLED", ""), os.environ.get("WANDB_MODE", "")
    if disabled.lower() in _TRUE:
        wishes[f"WANDB_DISABLED={disabled}"] = "disabled"
    elif disabled.lower() not in _FALSE:
        wishes[f"WANDB_DISABLED={disabled} (neither true nor false)"] = None
    if mode.lower() in _MODE_NAMES:
        wishes[f"WANDB_MODE={mode}"] = _MODE_NAMES[mode.lower()]
    elif mode:
        wishes[f"WANDB_MODE={mode} (not online, offline or disabled)"] = None
    return wishes


def has_key() -> bool:
    """Whether an API key is configured, in the environment or by ``wandb login``."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    address = urlsplit(os.environ.get("WANDB_BASE_URL") or f"https://{_HOSTS[0]}")
    hosts = _HOSTS if address.hostname in _HOSTS else (address.netloc, address.hostname or "")
    try:
        keys = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(host in keys.hosts for host in hosts)


def asked(setting: str | None, variable: str) -> str | None:
    """A setting where it is given, else the value of an environment variable; None if that is not set either."""
    return setting or os.environ.get(variable) or None


def all_tags(tags: Iterable[str]) -> tuple[list[str], list[str]]:
    """Tags and those of ``WANDB_TAGS``, each once: the ones that W&B takes, and the ones that it would refuse."""
    words = [*tags, *(word.strip() for word in os.environ.get("WANDB_TAGS", "").split(","))]
    every = [word for word in dict.fromkeys(words) if word]
    taken = [word for word in every if len(word) <= MAX_TAG_LENGTH]
    return taken, [word for word in every if word not in taken]


def data_folder(run_dir: Path) -> Path:
    """The folder in which W&B makes its folder ``wandb``: ``WANDB_DIR``, else the run folder."""
    return Path(os.environ.get("WANDB_DIR") or run_dir).expanduser().resolve()


def sweep_run_id() -> str | None:
    """The id of the run that the agent of a W&B sweep has created for this process; None outside a sweep."""
    return os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None


def process_environment(folder: Path) -> dict[str, str]:
    """The environment variables of the W&B process.

    Args:
        folder: The folder of :func:`data_folder`.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _REPLACED}
    # Artifacts are staged there instead of in the home folder.
    kept.setdefault("WANDB_DATA_DIR", str(folder / "wandb"))
    roots = [str(Path(__file__).parents[2]), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(roots)}
