"""What the environments of the extras say where these are not installed, and what they cost where nobody uses them."""

import subprocess
import sys
from importlib import import_module

import gymnasium
import pytest

import lac  # noqa: F401 (registers the environments)

MISSING = [
    ("mujoco", "swimmer_cost", "lac/SwimmerCost-v1", "MuJoCo", '".[mujoco]"'),
    ("mujoco", "half_cheetah_cost", "lac/HalfCheetahCost-v1", "MuJoCo", '".[mujoco]"'),
    ("mujoco", "hopper_cost", "lac/HopperCost-v1", "MuJoCo", '".[mujoco]"'),
    ("mujoco", "walker2d_cost", "lac/Walker2dCost-v1", "MuJoCo", '".[mujoco]"'),
    ("mujoco", "ant_cost", "lac/AntCost-v1", "MuJoCo", '".[mujoco]"'),
    ("mujoco", "humanoid_cost", "lac/HumanoidCost-v1", "MuJoCo", '".[mujoco]"'),
    ("gymnasium_robotics", "fetch_reach_cost", "lac/FetchReachCost-v1", "Gymnasium-Robotics", '".[robotics]"'),
]
missing = pytest.mark.parametrize(("package", "group", "env_id", "name", "extra"), MISSING)


@pytest.fixture
def hide(monkeypatch):
    """Makes a package one that cannot be imported, for modules that are imported from now on."""

    def hide(package):
        ours = ("lac.envs.simulated", "lac.envs.mujoco", "lac.envs.fetch")
        for name in list(sys.modules):
            if name.startswith((package, "gymnasium.envs.mujoco")) or name in ours:
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


@missing
def test_making_one_without_its_extra_says_what_to_install(package, group, env_id, name, extra, hide):
    hide(package)
    with pytest.raises(gymnasium.error.DependencyNotInstalled) as raised:
        gymnasium.make(env_id)
    assert str(raised.value) == f"{name} is not installed; install it with: pip install -e {extra}"


@missing
def test_the_command_line_refuses_it_with_one_sentence(package, group, env_id, name, extra, hide, train_here, tmp_path):
    hide(package)
    end = train_here(f"env={group}")
    assert end.status == 2
    assert end.stderr.splitlines()[1:] == [
        f"  env.id is {env_id!r}, which cannot be loaded: {name} is not installed; "
        f"install it with: pip install -e {extra}"
    ]
    assert "Traceback" not in end.stderr
    assert list(tmp_path.rglob("summary.json")) == []


def test_environments_of_gymnasium_are_refused_as_well(hide, train_here):
    hide("mujoco")
    end = train_here("env=gym", "env.id=Hopper-v5", "env.reward_max=10", "algo.opt_type=maximize")
    assert end.status == 2
    assert "env.id is 'Hopper-v5', which cannot be loaded: MuJoCo is not installed" in end.stderr


def test_a_version_of_mujoco_that_cannot_build_the_arm_is_refused(monkeypatch, train_here):
    pytest.importorskip("gymnasium_robotics")
    monkeypatch.delitem(sys.modules, "lac.envs.fetch", raising=False)
    monkeypatch.setattr(import_module("mujoco"), "__version__", "3.12.0")
    end = train_here("env=fetch_reach_cost")
    assert end.status == 2
    assert "MuJoCo 3.12.0 is too new" in end.stderr
    assert '".[robotics]"' in end.stderr


def test_registering_imports_none_of_them():
    code = "import sys, lac; print(sorted({'mujoco', 'gymnasium_robotics', 'lac.envs.simulated'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.strip() == "[]"


@missing
def test_with_its_extra_it_can_be_made(package, group, env_id, name, extra):
    pytest.importorskip(package)
    module, _, cls = gymnasium.spec(env_id).entry_point.partition(":")
    assert isinstance(gymnasium.make(env_id).unwrapped, getattr(import_module(module), cls))
