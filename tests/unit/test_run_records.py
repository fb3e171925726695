"""``runs.jsonl`` of a report: a later report on it says the same without the run folders."""

import json
import shutil

import pytest
from report_support import a_run, change_summary

from lac.reports.comparison import compare
from lac.reports.results import find_results
from lac.reports.writing import write_report
from lac.runs import read_records

SAME = ("report.md", "comparison.svg", "learning_curves.svg", "runs.jsonl")


def report(paths, output):
    """A report in ``output``, and the sentences on what was left out."""
    results, left_out = find_results(paths)
    write_report(compare(results, [item.reason for item in left_out], [], []), output)
    return [item.reason for item in left_out]


@pytest.fixture
def sweep(tmp_path):
    """Runs of two methods; the first has a later test with more resets, and one a result in longer episodes."""
    later = {"policy": "final", "cost_mean": 2.0, "death_rate": 0.25, "ep_len_mean": 10.0, "episodes": 200}
    a_run(tmp_path / "sweep" / "0", 0, 9.0, **later)
    a_run(tmp_path / "sweep" / "1", 1, 3.0)
    a_run(tmp_path / "sweep" / "2", 0, 4.0, algo="sac")
    change_summary(tmp_path / "sweep" / "1", final_long={"settled": 0.5, "death_rate": 0.1}, wall_time=7.5)
    return tmp_path / "sweep"


def without_date(svg):
    return [line for line in svg.splitlines() if "<dc:date>" not in line and "id=" not in line and "#" not in line]


def test_a_report_on_the_records_of_a_report_is_the_same_without_the_runs(sweep, tmp_path):
    assert report([sweep], tmp_path / "first") == []
    shutil.rmtree(sweep)
    assert report([tmp_path / "first" / "runs.jsonl"], tmp_path / "second") == []
    for name in SAME:
        first, second = ((tmp_path / folder / name).read_text() for folder in ("first", "second"))
        assert without_date(first) == without_date(second), name
    data = [json.loads((tmp_path / folder / "report.json").read_text()) for folder in ("first", "second")]
    assert data[0] == data[1]
    assert data[0]["groups"][0]["tests"][0]["cost_mean"] == 2.0  # that of the later test
    page = (tmp_path / "second" / "report.html").read_text()
    assert "7" in page
    assert "sweep/0/" not in page  # no link leads to a folder that is not there


def test_a_record_says_what_was_tested_then_whatever_its_folder_holds_now(sweep, tmp_path):
    report([sweep], tmp_path / "first")
    (sweep / "0" / "evaluation.json").write_text("{")
    assert report([tmp_path / "first" / "runs.jsonl"], tmp_path / "second") == []


def test_records_and_runs_are_compared_together_and_each_run_counts_once(sweep, tmp_path):
    report([sweep], tmp_path / "first")
    a_run(sweep / "3", 2, 5.0)
    left_out = report([sweep, tmp_path / "first" / "runs.jsonl"], tmp_path / "second")
    assert len(left_out) == 3
    file = tmp_path / "first" / "runs.jsonl"
    assert left_out[0] == f"{sweep / '0'} in {file} has config and seed of {sweep / '0'}"
    data = json.loads((tmp_path / "second" / "report.json").read_text())
    assert [len(group["runs"]) for group in data["groups"]] == [3, 1]


DAMAGES = {
    "line 2 is not JSON": lambda _: "{",
    "lacks config": lambda line: json.dumps(json.loads(line) | {"config": {}}),
    "line 2 is no run: it lacks folder, config, summary, metrics": lambda _: "[1]",
    "status is 'failed'": lambda line: line.replace('"finished"', '"failed"'),
    "env_steps is [1] instead of a number": lambda line: line.replace('"env_steps": 100', '"env_steps": [1]'),
    "cost_mean is None instead of a finite number": lambda line: line.replace(
        '{"cost_mean": 3.0', '{"cost_mean": null'
    ),
}


@pytest.mark.parametrize("problem", DAMAGES)
def test_a_line_that_is_no_record_is_left_out_with_its_reason(problem, sweep, tmp_path):
    report([sweep], tmp_path / "first")
    file = tmp_path / "first" / "runs.jsonl"
    first, second, third = file.read_text().splitlines()
    damaged = DAMAGES[problem](second)
    assert damaged != second
    file.write_text("\n".join([first, damaged, third]))
    results, left_out = find_results([file])
    assert len(results) == 2
    (item,) = left_out
    assert problem in item.reason
    assert str(file) in item.reason


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{\n  "groups": []\n}\n', b"\n"])
def test_a_file_without_records_is_left_out_with_its_reason(content, tmp_path):
    (tmp_path / "runs.jsonl").write_bytes(content)
    runs, (item,) = read_records(tmp_path / "runs.jsonl")
    assert runs == []
    assert str(tmp_path / "runs.jsonl") in item.reason


def test_the_command_takes_files_and_needs_a_folder_for_the_report(script_here, sweep, tmp_path):
    report([sweep], tmp_path / "first")
    file = tmp_path / "first" / "runs.jsonl"
    end = script_here("report.py", f"runs={file}")
    assert (end.status, "output is not set, and runs names no folder" in end.stderr) == (2, True)
    end = script_here("report.py", f"runs=[{file}]", f"output={tmp_path / 'second'}")
    assert (end.status, end.stderr) == (0, "")
    assert (tmp_path / "second" / "report.md").read_text() == (tmp_path / "first" / "report.md").read_text()
    end = script_here("report.py", f"runs={tmp_path / 'none.jsonl'}", f"output={tmp_path / 'second'}")
    assert (end.status, "none.jsonl does not exist; give the folder of a run" in end.stderr) == (2, True)


def test_blank_lines_count_as_nothing(sweep, tmp_path):
    report([sweep], tmp_path / "first")
    file = tmp_path / "first" / "runs.jsonl"
    file.write_text("\n" + file.read_text() + "\n")
    results, left_out = find_results([file])
    assert (len(results), left_out) == (3, [])


def test_records_of_runs_that_are_gone_are_kept_under_another_name(script_here, sweep, tmp_path):
    output = tmp_path / "out"
    for _ in range(2):  # the same runs again lose nothing
        end = script_here("report.py", f"runs={sweep}", f"output={output}", "yardsticks=false")
        assert end.status == 0
    before = (output / "runs.jsonl").read_text()
    assert list(output.glob("runs*")) == [output / "runs.jsonl"]
    shutil.rmtree(sweep / "0")
    end = script_here("report.py", f"runs={sweep}", f"output={output}", "yardsticks=false")
    assert "out/runs-2.jsonl has the runs of the report before" in end.stdout
    assert (output / "runs-2.jsonl").read_text() == before
    assert len((output / "runs.jsonl").read_text().splitlines()) == 2
