import json

import pytest

from lac.reports.comparison import HEADINGS, find_results, group_results, write_report
from lac.runs.folder import FINISHED


def a_run(folder, seed, cost, alpha3=0.1, status=FINISHED, **evaluation):
    folder.mkdir(parents=True)
    config = {"env": {"name": "oscillator", "id": "x"}, "algo": {"name": "lac", "alpha3": alpha3}, "seed": seed}
    (folder / "config.yaml").write_text(json.dumps(config))
    rows = [
        {"env_steps": steps, "test/cost_mean": factor * cost, "test/death_rate": 0.0, "test/ep_len_mean": 400.0}
        for steps, factor in ((100, 3.0), (200, 1.0))
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    final = {"cost_mean": cost, "death_rate": 0.5, "ep_len_mean": 400.0}
    (folder / "summary.json").write_text(json.dumps({"status": status, "final": final}))
    if evaluation:
        (folder / "evaluation.json").write_text(json.dumps(evaluation))


def read_config(folder):
    return json.loads((folder / "config.yaml").read_text())


def row_of(group):
    return dict(zip(HEADINGS, group.row(), strict=True))


def compared(folder):
    results, left_out = find_results([folder])
    return group_results(results), [item.reason for item in left_out]


def test_runs_that_differ_in_the_seed_alone_are_one_line(tmp_path):
    for seed, cost in enumerate([100.0, 1.0, 2.0, 4.0, 3.0]):
        a_run(tmp_path / f"a{seed}", seed, cost)
    a_run(tmp_path / "b", 0, 7.0, alpha3=0.3)
    groups, left_out = compared(tmp_path)
    first, second = map(row_of, groups)
    assert {name: first[name] for name in set(HEADINGS) - {"95 % CI"}} == {
        "environment": "oscillator",
        "algorithm": "lac",
        "differs in": "algo.alpha3=0.1",
        "seeds": 5,
        "early terminations": "50%",
        "settled": "-",
        "after": "-",
        "for longer": "- / -",
        "cost, IQM": "3.0",
        "min to max": "1.0 to 100.0",
        "length": "400",
        "steps": 200,
    }
    low, high = map(float, first["95 % CI"].split(" to "))
    assert 1.0 <= low < 3.0 < high <= 100.0
    assert (second["differs in"], second["cost, IQM"], second["95 % CI"]) == ("algo.alpha3=0.3", "7.0", "-")
    assert left_out == []


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


@pytest.mark.parametrize(("policy", "cost"), [("final", "2.0"), ("best", "9.0")])
def test_an_evaluation_of_the_final_policy_wins_over_the_last_test(tmp_path, policy, cost):
    a_run(tmp_path / "run", 0, 9.0, policy=policy, cost_mean=2.0, death_rate=0.0, ep_len_mean=10.0)
    (group,), _ = compared(tmp_path)
    assert row_of(group)["cost, IQM"] == cost


def test_settling_is_told_over_the_seeds(tmp_path):
    settling = [(1.0, 30), (0.5, 50), (0.0, None)]  # of three seeds, of which one never settles
    for seed, (settled, steps) in enumerate(settling):
        a_run(tmp_path / str(seed), seed, 2.0)
        summary = json.loads((tmp_path / str(seed) / "summary.json").read_text())
        summary["final"] |= {"settled": settled, "settling_steps": steps}
        summary["final_long"] = {"death_rate": 0.2 * seed, "settled": settled / 2}
        (tmp_path / str(seed) / "summary.json").write_text(json.dumps(summary))
    (group,), _ = compared(tmp_path)
    row = row_of(group)
    assert (row["settled"], row["after"], row["for longer"]) == ("50%", "40", "20% / 25%")


def test_a_curve_knows_the_tests_in_which_an_episode_of_some_seed_terminated(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    a_run(tmp_path / "b", 1, 2.0)
    first, second = (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()
    second = json.dumps(json.loads(second) | {"test/death_rate": 0.1})
    (tmp_path / "b" / "metrics.jsonl").write_text(f"{first}\n{second}\n")
    (group,), _ = compared(tmp_path)
    assert group.curve().has_terminated.tolist() == [False, True]


def test_curves_end_where_the_shortest_run_ends(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    a_run(tmp_path / "b", 1, 4.0)
    with (tmp_path / "a" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"env_steps": 300, "test/cost_mean": 1.0}) + "\n")
    (group,), _ = compared(tmp_path)
    curve = group.curve()
    assert curve.steps.tolist() == [100, 200]
    assert curve.cost.value.tolist() == [9.0, 3.0]


def test_the_page_holds_table_and_picture(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    groups, left_out = compared(tmp_path)
    table = write_report(groups, [*left_out, "x is <b>failed</b>"], tmp_path / "out")
    assert "oscillator" in table
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<td>oscillator" in page
    assert "data:image/png;base64,iVBOR" in page
    assert "&lt;b&gt;failed" in page
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["groups"][0]["cost, IQM"] == "2.0"


def test_a_job_of_several_seeds_counts_as_its_seeds(tmp_path):
    for seed, cost in ((1, 2.0), (2, 4.0)):
        a_run(tmp_path / "job" / f"seed-{seed}", seed, cost)
    summary = {"status": FINISHED, "seeds": [1, 2], "final": {"cost_mean": 3.0, "death_rate": 0.5}}
    (tmp_path / "job" / "summary.json").write_text(json.dumps(summary))
    (group,), left_out = compared(tmp_path)
    assert ([result.run.folder.name for result in group.results], left_out) == (["seed-1", "seed-2"], [])
