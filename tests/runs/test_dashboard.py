"""The W&B workspace, inspected offline; publishing it needs an account."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import lac

pytest.importorskip("wandb_workspaces", reason='needs pip install -e ".[dashboard]"')

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "dashboard.py"


@pytest.fixture
def workspace_of(script_here, tmp_path):
    def workspace(*words: str) -> dict:
        end = script_here(SCRIPT, *words, "output=made/workspace.json")
        assert end.status == 0, end.stderr
        assert "not published" in end.stdout
        assert "wandb login" in end.stdout
        assert [path.name for path in tmp_path.iterdir()] == ["made"]
        return json.loads((tmp_path / "made" / "workspace.json").read_text())

    return workspace


def panels_of(workspace: dict) -> dict[str, list[dict]]:
    """The panels of each section."""
    sections = workspace["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in sections}


def lines_of(workspace: dict) -> Iterator[dict]:
    for panels in panels_of(workspace).values():
        yield from (panel["config"] for panel in panels if panel["viewType"] == "Run History Line Plot")


def texts_in(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from texts_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts_in(value)
    elif isinstance(node, str):
        yield node


def config_key(stored: str) -> str:
    """W&B stores the config key ``algo.name`` as ``algo.value.name``."""
    first, value, *rest = stored.split(".")
    assert value == "value"
    return ".".join([first, *rest])


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> set[str]:
    """The metrics of a real run."""
    folder = tmp_path_factory.mktemp("run")
    lac.lac(
        lambda: lac.envs.make_env("lac/Oscillator-v1"),
        ac_kwargs={"hidden_sizes": {"actor": [8, 8], "critic": [8, 8]}},
        epochs=1,
        steps_per_epoch=60,
        update_after=20,
        update_every=20,
        steps_per_update=1,
        batch_size=16,
        num_test_episodes=1,
        logger_kwargs={"output_dir": folder, "quiet": True},
    )
    return set(json.loads((folder / "metrics.jsonl").read_text()))


@pytest.fixture
def train_config(train_here) -> object:
    return OmegaConf.create(train_here("--cfg", "job").stdout)


def test_metrics_of_every_panel_are_logged(workspace_of, logged):
    workspace = workspace_of()
    drawn = {name for config in lines_of(workspace) for name in [config["xAxis"], *config["metrics"]]}
    summaries = {text.removeprefix("summary:") for text in texts_in(workspace["spec"]) if text.startswith("summary:")}
    assert summaries == {"test/cost_mean", "test/death_rate"}
    assert (drawn | summaries) - logged == set()


def test_what_this_field_looks_at_is_drawn_over_environment_steps(workspace_of):
    workspace = workspace_of()
    drawn = {name for config in lines_of(workspace) for name in config["metrics"]}
    assert drawn >= {
        *("test/cost_mean", "test/death_rate", "train/labda", "train/alpha", "train/decrease", "train/entropy"),
        *("lr/actor", "lr/critic", "lr/alpha", "lr/labda", "time/steps_per_second", "time/updates_per_second"),
    }
    assert {config["xAxis"] for config in lines_of(workspace)} == {"env_steps"}


@pytest.mark.parametrize("key", ["algo.name", "algo.horizon_length", "seed", "algo"])
def test_runs_are_compared_by_the_mean_in_a_band(key, workspace_of, train_config):
    workspace = workspace_of(f"group_by={key}")
    *comparisons, sweep = lines_of(workspace)
    stored = {config["groupBy"] for config in comparisons}
    assert stored == {f"{key.partition('.')[0]}.value{key[len(key.partition('.')[0]) :]}"}
    assert config_key(sweep["groupBy"]) == "algo.alpha3"
    for config in [*comparisons, sweep]:
        assert (config["aggregate"], config["groupAgg"], config["groupArea"]) == (True, "mean", "stddev")
        assert OmegaConf.select(train_config, config_key(config["groupBy"])) is not None
    (runs,) = workspace["spec"]["section"]["runSets"]
    assert [group["name"] for group in runs["grouping"]] == [*stored]


def test_runs_of_other_environments_are_left_out(workspace_of, train_config):
    workspace = workspace_of("env=gym", "env.id=Pendulum-v1", "project=mine", "entity=we")
    (runs,) = workspace["spec"]["section"]["runSets"]
    (rule,) = runs["filters"]["filters"]
    assert (rule["key"]["section"], rule["op"], rule["value"]) == ("config", "=", "Pendulum-v1")
    assert config_key(rule["key"]["name"]) == "env.id"
    assert OmegaConf.select(train_config, "env.id") == "lac/Oscillator-v1"
    assert (workspace["project"], workspace["entity"]) == ("mine", "we")


def test_sweep_over_alpha3_has_panels_of_its_own(workspace_of):
    panels = panels_of(workspace_of())["Sweep over alpha3"]
    stored = [text for panel in panels for text in texts_in(panel["config"])]
    assert stored.count("config:algo.value.alpha3") == 3
    assert {panel["viewType"] for panel in panels} >= {"Scatter Plot", "Parallel Coordinates Plot"}


def test_workspace_reads_back_as_it_was_built(workspace_of):
    """By W&B's own reader of what its page stores."""
    from wandb_workspaces.workspaces import Workspace, internal  # noqa: PLC0415

    made = workspace_of()
    view = internal.View(
        entity="we", project="lac", display_name="x", name="x", id="x", spec=internal.WorkspaceViewspec(**made["spec"])
    )
    read = Workspace._from_model(view)
    assert [(section.name, len(section.panels)) for section in read.sections] == [
        (name, len(panels)) for name, panels in panels_of(made).items()
    ]
    titles = {panel.title for section in read.sections for panel in section.panels}
    assert "Test cost" in titles
    assert len(titles) == sum(map(len, panels_of(made).values())), "an unknown panel has no title"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["group_by=algo.nam"], ["group_by is 'algo.nam'", "Did you mean 'algo.name'"]),
        (["mode=onlin"], ["mode is 'onlin'", "auto, online, offline"]),
        (["env=gym"], ["env.id is not set"]),
        (["env=osc"], ["env is 'osc'", "oscillator"]),
    ],
)
def test_wrong_input_is_refused(words, told, script_here, tmp_path):
    end = script_here(SCRIPT, *words)
    assert end.status == 2
    assert all(text in end.stderr for text in told), end.stderr
    assert list(tmp_path.iterdir()) == []


def test_refused_publication_leaves_the_file(script_here, monkeypatch, tmp_path):
    from lac.reports import workspace  # noqa: PLC0415

    def refuse(_built: object) -> str:
        raise ConnectionError("no such host")

    monkeypatch.setattr(workspace, "publish", refuse)
    end = script_here(SCRIPT, "mode=online", "output=workspace.json")
    assert end.status == 2
    assert "no such host" in end.stderr
    assert "workspace.json" in end.stderr
    assert (tmp_path / "workspace.json").exists()
