"""What makes a search the same search, which goes on, and what another one, which must not mix with it."""

import signal

import pytest

pytest.importorskip("optuna")

from level_searches import ANY_LEVEL, SEARCH, study_of


def test_another_search_is_not_mixed_into_a_study(search, folder):
    assert search(ANY_LEVEL, "hydra.sweeper.n_trials=1").status == 0
    end = search(ANY_LEVEL, "hydra.sweeper.n_trials=2", "train.steps_per_epoch=20")
    assert end.status == 2
    assert "holds trials of another search" in end.stderr
    assert len(study_of(folder).trials) == 1


def test_another_study_in_the_folder_of_a_search_is_refused(search, folder):
    """Its trials would have the numbers, and so the folders and the results, of the first one's."""
    assert search(ANY_LEVEL, "hydra.sweeper.n_trials=1").status == 0
    before = sorted(folder.rglob("*"))
    end = search(ANY_LEVEL, "hydra.sweeper.n_trials=1", "train.steps_per_epoch=20", "hydra.sweeper.study_name=other")
    assert end.status == 2
    assert "give another hydra.sweep.dir" in end.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("hydra.sweeper.sampler.seed=1", "sampler"),
        ("hydra.sweeper.pruner.name=none", "pruner"),
        ("hydra.sweeper.pruner.n_startup_trials=9", "pruner"),
    ],
)
def test_a_search_does_not_go_on_with_another_sampler_or_pruner(search, change, named):
    assert search(ANY_LEVEL, "hydra.sweeper.n_trials=1").status == 0
    end = search(ANY_LEVEL, "hydra.sweeper.n_trials=2", change)
    assert end.status == 2
    assert f"another search, with other {named};" in end.stderr


def test_a_search_does_not_go_on_if_its_config_has_changed(search, train_here, tmp_path):
    config = tmp_path / "base.yaml"
    command = ("--config-dir", str(tmp_path), "--config-name", "base", *SEARCH, ANY_LEVEL)
    config.write_text("defaults: [train, _self_]\ntrain: {replay_size: 500}\n")
    assert train_here(*command, "hydra.sweeper.n_trials=1").status == 0
    config.write_text("defaults: [train, _self_]\ntrain: {replay_size: 600}\n")
    end = train_here(*command, "hydra.sweeper.n_trials=2")
    assert end.status == 2
    assert "another search, with other config;" in end.stderr


def test_what_pruning_cannot_compare_is_not_searched_for_with_it(search):
    end = search("train.steps_per_epoch=10,20", "hydra.sweeper.n_trials=2")
    assert end.status == 2
    assert "train.steps_per_epoch is searched for" in end.stderr
    assert "add hydra.sweeper.pruner.name=none" in end.stderr
    end = search("train.steps_per_epoch=10,20", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner.name=none")
    assert end.status == 0, end.stderr
    assert "env steps  120, 100% of those without pruning" in end.stdout


def test_joblib_with_one_job_at_a_time_stops_at_a_signal_as_the_basic_launcher_does(search, folder, monkeypatch):
    """Then joblib runs jobs in the process of the sweep."""
    monkeypatch.setattr("signalling_env.AT", 25)
    monkeypatch.setattr("signalling_env.steps", [0])
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "env.id=signalling_env:Signalling-v0")
    end = search(*launcher, "algo.alpha3=interval(0.1,0.5)", "hydra.sweeper.n_trials=3")
    assert end.status == 128 + signal.SIGTERM
    assert [trial.state.name for trial in study_of(folder).trials] == ["RUNNING"]
