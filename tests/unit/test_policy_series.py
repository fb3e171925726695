"""All policies of a run, tested on the same resets and drawn: ``evaluate policy=all``."""

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

import lac
from lac.figures import PolicyTest, policies
from lac.files import json_text
from lac.runs import RunError
from lac.settings.policies import PolicyName, full_name, in_order


@pytest.fixture
def run(saved, tmp_path):
    """A run that has kept epochs 2 and 10, with another policy for epoch 2 than the final one."""
    folder = shutil.copytree(saved, tmp_path / "run")
    agent = lac.load_agent(folder)
    agent.save(folder / "policy/epoch-0010.safetensors")
    agent.save(folder / "policy/best.safetensors")
    for parameter in agent.ac.pi.parameters():
        parameter.data += 0.3
    agent.save(folder / "policy/epoch-0002.safetensors")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"final": {"epoch": 10}, "best": {"epoch": 7}}))
    return folder


@pytest.mark.parametrize("name", ["final", "best", "epoch-7", "epoch-0007", "epoch-12345"])
def test_names_of_policies(name):
    assert PolicyName().accepts(name)
    assert full_name("epoch-7") == full_name("epoch-0007") == "epoch-0007"


@pytest.mark.parametrize("name", ["all", "", "epoch-0", "epoch-", "epoch-1.5", "epoch--1", "Epoch-1", 7, None])
def test_what_is_no_name_of_a_policy(name):
    assert not PolicyName().accepts(name)
    assert PolicyName(with_all=True).accepts("all")


def test_policies_are_in_the_order_of_training(run):
    assert lac.load_run(run).policies == ["epoch-0002", "epoch-0010", "best", "final"]
    assert in_order(["final", "epoch-20000", "epoch-3000", "other"]) == ["epoch-3000", "epoch-20000", "final", "other"]
    with pytest.raises(
        RunError, match=r"epoch-0003.safetensors is missing .saved policies: epoch-0002, epoch-0010, be"
    ):
        lac.load_run(run).policy("epoch-3")


def test_each_policy_has_the_figures_that_it_has_alone(script_here, run):
    end = script_here("evaluate.py", f"run_dir={run}", "policy=all", "episodes=3", "first_seed=5")
    assert (end.status, end.stderr) == (0, "")
    whole = json.loads((run / "evaluation-policy=all.json").read_text())
    rows = {row.pop("policy"): row for row in whole["policies"]}
    assert {name: row.pop("epoch") for name, row in rows.items()} == {
        "epoch-0002": 2, "epoch-0010": 10, "best": 7, "final": 10,
    }  # fmt: skip
    assert rows["epoch-0010"] == rows["final"] == rows["best"]
    assert rows["epoch-0002"]["cost_mean"] != rows["final"]["cost_mean"]
    loaded = lac.load_run(run)
    alone = lac.evaluate(loaded.policy("epoch-2"), loaded.environment(), episodes=3, first_seed=5)
    assert json.loads(json_text(alone)) == rows["epoch-0002"]
    with (run / "evaluation-policy=all.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["policy"], row["reset_seed"]) for row in table[:4]] == [("epoch-0002", str(i)) for i in (5, 6, 7)] + [
        ("epoch-0010", "5")
    ]
    costs = [float(row["cost"]) for row in table if row["policy"] == "epoch-0002"]
    assert np.mean(costs) == pytest.approx(rows["epoch-0002"]["cost_mean"])
    assert (run / "figures" / "evaluation-policy=all.png").stat().st_size > 0
    assert [line.split("  ")[-1] for line in end.stdout.splitlines()[1:5]] == [
        "epoch-0002", "epoch-0010", "best (epoch 7)", "final (epoch 10)",
    ]  # fmt: skip


def test_a_damaged_policy_does_not_keep_the_others_from_being_tested(script_here, monkeypatch, run):
    monkeypatch.setattr("lac.figures.policies", lambda _tests, path, _title: path.touch())
    (run / "policy/epoch-0002.safetensors").write_bytes(b"no policy")
    end = script_here("evaluate.py", f"run_dir={run}", "policy=all", "episodes=2")
    assert end.status == 1
    assert "epoch-0002.safetensors is damaged" in end.stderr
    assert "best (epoch 7)" in end.stdout
    end = script_here("evaluate.py", f"run_dir={run}", "policy=all", "video=true")
    assert (end.status, "video is true, but policy=all tests every policy" in end.stderr) == (2, True)


def result(name, epoch, costs, terminated, settling_steps):
    rollouts = SimpleNamespace(
        total_costs=np.array(costs), terminated=np.array(terminated), settling_steps=np.array(settling_steps)
    )
    return PolicyTest(name, epoch, rollouts)


def test_the_picture_shows_each_policy_at_its_epoch(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_args, **_kwargs: drawn.append(figure))
    nan = np.nan
    tests = [
        result("epoch-0010", 10, [1.0, 3.0], [False, False], [4.0, 8.0]),
        result("epoch-0005", 5, [10.0, 20.0], [True, False], [nan, 8.0]),
        result("best", 7, [1.0, 1.0], [False, False], [4.0, nan]),
        result("final", 10, [1.0, 3.0], [False, False], [4.0, 8.0]),
    ]
    policies(tests, tmp_path / "policies.png", "a run")
    costs, shares = ([(list(a.get_xdata()), list(a.get_ydata())) for a in axes.lines] for axes in drawn[0].axes)
    assert costs == [([5, 10], [15, 2]), ([7], [1]), ([10], [2]), ([5], [15])]  # series, best, final, a failure
    assert shares[:3] == [([5, 10], [50, 100]), ([7], [50]), ([10], [100])]  # settled
    assert shares[3:] == [([5, 10], [50, 0]), ([7], [0]), ([10], [0])]  # early terminations
