"""The command robustness over saved runs: what it writes, where it continues, and what it does not mix."""

import csv
import json
import re
import shutil

import pytest
from saved_run_support import compose_config, save_run

from lac.robust import running

GRID = ["disturbance=impulse", "disturbance.at_step=2", "disturbance.channel=external_force", "vary.magnitude=[20,40]"]
NAME = "impulse-at_step=2-channel=external_force-magnitude=20+40-episodes=3"
FILES = ("results.csv", "results.json")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folders = [tmp_path_factory.mktemp("saved") / name for name in ("first", "second")]
    for folder in folders:
        save_run(folder, compose_config())
    return folders


@pytest.fixture
def sweep(saved, tmp_path):
    """Three runs with 7 steps an episode; ``low`` and ``other`` differ in their seed, ``high`` also in alpha3."""
    for seed, (name, source) in enumerate(zip(("low", "other", "high"), (*saved, saved[0]), strict=True)):
        run = shutil.copytree(source, tmp_path / "sweep" / name)
        config = re.sub(r"\nseed: \w+\n", f"\nseed: {seed}\n", (run / "config.yaml").read_text())
        config = config.replace("alpha3: 0.1", "alpha3: 0.3") if name == "high" else config
        (run / "config.yaml").write_text(config)
    return tmp_path / "sweep"


@pytest.fixture
def test_policies(script_here, monkeypatch):
    monkeypatch.setattr("lac.robust.conducting.draw", lambda _study, _summary, path, _title: path.touch())
    return lambda *arguments: script_here("robustness.py", "episodes=3", *arguments)


@pytest.fixture
def measured(monkeypatch):
    """The variants that are measured, as they come; after the number in ``left`` Ctrl-C is pressed."""

    class Measured(list):
        left = 1000

    labels, measure = Measured(), running.measure

    def counted(subject, policy, variant, seeds, steps):
        if len(labels) == labels.left:
            raise KeyboardInterrupt
        labels.append(f"{subject.name} {variant.label}")
        return measure(subject, policy, variant, seeds, steps)

    monkeypatch.setattr(running, "measure", counted)
    return labels


def contents(folder):
    return [(folder / name).read_bytes() for name in FILES]


