"""The files of a report: the page with its data, the tables, and the figures."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from report_support import a_run, change_summary

from lac.reports.comparison import compare
from lac.reports.results import find_results
from lac.reports.writing import write_report
from lac.reports.yardsticks import Yardstick, measure_yardsticks

LONG = {"cost_mean": 1.0, "death_rate": 0.0, "settled": 1.0}
LQR = Yardstick(
    "oscillator", "lqr", {"cost_mean": 2.0, "death_rate": 0.0, "ep_len_mean": 9.0, "episodes": 100}, LONG, 1.5
)


class Page(HTMLParser):
    """What a browser reads: texts of the cells, attributes that lead elsewhere, and the contents of scripts."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.links, self.scripts, self._tags = [], [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._tags.append((tag, dict(attributes)))
        self.links += [value for name, value in attributes if name in {"href", "src", "action", "data"}]
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        while self._tags and self._tags.pop()[0] != tag:
            pass

    def handle_data(self, text):
        tag, attributes = self._tags[-1] if self._tags else ("", {})
        if tag == "script":
            name = attributes.get("id", "page")
            self.scripts[name] = self.scripts.get(name, "") + text
        elif self.cells and tag in {"td", "a"}:
            self.cells[-1] += text


def written(folder, **options):
    """The report on a folder: its page, and the folder that it is in."""
    results, left_out = find_results([folder])
    reasons = [item.reason for item in left_out] + options.get("problems", [])
    files = write_report(compare(results, reasons, options.get("yardsticks", []), [folder]), folder / "out")
    assert all(file.stat().st_size > 0 for file in files)
    return Page((folder / "out" / "report.html").read_text()), folder / "out"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep over alpha3 beside SAC, with trials that were pruned, failed or damaged, and names that need care."""
    folder = tmp_path_factory.mktemp("sweep")
    for seed, cost in enumerate((3.0, 5.0)):
        a_run(folder / f"low <{seed}> & #1", seed, cost, alpha3=0.1)
        a_run(folder / f"high{seed}", seed, 10 * cost, alpha3=0.3)
        a_run(folder / f"sac{seed}", seed, 4.0, alpha3=None, algo="sac")
    a_run(folder / "pruned", 7, 1.0, status="pruned")
    a_run(folder / "failed", 8, 1.0, status="failed")
    a_run(folder / "damaged", 9, 1.0)
    (folder / "damaged" / "summary.json").write_text("{")
    return folder, *written(folder, yardsticks=[LQR], problems=["</script><b>x</b>"])


def test_the_page_holds_the_data_that_its_charts_show(sweep):
    (env,) = json.loads(sweep[1].scripts["data"])["environments"]
    assert (env["name"], env["keys"]) == ("oscillator", ["algo.alpha3"])
    assert env["designed"] == [{"name": "lqr", "cost": 2.0, "training_cost": 1.5}]
    low, high, sac = env["methods"]
    assert [each["label"] for each in env["methods"]] == ["LAC alpha3=0.1", "LAC alpha3=0.3", "SAC"]
    assert len({each["place"] for each in env["methods"]}) == 3
    assert (low["cost"][0], high["cost"][0], sac["cost"]) == (4.0, 40.0, [4.0, 4.0, 4.0])
    assert [(run["seed"], run["cost"], run["terminated"]) for run in low["runs"]] == [("0", 3.0, 0.5), ("1", 5.0, 0.5)]
    assert (low["steps"], low["curve"][0], low["range"]) == ([100, 200], [12, 4], [[9, 3], [15, 5]])


def test_the_page_needs_nothing_from_elsewhere(sweep):
    _, page, folder = sweep
    own = (folder / "report.html").read_text().replace(page.scripts["library"], "")
    assert re.search(r"https?:|src=|url\(|import|fetch|XMLHttp", own) is None
    assert all(link.startswith(("#", "../")) for link in page.links)
    library = gzip.decompress(base64.b64decode(page.scripts["library"])).decode()
    assert "plotly.js" in library[:200]


def test_links_lead_to_the_folders_of_the_runs(sweep):
    _, page, folder = sweep
    assert "../low%20%3C0%3E%20%26%20%231/" in page.links
    for link in page.links:
        if not link.startswith("#"):
            assert (folder / unquote(link)).is_dir(), link
    assert {"low <0> & #1", "high0", "sac1"} <= set(page.cells)


def test_what_is_left_out_is_named_and_escaped(sweep):
    text = (sweep[2] / "report.html").read_text()
    for name, reason in (("pruned", "is pruned"), ("failed", "is failed"), ("damaged", "summary.json is damaged")):
        assert re.search(f"<li>[^<]*{name}[^<]*{reason}", text), name
    assert "<li>&lt;/script&gt;&lt;b&gt;x&lt;/b&gt;</li>" in text


def test_the_tables_have_the_designed_controller_and_no_cells_that_break_markdown(sweep):
    lines = (sweep[2] / "report.md").read_text().splitlines()
    assert len(lines) == 2 + 3 + 1
    assert len({line.count("|") for line in lines}) == 1
    assert [cell.strip() for cell in lines[-1].split("|")[2:5]] == ["lqr", "-", "designed"]
    data = json.loads((sweep[2] / "report.json").read_text())
    assert [group["cost"]["value"] for group in data["groups"]] == [4.0, 40.0, 4.0]
    assert data["designed"][0]["name"] == "lqr"


def test_figures_for_papers_are_pixels_and_lines(sweep):
    folder = sweep[2]
    for name in ("comparison", "learning_curves"):
        assert "LAC alpha3=0.1" in (folder / f"{name}.svg").read_text()
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_robustness_and_stability_are_shown_where_they_are(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    cost = {"iqm": 12.5, "low": 11.0, "high": None}
    methods = {"LAC": {"runs": 1, "cost": cost, "death_rate": {"mean": 0.25}}}
    for name, content in (
        ("robustness/pushes/results.json", {"variants": [{"variant": "magnitude=5", "methods": methods}]}),
        ("robustness/half/results.json", {"complete": False}),
        ("stability/report.json", {"verdict": "empirical", "sentences": ["At most <1 %."]}),
    ):
        (tmp_path / "a" / name).parent.mkdir(parents=True)
        (tmp_path / "a" / name).write_text(json.dumps(content))
    page, folder = written(tmp_path)
    (study,) = json.loads(page.scripts["data"])["studies"]
    assert study == {"name": "pushes", "rows": [["magnitude=5", "LAC", 1, 12.5, 11.0, None, 0.25, None]]}
    assert {"magnitude=5", "12.5", "25%", "empirical", "At most <1 %."} <= set(page.cells)
    assert "../a/stability/" in page.links
    assert "half/results.json cannot be shown" in (folder / "report.html").read_text()


def test_a_stability_report_on_an_earlier_policy_is_not_shown(tmp_path):
    a_run(tmp_path / "a", 0, 2.0)
    policy, report = tmp_path / "a/policy/final.safetensors", tmp_path / "a/stability/report.json"
    for file in (policy, report):
        file.parent.mkdir()
    policy.write_bytes(b"weights")
    known = {"file": "policy/final.safetensors", "sha256": hashlib.sha256(b"weights").hexdigest()}
    report.write_text(json.dumps({"verdict": "empirical", "sentences": [], "policy": known}))
    assert "empirical" in written(tmp_path)[0].cells
    policy.write_bytes(b"those of a run that went on")
    page, folder = written(tmp_path)
    assert "empirical" not in page.cells
    assert "policy/final.safetensors has changed since then" in (folder / "report.html").read_text()


def test_lac_is_compared_with_sac_over_environments(tmp_path):
    for env, factor in (("a", 1.0), ("b", 10.0)):
        for seed in range(2):
            named = {"name": env, "id": env}
            a_run(tmp_path / f"{env}-lac-{seed}", seed, factor * (2.0 + seed), env=named)
            a_run(tmp_path / f"{env}-sac-{seed}", seed, factor * (3.0 + seed), algo="sac", env=named)
    change_summary(tmp_path / "b-lac-0", final={"cost_mean": 1.0, "death_rate": 1.0, "ep_len_mean": 1.0})
    results, _ = find_results([tmp_path])
    both, first, second = compare(results, [], [LQR], []).improvements
    assert (both.envs, first.envs, second.envs) == (["a", "b"], ["a"], ["b"])
    assert (first.better.value, first.cheaper.value) == (3.5 / 4, 3.5 / 4)
    # The one that terminates early is the cheapest, and still no better than any.
    assert (second.better.value, second.cheaper.value) == (1.5 / 4, 3.5 / 4)
    assert (both.better.value, both.cheaper.value) == (2.5 / 4, 3.5 / 4)


def test_the_controller_of_an_environment_is_tested_on_both_sets_of_resets(tmp_path):
    config = {"name": "cartpole_cost", "id": "lac/CartPoleCost-v1", "kwargs": {}}
    config |= {"max_episode_steps": 5, "reward_max": None}
    a_run(tmp_path / "a", 0, 2.0, env=config)
    text = (tmp_path / "a" / "config.yaml").read_text()
    whole = json.loads(text) | {"train": {"max_ep_len": None, "num_test_episodes": 10}}
    whole["algo"]["opt_type"] = "minimize"
    (tmp_path / "a" / "config.yaml").write_text(json.dumps(whole))
    a_run(tmp_path / "foreign", 0, 2.0)
    results, _ = find_results([tmp_path])
    (yardstick,), failures = measure_yardsticks(results)
    assert (yardstick.env, yardstick.name, failures) == ("cartpole_cost", "lqr", [])
    assert (yardstick.figures["episodes"], yardstick.figures["ep_len_mean"]) == (100, 5)
    assert yardstick.training_cost != yardstick.figures["cost_mean"]
    change_summary(tmp_path / "a", final={"cost_mean": 2.0, "death_rate": 0.0, "ep_len_mean": 5.0, "episodes": 20})
    pole = {"kind": "parameters", "name": "parameters", "values": {"length": 3.0}}
    (tmp_path / "a" / "config.yaml").write_text(json.dumps(whole | {"disturbance": pole}))
    results, _ = find_results([tmp_path])
    (disturbed,), _ = measure_yardsticks(results)  # as the final policy: as many resets, under the same disturbance
    assert disturbed.figures["episodes"] == 20
    assert disturbed.training_cost != yardstick.training_cost
    change_summary(tmp_path / "a", final={"cost_mean": 2.0, "death_rate": 0.0, "ep_len_mean": 5.0, "episodes": 3})
    few, _ = find_results([tmp_path])
    assert measure_yardsticks([*few, *results])[0][0].figures["episodes"] == 20  # the most of all runs
    del whole["env"]["kwargs"]
    (tmp_path / "a" / "config.yaml").write_text(json.dumps(whole))
    results, _ = find_results([tmp_path])
    assert "has no env.kwargs" in measure_yardsticks(results)[1][0]
