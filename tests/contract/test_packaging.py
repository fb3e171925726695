"""What an installation from a wheel can do in a folder without the repository, and an editable one beside its clone."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
COMMANDS = ["train", "evaluate", "robustness", "certify", "export", "report", "benchmark", "dashboard", "wandb_sweep"]
TINY = [
    *("env=oscillator", "tuned=none", "network=small", "wandb.mode=disabled", "train.epochs=1"),
    *("train.steps_per_epoch=150", "train.update_after=100", "train.update_every=50", "train.steps_per_update=1"),
    "train.num_test_episodes=1",
]

Lac = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*pip, str(ROOT)], check=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages, with the console command in its ``bin``."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, timeout=120)
    return target


@pytest.fixture
def lac(installed: Path, clean_environment: dict[str, str], tmp_path: Path) -> Lac:
    """Runs the console command in ``tmp_path``, with the installed package alone."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed / "bin" / "lac"), *words],
            cwd=tmp_path,
            env=clean_environment | {"PYTHONPATH": str(installed)} | environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return run


def test_wheel_holds_every_config_once(wheel):
    configs = {f"lac/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name for name in names if name.endswith(".yaml")) == sorted(configs)
    assert "lac/py.typed" in names
    # Other distributions put their plugins into the same namespace package.
    assert [name for name in names if name.startswith("hydra_plugins/")] == ["hydra_plugins/lac_sweepers.py"]


@pytest.mark.slow
def test_run_leads_to_the_commands_that_it_prints(lac, tmp_path):
    trained = lac("train", *TINY)
    assert trained.returncode == 0, trained.stderr
    (summary,) = (tmp_path / "outputs").rglob("summary.json")
    assert json.loads(summary.read_text())["status"] == "finished"
    commands = [line.split() for line in trained.stdout.splitlines() if line.startswith("  lac ")]
    assert [words[1] for words in commands] == ["evaluate", "train"]
    for words in commands:
        end = lac(*words[1:], *(["episodes=2"] if words[1] == "evaluate" else []))
        assert end.returncode == 0, end.stderr
    assert (summary.parent / "evaluation.json").exists()
    assert len(list((tmp_path / "outputs").rglob("summary.json"))) == 2
    reported = lac("report", "runs=outputs", "output=compared")
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "compared" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("packages", "overrides"),
    [
        (["hydra_plugins.hydra_joblib_launcher"], ["seed=0,1", "hydra/launcher=joblib"]),
        (["optuna"], ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "algo.alpha3=interval(0.1,0.3)"]),
    ],
    ids=["grid in worker processes", "search"],
)
def test_sweeps(packages, overrides, lac, tmp_path):
    for package in packages:
        pytest.importorskip(package)
    end = lac("train", "-m", *TINY, *overrides)
    assert end.returncode == 0, end.stderr
    summaries = (tmp_path / "outputs" / "multirun").glob("*/*/summary.json")
    assert [json.loads(path.read_text())["status"] for path in summaries] == ["finished", "finished"]
    configs = [path.read_text() for path in (tmp_path / "outputs" / "multirun").glob("*/*/config.yaml")]
    assert all("#   lac train --config-dir" in text for text in configs)


def test_presets_are_found(lac):
    end = lac("train", "experiment=slc2024/oscillator", "tuned=oscillator", "--cfg", "job")
    assert end.returncode == 0, end.stderr
    assert "alpha3" in end.stdout


def test_sweep_file_names_the_console_command(lac, tmp_path):
    assert lac("wandb_sweep", "seed=0,1", "algo=lac").returncode == 0
    assert "scripts" not in (tmp_path / "sweep.yaml").read_text()
    assert "program: lac\n" in (tmp_path / "sweep.yaml").read_text()
    assert "- ${program}\n- train\n" in (tmp_path / "sweep.yaml").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_the_console_command(command, lac, tmp_path):
    end = lac(command, "--help")
    assert end.returncode == 0, end.stderr
    assert f"lac {command}" in end.stdout
    # The sweep files of wandb_sweep start what it was started with, which its help explains.
    assert "scripts/" not in end.stdout or command == "wandb_sweep"
    assert list(tmp_path.iterdir()) == []


def test_the_package_is_a_command_as_well(lac, installed, clean_environment, tmp_path):
    words = [sys.executable, "-m", "lac", "train", "--cfg", "job"]
    environment = clean_environment | {"PYTHONPATH": str(installed)}
    end = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (end.returncode, end.stdout) == (0, lac("train", "--cfg", "job").stdout), end.stderr


def test_overview_names_the_commands(lac):
    end = lac("--help")
    assert end.returncode == 0
    assert set(COMMANDS) <= {line.split()[0] for line in end.stdout.splitlines() if line.startswith("  ")}


@pytest.mark.parametrize(("word", "hint"), [("nonsense", ""), ("trian", "'train'"), ("evalute", "'evaluate'")])
def test_unknown_command_is_refused(word, hint, lac):
    end = lac(word, "seed=0")
    assert end.returncode == 2
    assert repr(word) in end.stderr
    assert hint in end.stderr
    assert "Traceback" not in end.stderr


def test_no_command_is_refused(lac):
    end = lac()
    assert end.returncode == 2
    assert all(command in end.stderr for command in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lac ", COMMANDS),
        ("lac ev", ["evaluate"]),
        ("lac train env=osc", ["env=oscillator", "env=oscillator_complicated"]),
        ("lac evaluate epi", ["episodes="]),
        ("lac wandb_sweep meth", ["method="]),
    ],
)
def test_shell_completion(typed, offered, lac):
    end = lac("--shell-completion", "query=bash", COMP_LINE=typed)
    assert end.returncode == 0, end.stderr
    assert sorted(end.stdout.split()) == sorted(offered)


def test_editable_install_wins_over_the_folder_of_its_clone(clean_environment, tmp_path):
    clone, packages = tmp_path / "lac", tmp_path / "packages"
    for name in ("lac", "hydra_plugins", "conf"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    build = f"from hatchling.build import build_editable; build_editable({str(tmp_path)!r})"
    # Without the repository on the path, as for a user.
    environment = {name: value for name, value in clean_environment.items() if name != "PYTHONPATH"}
    hatchling = os.pathsep.join(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT)
    subprocess.run(
        [sys.executable, "-c", build], cwd=clone, env=environment | {"PYTHONPATH": hatchling}, check=True, timeout=60
    )
    (editable,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(editable).extractall(packages)
    code = (
        f"import site, sys; sys.path = [entry for entry in sys.path if entry != {str(ROOT)!r}]\n"
        f"site.addsitedir({str(packages)!r}); import lac; lac.LAC; print(lac.__file__)"
    )
    end = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert end.returncode == 0, end.stderr
    assert Path(end.stdout.strip()) == clone / "lac" / "__init__.py"
