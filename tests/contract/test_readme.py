"""What the README and the pages of commands show is executed here, with a smaller budget of training steps."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [(ROOT / name).read_text() for name in ("README.md", "docs/usage.md", "docs/sweeps.md", "docs/wandb.md")]
SMALL = [
    "train.epochs=1",
    "train.steps_per_epoch=150",
    "train.update_after=100",
    "train.update_every=50",
    "train.steps_per_update=1",
    "train.num_test_episodes=1",
    "wandb.mode=disabled",
]
EXTRA = {
    "train.py": SMALL,
    "evaluate.py": ["episodes=2"],
    "certify.py": ["pictures=false"],
    "export.py": [],
    "robustness.py": ["episodes=2"],
    "report.py": [],
    "benchmark.py": ["rounds=1", "round_seconds=0", "width=8", "batch_size=8", "main_jobs=0", "peers=false"],
    "wandb_sweep.py": [],
    "dashboard.py": ["mode=offline"],
}


def blocks(language: str) -> list[str]:
    return [block for page in PAGES for block in re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)]


def commands() -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line.startswith("python scripts/")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which the scripts can be run and where outputs/ is thrown away."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "scripts").symlink_to(ROOT / "scripts")
    return folder


def run(command: list[str], folder: Path, **environment: str) -> str:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled", **environment}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
def test_the_commands_run_in_the_order_in_which_they_stand(
    script_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert len(commands()) >= 8
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for command in commands():
        _, script, *arguments = shlex.split(re.sub(r"range\((\d+),\d+\)", r"\1", command))  # one seed of several
        if Path(script).name == "dashboard.py" and find_spec("wandb_workspaces") is None:
            continue  # its extra is not installed
        if "hydra/sweeper=optuna" in arguments and find_spec("optuna") is None:
            continue
        extra = [] if "--help" in arguments else EXTRA[Path(script).name]
        if "hydra/sweeper=optuna" in arguments:
            extra = [*extra, "hydra.sweeper.n_trials=2"]
        end = script_here(Path(script).name, *arguments, *extra)
        assert end.status == 0, f"{command}: {end.stderr[-2000:]}"
        assert end.stdout
    assert (tmp_path / "outputs/mine/trajectories.png").exists()
    assert len(list((tmp_path / "outputs/multirun").glob("*/*/summary.json"))) == 4
    if which("cc") is not None:
        (tmp_path / "main.c").write_text(blocks("c")[0])
        words = [
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "main.c",
            "outputs/mine/export/policy.c",
            "-lm",
            "-o",
            "policy",
        ]
        run(["cc", *words], tmp_path)
        assert len(run(["./policy"], tmp_path).split()) == 3


def test_the_python_example_runs(workplace: Path) -> None:
    (example,) = (block for block in blocks("python") if "lac.lac(" in block)
    run([sys.executable, "-c", example + "\nassert action.shape == (3,)"], workplace)


def test_the_environment_of_ones_own_is_trained_in(workplace: Path) -> None:
    (example,) = (block for block in blocks("python") if "gymnasium.register(" in block)
    (command,) = (line for block in blocks("bash") for line in block.splitlines() if "my_pkg:" in line)
    assert len([line for line in example.splitlines() if line]) <= 15
    (workplace / "my_pkg.py").write_text(example)
    prefix, _, arguments = command.partition(" python ")
    assert prefix == "PYTHONPATH=."
    path = os.pathsep.join([".", *filter(None, [os.environ.get("PYTHONPATH")])])
    command_line = [sys.executable, *shlex.split(arguments), *SMALL, "hydra.run.dir=outputs/own"]
    run(command_line, workplace, PYTHONPATH=path)
    assert (workplace / "outputs/own/policy/final.safetensors").exists()


def test_set_up_takes_two_commands() -> None:
    set_up = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("python3 -m venv")]
    assert len(set_up) == 2
    assert "scripts/train.py" in set_up[0]
    assert "pytest" in set_up[1]


def test_the_tables_have_the_figures_of_the_results_that_are_kept() -> None:
    """``docs/results`` has the figures of each run, so that anyone can look at them and compare with them."""
    kept = {file.stem for file in (ROOT / "docs/results").glob("*.jsonl")}
    assert "oscillator" in kept
    assert [name for name in kept if f"| `{name}` |" not in PAGES[0]] == []
    run([sys.executable, "tools/results_table.py", "--check"], ROOT)


def test_the_readme_leads_to_every_page() -> None:
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"](docs/{page.name})" not in PAGES[0]] == []
