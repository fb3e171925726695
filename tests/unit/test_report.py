import hashlib
import json

import pytest
from report_support import a_run, change_summary

from lac.evaluation.rollouts import FIRST_TEST_SEED
from lac.reports.groups import group_results
from lac.reports.results import find_results
from lac.reports.table import console_table, group_row, markdown_table, rows_of
from lac.runs.folder import FINISHED


def row_of(group):
    return {name: cell.text for name, cell in group_row(group).items()}


def compared(folder):
    results, left_out = find_results([folder])
    return group_results(results), [item.reason for item in left_out]


def test_runs_that_differ_in_the_seed_alone_are_one_line(tmp_path):
    for seed, cost in enumerate([100.0, 1.0, 2.0, 4.0, 3.0]):
        a_run(tmp_path / f"a{seed}", seed, cost)
    a_run(tmp_path / "b", 0, 7.0, alpha3=0.3)
    groups, left_out = compared(tmp_path)
    first, second = map(row_of, groups)
    interval = first.pop("95 % CI")
    assert first == {
        "environment": "oscillator",
        "algorithm": "lac",
        "differs in": "algo.alpha3=0.1",
        "seeds": "5",
        "early terminations": "50%",
        "settled": "-",
        "after": "-",
        "terminations, 4x": "-",
        "settled, 4x": "-",
        "cost, IQM": "3",
        "min to max": "1 to 100.0",
        "length": "400",
        "steps": "200",
        "resets": "-",
    }
    low, high = map(float, interval.split(" to "))
    assert 1.0 <= low < 3.0 < high <= 100.0
    assert (second["differs in"], second["cost, IQM"], second["95 % CI"]) == ("algo.alpha3=0.3", "7", "-")
    assert left_out == []


def test_whole_numbers_are_the_same_setting_however_they_are_written(tmp_path):
    for seed, alpha3 in enumerate((1, 1.0)):
        a_run(tmp_path / str(seed), seed, 1.0, alpha3=alpha3)
    (group,), _ = compared(tmp_path)
    assert len(group.results) == 2


def test_runs_of_other_lengths_show_their_steps(tmp_path):
    for seed in (0, 1):
        a_run(tmp_path / str(seed), seed, 1.0)
    assert "steps" not in console_table(rows_of(compared(tmp_path)[0], []))
    metrics = tmp_path / "1" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + metrics.read_text().splitlines()[-1].replace("200", "300") + "\n")
    groups, _ = compared(tmp_path)
    assert group_row(groups[0])["steps"].text == "200 to 300"
    assert "200 to 300" in console_table(rows_of(groups, []))
    a_run(tmp_path / "2", 0, 1.0, algo="sac")
    assert "| steps" in markdown_table(rows_of(compared(tmp_path)[0], []))


def test_a_setting_that_an_earlier_version_did_not_have_counts_as_its_default(tmp_path):
    for seed, own in enumerate(
        [{"patience": None, "checkpoint_seconds": 60.0}, {"checkpoint_seconds": 5.0}, {}, {"patience": 3}]
    ):
        a_run(tmp_path / str(seed), seed, 10.0)
        config = json.loads((tmp_path / str(seed) / "config.yaml").read_text())
        (tmp_path / str(seed) / "config.yaml").write_text(json.dumps(config | {"train": {"epochs": 2} | own}))
    results, _ = find_results([tmp_path])
    assert [len(group.results) for group in group_results(results)] == [3, 1]


def test_what_is_not_a_result_is_left_out_with_its_reason(tmp_path):
    a_run(tmp_path / "good", 0, 5.0)
    a_run(tmp_path / "failed", 1, 1.0, status="failed")
    a_run(tmp_path / "killed", 2, 1.0, status="running")  # nobody holds its lock
    a_run(tmp_path / "again", 0, 5.0)
    a_run(tmp_path / "attempts" / "good-1", 0, 1.0)
    groups, left_out = compared(tmp_path)
    assert [result.run.folder.name for group in groups for result in group.results] == ["again"]
    reasons = [sentence.removeprefix(f"{tmp_path}/") for sentence in left_out]
    assert reasons == ["failed is failed", f"good has config and seed of {tmp_path}/again", "killed is interrupted"]


@pytest.mark.parametrize(
    ("policy", "later", "first", "cost"),
    [
        ("final", None, None, "2"),
        ("best", 200, None, "9"),
        ("final", 100, 100, "9"),  # that of the training, in which all runs have the same resets
        ("final", 200, 100, "2"),
    ],
)
def test_an_evaluation_of_the_final_policy_with_more_resets_wins(tmp_path, policy, later, first, cost):
    a_run(tmp_path / "run", 0, 9.0, policy=policy, cost_mean=2.0, death_rate=0.0, ep_len_mean=10.0, episodes=later)
    if first is not None:
        change_summary(tmp_path / "run", final={"cost_mean": 9.0, "death_rate": 0, "ep_len_mean": 1, "episodes": first})
    (group,), _ = compared(tmp_path)
    assert row_of(group)["cost, IQM"] == cost


