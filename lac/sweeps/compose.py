"""The configs of the jobs of a sweep, composed from their overrides."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, open_dict

from lac.config.checks import ConfigError


def job_configs(
    loader: ConfigLoader, config: DictConfig, combinations: Sequence[Sequence[str]]
) -> Iterator[DictConfig]:
    """The config of each job, without the node ``hydra``.

    The result is that of ``loader.load_sweep_config``, but the groups are composed only once for all jobs that select
    the same options.

    Args:
        loader: Hydra's loader.
        config: The sweep's own config, with ``hydra``.
        combinations: The overrides of each job.

    Raises:
        ConfigError: A job is to continue a run.
    """
    assert isinstance(loader, ConfigLoaderImpl)
    parse = cache(OverridesParser.create(loader).parse_override)

    @cache
    def compose(*groups: str) -> DictConfig:
        composed = loader.load_sweep_config(config, list(groups))
        with open_dict(composed):
            del composed["hydra"]
        return composed

    for overrides in combinations:
        groups = [text for text in overrides if loader.repository.group_exists(parse(text).key_or_group)]
        composed = deepcopy(compose(*groups))
        ConfigLoaderImpl._apply_overrides_to_config([parse(text) for text in overrides if text not in groups], composed)
        if composed.get("resume") is not None:
            resume = f"resume is {str(composed.resume)!r}, which is for one run"
            raise ConfigError([f"{resume}; leave -m out, or resume: the command of a sweep continues its jobs"])
        yield composed


def with_output_dir(overrides: Sequence[str], folder: Path, name: str) -> list[str]:
    """The overrides of a job, with those that set its run folder.

    Args:
        overrides: The overrides of the job.
        folder: The sweep folder.
        name: Name of the run folder in it.
    """
    # As resolved values, since workers may start in another folder and do not have the resolvers.
    sweep_dir, subdir = (QuotedString(str(path), Quote.single).with_quotes() for path in (folder.absolute(), name))
    return [*overrides, f"hydra.sweep.dir={sweep_dir}", f"hydra.sweep.subdir={subdir}"]