def rows(folder):
    with (folder / "results.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_nominal_case_has_the_numbers_of_evaluate(test_policies, script_here, sweep, monkeypatch):
    monkeypatch.setattr("lac.figures.trajectories", lambda _rollouts, path, *_: path.touch())
    run = sweep / "low"
    assert script_here("evaluate.py", "episodes=3", f"run_dir={run}").status == 0
    assert script_here("evaluate.py", "episodes=3", f"run_dir={run}", *GRID[:3], "disturbance.magnitude=40").status == 0
    end = test_policies(f"run_dir={run}", *GRID)
    assert (end.status, end.stderr) == (0, "")
    told = json.loads((run / "robustness" / NAME / "results.json").read_text())
    figures = {variant["variant"]: variant["runs"]["low"] for variant in told["variants"]}
    for label, file in (
        ("nominal", "evaluation.json"),
        ("magnitude=40", "evaluation-impulse-magnitude=40-at_step=2-channel=external_force.json"),
    ):
        evaluated = json.loads((run / file).read_text())
        names = ("cost_mean", "cost_std", "ep_len_mean", "death_rate", "settled")
        assert {name: figures[label][name] for name in names} == {name: evaluated[name] for name in names}


@pytest.mark.parametrize(
    ("text", "other", "methods"),
    [
        ("termination_cost: null", "termination_cost: 5.0", {"LAC termination_cost=None", "LAC termination_cost=5.0"}),
        ("num_envs: 1", "num_envs: 2", {"LAC num_envs=1", "LAC num_envs=2"}),
        ("save_freq: ", "save_freq: 1", {"LAC"}),  # which changes nothing in the policy
    ],
)
def test_a_method_is_what_differs_in_the_training_seed_alone(text, other, methods, test_policies, sweep):
    shutil.rmtree(sweep / "high")
    config = (sweep / "other" / "config.yaml").read_text()
    assert text in config
    (sweep / "other" / "config.yaml").write_text(config.replace(text, other))
    assert test_policies(f"run_dir={sweep}", *GRID).status == 0
    (folder,) = (sweep / "robustness").iterdir()
    assert {row["method"] for row in rows(folder)} == methods


def test_runs_are_side_by_side_with_a_controller(test_policies, sweep):
    end = test_policies(f"run_dir={sweep}", "controller=lqr", *GRID)
    assert (end.status, end.stderr) == (0, "")
    (folder,) = (sweep / "robustness").iterdir()
    assert folder.name == f"{NAME}-cartpole_cost-max_episode_steps=500-max_ep_len=7"
    assert {(row["run"], row["method"], row["training_seed"]) for row in rows(folder)} == {
        ("low", "LAC alpha3=0.1", "0"),
        ("other", "LAC alpha3=0.1", "1"),
        ("high", "LAC alpha3=0.3", "2"),
        ("controller=lqr", "lqr", ""),
    }
    headings = [text.strip() for text in end.stdout.splitlines()[1].split("  ") if text.strip()]
    assert headings == ["LAC alpha3=0.3", "LAC alpha3=0.1 (2 runs)", "lqr"]
    resets = {}
    for row in rows(folder):
        resets.setdefault((row["run"], row["variant"]), []).append(row["reset_seed"])
    assert len(resets) == 4 * 3
    assert len({tuple(seeds) for seeds in resets.values()}) == 1


def test_a_study_that_was_interrupted_continues_and_ends_with_the_same_bytes(test_policies, sweep, measured):
    arguments = [f"run_dir={sweep}", *GRID]
    assert test_policies(*arguments, f"output={sweep / 'whole'}").status == 0
    (whole,) = (sweep / "whole").iterdir()
    everything = list(measured)
    assert len(everything) == 9

    measured.clear()
    measured.left = 4
    assert test_policies(*arguments).status == 130
    (folder,) = (sweep / "robustness").iterdir()
    assert json.loads((folder / "results.json").read_text())["complete"] is False
    assert len(rows(folder)) == 4 * 3
    # A power cut within the last line: that test is made again.
    (folder / "results.csv").write_bytes((folder / "results.csv").read_bytes()[:-20])

    measured.clear()
    measured.left = 1000
    assert test_policies(*arguments).status == 0
    assert measured == everything[3:]
    assert contents(folder) == contents(whole)

    measured.clear()
    assert test_policies(*arguments).status == 0
    assert (measured, contents(folder)) == ([], contents(whole))


def test_another_policy_in_the_folder_is_measured_again(test_policies, saved, sweep, measured):
    arguments = [f"run_dir={sweep}", *GRID]
    assert test_policies(*arguments).status == 0
    (folder,) = (sweep / "robustness").iterdir()
    before, policy = rows(folder), "policy/final.safetensors"
    shutil.copy(saved[1] / policy, sweep / "low" / policy)
    measured.clear()
    assert test_policies(*arguments).status == 0
    assert [label.split()[0] for label in measured] == ["low"] * 3
    now = {name: [row["cost"] for row in rows(folder) if row["run"] == name] for name in ("low", "other", "high")}
    assert now["low"] == now["other"]  # the same policy on the same resets
    assert now["high"] == [row["cost"] for row in before if row["run"] == "high"]


def test_other_values_have_a_folder_of_their_own_and_other_settings_are_refused(test_policies, sweep):
    run = sweep / "low"
    assert test_policies(f"run_dir={run}", *GRID).status == 0
    first = contents(run / "robustness" / NAME)
    assert test_policies(f"run_dir={run}", *GRID[:3], "vary.magnitude=[20,50]").status == 0
    assert test_policies(f"run_dir={run}", *GRID, "steps=9").status == 0
    assert len(list((run / "robustness").iterdir())) == 3
    assert contents(run / "robustness" / NAME) == first

    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("kwargs: {}", "kwargs: {gravity: 5}"))
    end = test_policies(f"run_dir={run}", *GRID)
    assert end.status == 2
    assert "has results with other settings (environment); remove it" in end.stderr
    assert contents(run / "robustness" / NAME) == first


def test_what_cannot_be_tested_is_named_and_the_rest_is_tested(test_policies, sweep):
    shutil.rmtree(sweep / "other" / "policy")
    (sweep / "high" / "summary.json").write_text('{"status": "failed"}')
    end = test_policies(f"run_dir={sweep}", *GRID)
    assert end.status == 1
    assert "other" in end.stderr
    assert "high is failed" in end.stderr
    (folder,) = (sweep / "robustness").iterdir()
    assert {row["run"] for row in rows(folder)} == {"low"}


def test_each_environment_has_its_own_results_and_one_that_a_protocol_lacks_is_named(test_policies, sweep):
    config = (sweep / "high" / "config.yaml").read_text()
    assert "max_ep_len: 7" in config
    (sweep / "high" / "config.yaml").write_text(config.replace("max_ep_len: 7", "max_ep_len: 5"))
    assert test_policies(f"run_dir={sweep}", *GRID).status == 0
    lengths = {folder.name[-1]: {row["length"] for row in rows(folder)} for folder in (sweep / "robustness").iterdir()}
    assert lengths == {"7": {"7"}, "5": {"5"}}
    # With a length of their own the episodes are the same, and so is the controller.
    assert test_policies(f"run_dir={sweep}", "controller=lqr", "steps=4", *GRID).status == 0
    (together,) = (sweep / "robustness").glob("*steps=4*")
    assert len({row["run"] for row in rows(together)}) == 4
    assert len(rows(together)) == 4 * 3 * 3
    end = test_policies(f"run_dir={sweep}", "protocol=han2020/noise")
    assert end.status == 2
    assert "protocol han2020/noise has no version for lac/CartPoleCost-v1; it has those for lac/Osc" in end.stderr