def test_an_evaluation_on_other_resets_or_of_an_earlier_policy_does_not_count(tmp_path):
    a_run(tmp_path / "run", 0, 9.0)
    (tmp_path / "run" / "policy").mkdir()
    (tmp_path / "run" / "policy" / "final.safetensors").write_bytes(b"weights")
    usual = {"policy": "final", "first_seed": FIRST_TEST_SEED, "steps": None, "cost_mean": 2.0, "death_rate": 0.0}
    usual |= {"ep_len_mean": 10.0, "episodes": 200, "sha256": hashlib.sha256(b"weights").hexdigest()}
    costs = []
    for changes in ({}, {"first_seed": 3}, {"sha256": hashlib.sha256(b"others").hexdigest()}):
        (tmp_path / "run" / "evaluation.json").write_text(json.dumps(usual | changes))
        (group,), _ = compared(tmp_path)
        costs.append(row_of(group)["cost, IQM"])
    assert costs == ["2", "9", "9"]


def test_tests_under_a_disturbance_are_of_another_environment(tmp_path):
    for seed, disturbance in enumerate(
        [{"kind": "none", "name": "none"}, {"kind": "parameters", "name": "parameters", "values": {"K": 5.0}}, None]
    ):
        a_run(tmp_path / str(seed), seed, 2.0, policy="final", cost_mean=1.0, death_rate=0, ep_len_mean=1, episodes=300)
        config = json.loads((tmp_path / str(seed) / "config.yaml").read_text())
        whole = config if disturbance is None else config | {"disturbance": disturbance}
        (tmp_path / str(seed) / "config.yaml").write_text(json.dumps(whole))
    groups, _ = compared(tmp_path)
    assert [group.env for group in groups] == ["oscillator", "oscillator, disturbance=parameters, K=5.0"]
    assert [len(group.results) for group in groups] == [2, 1]
    assert [row_of(group)["cost, IQM"] for group in groups] == ["1", "2"]  # a later test is without the disturbance


def test_environments_of_one_name_that_differ_in_a_test_are_told_apart(tmp_path):
    for seed, steps in enumerate((None, 500)):
        a_run(tmp_path / str(seed), seed, 2.0, env={"max_episode_steps": steps})
    groups, _ = compared(tmp_path)
    assert [group.env for group in groups] == ["oscillator", "oscillator, max_episode_steps=500"]


def test_settling_is_told_over_the_seeds(tmp_path):
    settling = [(1.0, 30), (0.5, 50), (0.0, None)]  # of three seeds, of which one never settles
    for seed, (settled, steps) in enumerate(settling):
        a_run(tmp_path / str(seed), seed, 2.0)
        final = {"cost_mean": 2.0, "death_rate": 0.0, "ep_len_mean": 9, "settled": settled, "settling_steps": steps}
        change_summary(tmp_path / str(seed), final=final, final_long={"death_rate": 0.2 * seed, "settled": settled / 2})
    (group,), _ = compared(tmp_path)
    row = row_of(group)
    assert (row["settled"], row["after"]) == ("50%", "40")
    assert (row["terminations, 4x"], row["settled, 4x"]) == ("20%", "25%")


def test_a_curve_knows_the_tests_in_which_an_episode_of_some_seed_terminated(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    a_run(tmp_path / "b", 1, 2.0)
    first, second = (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()
    second = json.dumps(json.loads(second) | {"test/death_rate": 0.1})
    (tmp_path / "b" / "metrics.jsonl").write_text(f"{first}\n{second}\n")
    (group,), _ = compared(tmp_path)
    assert group.curve.death_rates.tolist() == [[0.0, 0.0], [0.0, 0.1]]


def test_curves_end_where_the_shortest_run_ends(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    a_run(tmp_path / "b", 1, 4.0)
    with (tmp_path / "a" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"env_steps": 300, "test/cost_mean": 1.0}) + "\n")
    (group,), _ = compared(tmp_path)
    curve = group.curve
    assert curve.steps.tolist() == [100, 200]
    assert curve.cost.value.tolist() == [9.0, 3.0]


def test_a_job_of_several_seeds_counts_as_its_seeds(tmp_path):
    for seed, cost in ((1, 2.0), (2, 4.0)):
        a_run(tmp_path / "job" / f"seed-{seed}", seed, cost)
    summary = {"status": FINISHED, "seeds": [1, 2], "final": {"cost_mean": 3.0, "death_rate": 0.5}}
    (tmp_path / "job" / "summary.json").write_text(json.dumps(summary))
    (group,), left_out = compared(tmp_path)
    assert ([result.run.folder.name for result in group.results], left_out) == (["seed-1", "seed-2"], [])


def test_runs_of_both_doors_are_compared_and_what_a_config_does_not_show_keeps_them_apart(tmp_path):
    """One has the short name of the option of the command, the others the id alone."""
    for seed, name in enumerate(("x", "gym", "gym")):
        a_run(tmp_path / str(seed), seed, 2.0, env={"name": name, "id": "lac/X-v1"})
    change_summary(tmp_path / "2", unmade_environment="its attribute mu is 2.0")
    results, left_out = find_results([tmp_path])
    assert left_out == []
    assert [result.env for result in results] == ["x", "x", "x, env_fn=its attribute mu is 2.0"]
    assert [len(group.results) for group in group_results(results)] == [2, 1]
