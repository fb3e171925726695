"""The settings of searches: defaults, allowed values, the marker of trials, and slots of launchers."""

from dataclasses import fields

import pytest
from omegaconf import OmegaConf

from lac.config.checks import ConfigError
from lac.config.schemas import CONFIG_DIR
from lac.settings.search import SearchSettings
from lac.sweeps.launchers import number_of_slots
from lac.sweeps.search.settings import (
    search_setting_errors,
    search_settings,
    trial_marker,
    trial_number,
)

JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"


def test_the_file_that_users_copy_has_the_defaults_of_the_settings():
    given = OmegaConf.load(CONFIG_DIR / "hydra" / "sweeper" / "optuna.yaml")
    assert search_settings(given) == SearchSettings()
    launch_keys = {"_target_", "params"}
    assert OmegaConf.to_container(given).keys() - launch_keys == {f.name for f in fields(SearchSettings)}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials is 0"),
        ({"n_jobs": 1.5}, "hydra.sweeper.n_jobs is 1.5"),
        ({"sampler": {"seed": -1}}, "hydra.sweeper.sampler.seed is -1"),
        ({"pruner": {"percentile": 101}}, "hydra.sweeper.pruner.percentile is 101"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_its_key(given, named):
    (error,) = search_setting_errors(OmegaConf.create(given))
    assert named in error


def test_only_jobs_with_the_marker_are_trials():
    assert trial_number(OmegaConf.create({"_target_": "any", "params": None})) is None
    key, _, value = trial_marker(7).lstrip("+").removeprefix("hydra.sweeper.").partition("=")
    assert trial_number(OmegaConf.create({key: int(value)})) == 7


# Slots


@pytest.mark.parametrize(
    ("launcher", "n_jobs", "expected"),
    [
        ({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, None, 1),
        ({"_target_": JOBLIB, "n_jobs": 3}, None, 3),
        ({"_target_": JOBLIB, "n_jobs": 3}, 2, 2),
        ({"_target_": JOBLIB, "n_jobs": -2}, None, 7),
        ({"_target_": "somebody.elses.BasicLauncher"}, None, 8),
        ({"_target_": "somebody.elses.BasicLauncher"}, 20, 20),
    ],
)
def test_slots_are_those_of_the_launcher_unless_given(launcher, n_jobs, expected, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("joblib.effective_n_jobs", lambda n: n if n > 0 else 9 + n)
    assert number_of_slots(n_jobs, OmegaConf.create(launcher)) == expected


def test_more_slots_than_the_launcher_has_are_refused():
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.n_jobs is 4.* 3 at a time.*hydra\.launcher\.n_jobs"):
        number_of_slots(4, OmegaConf.create({"_target_": JOBLIB, "n_jobs": 3}))
