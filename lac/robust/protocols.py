"""Published protocols: the grids that a file under ``conf/protocol`` has for each environment."""

from collections.abc import Mapping
from typing import Any

from lac.robust.grids import Grid, grid_errors


class ProtocolError(ValueError):
    """A protocol that cannot be followed; ``errors`` are sentences."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def protocol_grids(name: str, environments: Mapping[str, Any], env_id: str) -> list[Grid]:
    """The grids of a protocol for an environment.

    Args:
        name: Name of the protocol.
        environments: By the id of an environment, a list of grids, each a mapping with ``disturbance`` and ``vary``.
        env_id: The id of the environment.

    Raises:
        ProtocolError: It has no version for this environment, or its text is wrong.
    """
    if env_id not in environments:
        known = ", ".join(environments) or "none"
        raise ProtocolError([f"protocol {name} has no version for {env_id}; it has those for {known}"])
    place, version = f"protocol.environments.{env_id}", environments[env_id]
    is_known = isinstance(version, list) and all(_is_grid(part) for part in version)
    if not (version and is_known):
        raise ProtocolError(
            [f"{place} is {version!r}; it must be a list of grids, each with a disturbance and what to vary"]
        )
    grids = [Grid.of(part["disturbance"], part["vary"]) for part in version]
    errors = [f"{place}[{i}]: {error}" for i, grid in enumerate(grids) for error in grid_errors(grid)]
    if errors:
        raise ProtocolError(errors)
    return grids


def _is_grid(part: object) -> bool:
    return (
        isinstance(part, Mapping)
        and set(part) == {"disturbance", "vary"}
        and all(isinstance(value, Mapping) for value in part.values())
    )
