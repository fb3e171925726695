"""The published protocols under ``conf/protocol``, by name."""

from typing import Any

from omegaconf import OmegaConf

from lac.config.help import options
from lac.config.schemas import CONFIG_DIR
from lac.settings.rules import nearest


def published_protocol(name: str) -> dict[str, Any]:
    """The content of a protocol: its ``name`` and its ``environments``.

    Args:
        name: As on the command line, such as ``han2020/impulse``.

    Raises:
        ValueError: There is none with this name.
    """
    known = [option for option in options("protocol") if option != "none"]
    if name not in known:
        raise ValueError(f"protocol is {name!r}; it must be one of {', '.join(known)}.{nearest(str(name), known)}")
    content: dict[str, Any] = OmegaConf.to_container(  # type: ignore[assignment]
        OmegaConf.load(CONFIG_DIR / "protocol" / f"{name}.yaml"), resolve=True
    )
    return content
