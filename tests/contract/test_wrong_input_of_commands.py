"""Wrong input to the commands beside train: sentences that name it, exit status 2, no traceback, nothing written."""

from importlib.util import find_spec

import pytest

SMALL = "rounds=1 round_seconds=0 batch_size=8 main_jobs=0 peers=false"

WRONG = {
    "evaluate": {
        "": "run_dir is not set",
        "run_dir=": "run_dir is empty",
        "run_dir=null": "run_dir is null",
        "run_dir=[]": "run_dir is an empty list",
        "run_dir=5": "run_dir is 5",
        "run_dir=[[a]]": "run_dir is ['a']",
        "run_dir=[.,file]": "run_dir: file is not a folder",
        "run_dir=nowhere": "run_dir: nowhere does not exist",
        f"run_dir={'a' * 300}": "does not exist",
        "run_dir=empty": "empty is empty: there is no run in it",
        "run_dir=a,b": "a list is written in brackets",
        "run_dir=. +x=1": "x is not a key",
        "-m run_dir=. disturbance=impulse disturbance.magnitude=1,5": "-m is for train",
        "run_dir=. hydra.mode=MULTIRUN": "hydra.mode=MULTIRUN is for train",
        "run_dir=. first_seed=2147483647 episodes=2": "the last seed, 2147483648, is above 2147483647",
        "controller=lqr": "env.id is not set",
        "env=oscillator": "no controller to be tested in it",
        "run_dir=. controller=lqr env=oscillator": "runs are tested in their own environments",
        "controller=lqr env=oscillator": "available there: two_step_ahead and zero",
        "controller=lqr env=gym env.id=Pendulum-v1": "available there: zero",
        "controller=lqx env=oscillator": "Did you mean 'lqr'?",
        "controller=zero env=oscillator controller.input_weight=1": "controller.input_weight is for controller=lqr",
        "controller=lqr env=cartpole_cost controller.input_weight=0": "controller.input_weight is 0",
        "controller=zero env=oscillator env.kwargs.x=1": "env.kwargs.x is not an argument",
        "controller=zero env=oscillator env.num_envs=2": "env.num_envs",
        "run_dir=. --config-name nothing": "--config-name is 'nothing'",
    },
    "certify": {
        "": "run_dir is not set",
        "run_dir=nowhere": "run_dir: nowhere does not exist",
        "run_dir=empty": "empty is empty: there is no run in it",
        "run_dir=. confidence=1": "confidence is 1",
        "run_dir=. action_error=-1": "action_error is -1",
        "run_dir=. chek=true": "Did you mean 'check'?",
        "controller=lqr": "env.id is not set",
        "-m run_dir=. seed=0,1": "-m is for train",
    },
    "export": {
        "": "run_dir is not set",
        "run_dir=nowhere": "run_dir: nowhere does not exist",
        "run_dir=empty": "empty is empty: there is no run in it",
        "run_dir=. format=onx": "format is 'onx'; it must be one of onnx, c, pt2, or a list",
        "run_dir=. format=[c,5]": "format is 5",
        "run_dir=. format=[]": "format is an empty list",
        "run_dir=. policy=worst": "policy is 'worst'; it must be one of final, best",
        "run_dir=. c_type=half": "c_type is 'half'; it must be one of double, float",
        "-m run_dir=. policy=final,best": "-m is for train",
    },
    "robustness": {
        "": "run_dir is not set",
        "run_dir=.": "disturbance is none",
        "run_dir=. protocol=han2020/impulze": "Did you mean 'han2020/impulse'?",
        "run_dir=. protocol=han2020/impulse vary.magnitude=[1]": "leave vary out, or the protocol",
        "run_dir=. protocol=han2020/noise disturbance=noise_action": "leave disturbance=noise_action out",
        "run_dir=. disturbance=impulse vary.magnitude=1,2": "vary.magnitude is '1,2', several values",
        "run_dir=. disturbance=impulse vary.magnitude=[1,x]": "vary.magnitude is 'x'",
        "run_dir=. disturbance=impulse vary.magnitude=[1] workers=0": "workers is 0",
        "run_dir=. disturbance=impulse vary.magnitude=[1] output=''": "output is ''",
        "run_dir=. disturbance=impulse vary.magnitude=[1] +x=1": "x is not a key",
        "controller=lqr env=cartpole_cost protocol=han2020/noise": "no version for lac/CartPoleCost-v1",
        "controller=lqr env=cartpole_cost disturbance=parameters vary.values.lenght=[1]": "Did you mean 'length'?",
        "-m run_dir=. protocol=han2020/noise": "-m is for train",
    },
    "report": {
        "": "runs is not set",
        "runs=": "runs is empty",
        "runs=[empty,file]": "file is no runs.jsonl of a report; give one, or a folder of runs",
        "runs=empty": "runs: no finished run with test episodes in empty",
        "runs=. output=''": "output is empty",
        "-m runs=.": "-m is for train",
    },
    "benchmark": {
        "width=0": "width is 0",
        "threads=10000000": "threads is 10000000",
        f"width=1000000000 {SMALL}": "The largest number here is 16384",
        f"width=8 {SMALL} +x=1": "x is not a key",
        f"width=8 {SMALL} output=empty": "output is 'empty', which cannot be made",
        f"width=8 {SMALL} output=file/x": "output is 'file/x', which cannot be made",
        "main_jobs=-1": "main_jobs is -1",
        "-m width=8,16": "-m is for train",
    },
    "dashboard": {
        "env=nowhere": "env is 'nowhere'",
        "mode=offline env.id=''": "env.id is not set",
        "mode=offline project=''": "project is empty",
        "mode=offline output=empty": "output is 'empty'",
        "mode=offline output=file/x": "output is 'file/x'",
        "mode=offline output=''": "output is ''",
        "-m mode=offline": "-m is for train",
    },
    "wandb_sweep": {
        "seed=0": "nothing is swept",
        "seed=0,1 output=empty": "output is 'empty'",
        "seed=0,1 output=file/x": "output is 'file/x'",
        "seed=range(0,1000000000000)": "has 1e+12 values",
        "seed=range(0,inf)": "has inf values",
        "algo=glob(zz*)": "fits none of the options",
        "seed=0,1 seed=2,3": "seed is given twice",
    },
}
NEEDS_WORKSPACES = pytest.mark.skipif(find_spec("wandb_workspaces") is None, reason="needs the extra dashboard")
CASES = [
    pytest.param(
        *(command, line, sentence),
        id=f"{command} {line[:60]}",
        marks=NEEDS_WORKSPACES if command == "dashboard" and "output=" in line else (),
    )
    for command, lines in WRONG.items()
    for line, sentence in lines.items()
]


@pytest.mark.parametrize(("command", "line", "sentence"), CASES)
def test_wrong_input_is_told_in_a_sentence(command, line, sentence, script_here, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    end = script_here(f"{command}.py", *line.split())
    assert end.status == 2, end
    assert sentence in end.stderr
    assert "Traceback" not in end.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_the_shortest_benchmark_measures_each_thing_once(script_here, tmp_path):
    end = script_here("benchmark.py", "width=8", "output=here", *SMALL.split())
    assert end.status == 0, end
    assert "8-8, batch 8" in end.stdout
    assert end.stdout.splitlines()[-2:] == ["here/benchmark.json", "here/benchmark.png"]
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["benchmark.json", "benchmark.png"]


def test_too_little_memory_for_a_benchmark_is_told_and_leaves_nothing(script_here, tmp_path, monkeypatch):
    def no_memory(*_):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr("lac.benchmarks.measuring.run_benchmark", no_memory)
    end = script_here("benchmark.py", "width=64", "output=new")
    assert end.status == 2
    assert "width=64 and batch_size=128 need more memory than there is" in end.stderr
    assert list(tmp_path.iterdir()) == []
