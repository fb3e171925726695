"""How tests run the scripts: in this process, which is quick, or ``scripts/train.py`` in its own."""

import fcntl
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parents[1]
# A shell that starts the tests in the background has Ctrl-C ignored, which child processes would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
TRAIN = ROOT / "scripts" / "train.py"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables without settings of W&B and Hydra, and with a home of its own."""
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HYDRA_", "NETRC"))}
    return kept | {
        "HOME": str(home),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "WANDB_CACHE_DIR": str(home / "wandb_cache"),
        "WANDB_CONFIG_DIR": str(home / "wandb_config"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


@pytest.fixture
def script_here(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    clean_environment: dict[str, str],
) -> Iterator[Command]:
    """Runs a script with arguments as ``python scripts/train.py`` would, in ``tmp_path`` and in this process."""
    for name in [name for name in os.environ if name not in clean_environment]:
        monkeypatch.delenv(name)
    for name, value in clean_environment.items():
        monkeypatch.setenv(name, value)
    # The script sets this for its own process; this puts it back afterwards.
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(name: str, *arguments: object) -> Ended:
        script = ROOT / "scripts" / name
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        GlobalHydra.instance().clear()
        capsys.readouterr()
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            # As the interpreter does.
            traceback.print_exc()
            status = 1
        else:
            status = 0
        return Ended(status, *capsys.readouterr())

    yield run
    GlobalHydra.instance().clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def train_here(script_here: Command) -> Command:
    """Runs ``scripts/train.py`` in this process."""
    return partial(script_here, "train.py")


@pytest.fixture(scope="session")
def train_apart(clean_environment: dict[str, str]) -> Command:
    """Runs the script in a process of its own, in the folder ``cwd``."""

    def train(*arguments: object, cwd: Path, timeout: float = 240, **environment: str) -> Ended:
        result = subprocess.run(
            [sys.executable, str(TRAIN), *map(str, arguments)],
            cwd=cwd,
            env=clean_environment | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(result.returncode, result.stdout, result.stderr)

    return train


@pytest.fixture(scope="session")
def train_once(
    train_apart: Command, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[..., tuple[Path, Ended]]:
    """Runs the script once for all workers of pytest-xdist; gives the folder in which it ran, and how it ended."""
    own = tmp_path_factory.getbasetemp()
    root = own if worker_id == "master" else own.parent

    def train(name: str, *arguments: object) -> tuple[Path, Ended]:
        folder, result = root / name, root / f"{name}.json"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not result.exists():
                folder.mkdir()
                result.write_text(json.dumps(asdict(train_apart(*arguments, cwd=folder))))
        return folder, Ended(**json.loads(result.read_text()))

    return train
