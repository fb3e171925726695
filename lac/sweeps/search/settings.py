"""The settings of a search from Hydra's config, and the marker of its jobs."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.settings.fields import setting_errors
from lac.settings.search import PrunerSettings, SamplerSettings, SearchSettings


def search_settings(sweeper: DictConfig) -> SearchSettings:
    """The settings in the config of the sweeper; missing ones have their defaults.

    Args:
        sweeper: The node ``hydra.sweeper``; keys that are not settings of a search are ignored.

    Raises:
        ValueError: A value is not allowed; see :func:`search_setting_errors`.
    """
    plain = _plain(sweeper)
    given = {name: plain[name] for name in ("n_trials", "n_jobs", "storage", "study_name") if name in plain}
    return SearchSettings(
        **given, sampler=SamplerSettings(**plain.get("sampler", {})), pruner=PrunerSettings(**plain.get("pruner", {}))
    )


def search_setting_errors(sweeper: DictConfig) -> list[str]:
    """An error message for each setting whose value is not allowed."""
    return setting_errors(SearchSettings, _plain(sweeper), "hydra.sweeper.")


def _plain(sweeper: DictConfig) -> dict[str, Any]:
    plain: dict[str, Any] = OmegaConf.to_container(sweeper, resolve=True)  # type: ignore[assignment]
    return plain


_TRIAL = "trial"


def trial_marker(number: int) -> str:
    """The override that marks a job as a trial of a search, in any process."""
    return f"++hydra.sweeper.{_TRIAL}={number}"


def trial_number(sweeper: DictConfig) -> int | None:
    """The trial number of the running job; None if it is not a trial of a search.

    Args:
        sweeper: The node ``hydra.sweeper`` of the job's config.
    """
    number: int | None = OmegaConf.select(sweeper, _TRIAL)
    return number
