"""Each launcher with real jobs, on what it is made for: processes, Slurm, Ray, clusters."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_support import checksum, lines_of_metrics, metrics_without_times, summary_of
from sweep_support import TINY_SWEEP, jobs_of, statuses, table_of

SLURM = Path(__file__).parents[1] / "slurm"
FAILING = [*TINY_SWEEP, "env=gym", "env.id=failing_env:Failing-v0", "hydra.sweep.dir=sweep"]

pytestmark = pytest.mark.slow


def needs(launcher: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(f"hydra_plugins.hydra_{launcher}_launcher") is None
    return pytest.mark.skipif(missing, reason=f"the launcher {launcher} is not installed")


def assert_same_as_in_one_process(launcher, train_apart, train_here, tmp_path, *arguments, **environment) -> None:
    sweep = ["seed=0,1", "algo.alpha3=0.1,0.3"]
    command = [*TINY_SWEEP, *sweep, f"hydra/launcher={launcher}", *arguments, "hydra.sweep.dir=its sweep"]
    end = train_apart(*command, cwd=tmp_path, timeout=300, **environment)
    assert end.status == 0, end.stdout + end.stderr
    whole = train_here(*TINY_SWEEP, *sweep, "hydra.sweep.dir=here")
    assert table_of(end.stdout) == table_of(whole.stdout)
    for job, other in zip(jobs_of(tmp_path / "its sweep"), jobs_of(tmp_path / "here"), strict=True):
        assert metrics_without_times(job) == metrics_without_times(other)
        assert summary_of(job)["machine"]["threads"] == 1
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["here", "its sweep"]


def assert_others_finish(launcher, train_apart, tmp_path, *arguments, **environment) -> None:
    """One job of three kills its process."""
    end = train_apart(
        *FAILING,
        "+env.kwargs.kill=true",
        "+env.kwargs.fail_at=100001,30,100002",
        f"hydra/launcher={launcher}",
        *arguments,
        cwd=tmp_path,
        timeout=300,
        PYTHONPATH=f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}",
        **environment,
    )
    assert end.status == 1, end.stdout + end.stderr
    assert [row[0] for row in table_of(end.stdout)] == ["finished", "failed", "finished"]
    killed = jobs_of(tmp_path / "sweep")[1]
    assert "its process was killed" in (killed / "train.log").read_text()
    assert not list((tmp_path / "sweep").glob("attempts/*")), "it was not silently trained again"


@needs("joblib")
def test_joblib(train_apart, train_here, tmp_path):
    assert_same_as_in_one_process("joblib", train_apart, train_here, tmp_path)


@needs("joblib")
def test_a_run_has_the_same_bits_alone_and_as_a_job_of_a_sweep(train_apart, tmp_path):
    """Of the basic launcher it is the second job in one process, of joblib one of two side by side."""
    starts = {"alone": ["seed=5", "hydra.run.dir=alone"]}
    for launcher in ("basic", "joblib"):
        starts[launcher] = ["-m", "seed=4,5", f"hydra/launcher={launcher}", f"hydra.sweep.dir={launcher}"]
    results = []
    for name, arguments in starts.items():
        end = train_apart(*TINY_SWEEP[1:], *arguments, cwd=tmp_path)
        assert end.status == 0, end.stdout + end.stderr
        run = tmp_path / name if name == "alone" else jobs_of(tmp_path / name)[1]
        assert summary_of(run)["seed"] == 5
        results.append((checksum(run / "policy" / "final.safetensors"), metrics_without_times(run)))
    assert results[1:] == results[:1] * 2


# submitit


@needs("submitit")
def test_submitit_local(train_apart, train_here, tmp_path):
    assert_same_as_in_one_process("submitit_local", train_apart, train_here, tmp_path)


@needs("submitit")
def test_submitit_local_finishes_the_others_after_a_job_is_killed(train_apart, tmp_path):
    assert_others_finish("submitit_local", train_apart, tmp_path)


@needs("submitit")
def test_job_that_a_cluster_puts_back_goes_on_where_it_was(start, tmp_path):
    sweep = tmp_path / "sweep"
    running = start(*TINY_SWEEP, "train.epochs=200", "seed=0", "hydra/launcher=submitit_local", "hydra.sweep.dir=sweep")
    running.wait_alive_until(lambda: any(lines_of_metrics(job) >= 2 for job in jobs_of(sweep)))
    (pid,) = [pid for pid in pids_of("submitit.core._submit") if str(sweep) in command_of(pid)]
    os.kill(pid, signal.SIGUSR2)
    assert running.end() == 0, running.console
    (job,) = jobs_of(sweep)
    (resumption,) = summary_of(job)["resumptions"]
    assert resumption["env_steps"] > 60
    assert not (sweep / "attempts").exists()
    assert [row["epoch"] for row in metrics_without_times(job)] == list(range(1, 201))


def pids_of(text: str) -> list[int]:
    processes = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in processes if text in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture(scope="module", params=[pytest.param("real", marks=pytest.mark.slurm), "stand-in"])
def slurm(request, tmp_path_factory) -> Iterator[dict[str, str]]:
    """Environment variables for jobs on Slurm."""
    folder = tmp_path_factory.mktemp("slurm")
    if request.param == "stand-in":
        for name in ("sbatch", "srun", "sacct", "scancel"):
            shutil.copy(SLURM / "stand_in.py", folder / name)
            (folder / name).chmod(0o755)
        yield {"PATH": f"{folder}:{os.environ['PATH']}"}
        return
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("slurmctld", "slurmdbd", "munged", "mariadbd")):
        pytest.skip("needs root and Debian's packages; see tests/slurm/slurm.sh")
    script = str(SLURM / "slurm.sh")
    try:
        subprocess.run([script, "start", folder], check=True, timeout=180, stdin=subprocess.DEVNULL)
        yield {"SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run([script, "stop", folder], check=True, timeout=60)


@needs("submitit")
def test_slurm(slurm, train_apart, train_here, tmp_path):
    assert_same_as_in_one_process("submitit_slurm", train_apart, train_here, tmp_path, **slurm)
    scripts = [path.read_text() for path in (tmp_path / "its sweep" / ".submitit").rglob("*.sh")]
    assert any("--array=0-3%4" in text for text in scripts), "one array for all jobs"
    assert all("--mem=2GB" in text and "--cpus-per-task=1" in text and "--time=240" in text for text in scripts)


@needs("submitit")
def test_slurm_finishes_the_others_after_a_job_is_killed(slurm, train_apart, tmp_path):
    assert_others_finish("submitit_slurm", train_apart, tmp_path, **slurm)


@needs("submitit")
def test_slurm_jobs_outlive_the_sweep_and_are_not_run_twice(slurm, start, clean_environment, tmp_path, monkeypatch):
    for name, value in slurm.items():
        monkeypatch.setitem(clean_environment, name, value)
    sweep = tmp_path / "sweep"
    command = [*TINY_SWEEP, "train.epochs=200", "seed=0,1", "hydra/launcher=submitit_slurm", "hydra.sweep.dir=sweep"]
    first = start(*command)
    first.wait_alive_until(lambda: sum(lines_of_metrics(job) > 0 for job in jobs_of(sweep)) == 2)
    first.process.kill()
    second = start(*command)
    assert second.end() == 0, second.console
    assert statuses(sweep) == ["finished", "finished"]
    assert [len(metrics_without_times(job)) for job in jobs_of(sweep)] == [200, 200]
    assert not (sweep / "attempts").exists()


@needs("submitit")
def test_ctrl_c_ends_jobs_on_slurm(slurm, start, clean_environment, tmp_path, monkeypatch):
    for name, value in slurm.items():
        monkeypatch.setitem(clean_environment, name, value)
    sweep = tmp_path / "sweep"
    running = start(
        *TINY_SWEEP, "train.epochs=100000", "seed=0,1", "hydra/launcher=submitit_slurm", "hydra.sweep.dir=sweep"
    )
    running.wait_alive_until(lambda: sum(lines_of_metrics(job) > 0 for job in jobs_of(sweep)) == 2)
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 128 + signal.SIGINT
    assert statuses(sweep) == ["interrupted", "interrupted"]
    assert "2 interrupted; the same command continues the sweep" in running.console


# Ray

RAY = {"RAY_raylet_start_wait_time_s": "180", "RAY_AUTH_MODE": "disabled"}


@needs("ray")
def test_ray(train_apart, train_here, tmp_path):
    """It starts a Ray of its own, though the environment names a cluster."""
    assert_same_as_in_one_process("ray", train_apart, train_here, tmp_path, RAY_ADDRESS="127.0.0.1:1", **RAY)


@needs("ray")
def test_ray_finishes_the_others_after_a_job_is_killed(train_apart, tmp_path):
    assert_others_finish("ray", train_apart, tmp_path, **RAY)


@needs("ray")
def test_termination_ends_jobs_on_ray(start, clean_environment, tmp_path, monkeypatch):
    for name, value in RAY.items():
        monkeypatch.setitem(clean_environment, name, value)
    sweep = tmp_path / "sweep"
    running = start(*TINY_SWEEP, "train.epochs=100000", "seed=0", "hydra/launcher=ray", "hydra.sweep.dir=sweep")
    running.wait_alive_until(lambda: any(lines_of_metrics(job) for job in jobs_of(sweep)))
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 128 + signal.SIGTERM
    assert statuses(sweep) == ["interrupted"]


@pytest.fixture
def ray_cluster(tmp_path_factory, clean_environment) -> Iterator[str]:
    """The address of a cluster of two nodes with a core each."""
    ray = Path(sys.executable).with_name("ray")
    address, folder = "127.0.0.1:26379", tmp_path_factory.mktemp("ray")
    options = ["--block", "--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats"]
    nodes = []
    try:
        for node in (["--head", "--port=26379", "--include-dashboard=false"], [f"--address={address}"]):
            with (folder / "log").open("a") as log:
                command = [str(ray), "start", *node, *options]
                nodes.append(subprocess.Popen(command, cwd=folder, env=clean_environment | RAY, stdout=log, stderr=log))
            wait_for_cores(ray, address, len(nodes), clean_environment | RAY)
        yield address
    finally:
        for process in reversed(nodes):
            process.terminate()
            process.wait(timeout=60)


def wait_for_cores(ray: Path, address: str, number: int, environment: dict[str, str]) -> None:
    end = time.monotonic() + 180
    while True:
        command = [str(ray), "status", f"--address={address}"]
        status = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if f"/{number}.0 CPU" in status.stdout:
            return
        assert time.monotonic() < end, status.stdout + status.stderr
        time.sleep(0.5)


@needs("ray")
def test_ray_cluster_of_two_nodes(ray_cluster, train_apart, train_here, tmp_path):
    """Its workers start in another folder than the sweep."""
    address = f"hydra.launcher.ray.init.address={ray_cluster}"
    assert_same_as_in_one_process("ray_cluster", train_apart, train_here, tmp_path, address, **RAY)


@needs("ray")
def test_address_without_a_cluster_is_refused(train_apart, tmp_path):
    end = train_apart(
        *TINY_SWEEP,
        "seed=0,1",
        "hydra/launcher=ray_cluster",
        "hydra.launcher.ray.init.address=127.0.0.1:1",
        "hydra.sweep.dir=sweep",
        cwd=tmp_path,
        **RAY,
    )
    assert end.status == 2
    assert "hydra.launcher.ray.init.address is '127.0.0.1:1', where no cluster answers" in end.stderr
    assert list(tmp_path.iterdir()) == []
