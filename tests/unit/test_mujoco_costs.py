"""The robots against raw MuJoCo and against Gymnasium's own environments."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from mujoco_support import ROBOTS, UPRIGHT, actions, every_robot, fallen, made, placed_at, x_position

import lac  # noqa: F401 (registers the environments)
from lac.envs.disturbances import DisturbanceError, Parameters
from lac.envs.factory import env_errors, make_env, wrap_env

mujoco = pytest.importorskip("mujoco")

# What each environment is ----------------------------------------------------------------------------


@every_robot
def test_sizes_and_limits_are_those_of_the_table(name):
    observations, n_actions, dt, limit, highest = ROBOTS[name]
    env = gymnasium.make(f"lac/{name}Cost-v1")
    assert env.observation_space.shape == (observations + 2,)
    assert env.observation_space.dtype == np.float64
    assert env.action_space.shape == (n_actions,)
    assert env.action_space.high == pytest.approx(highest)
    assert env.action_space.low == pytest.approx(-highest)
    assert env.unwrapped.dt == pytest.approx(dt)
    assert env.spec.max_episode_steps == limit


@every_robot
def test_the_checker_of_gymnasium_has_nothing_to_say(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Positions and velocities are unbounded in Gymnasium's own environments, too.
        warnings.filterwarnings("ignore", message=".*Box observation space .*infinity.*probably too (high|low)")
        check_env(made(name), skip_render_check=True)


@every_robot
def test_costs_by_hand_from_a_simulation_without_gymnasium(name):
    dt = ROBOTS[name][2]
    env = made(name, include_ctrl_cost=True)
    env.reset(seed=3)
    weight = 1e-3 if name in {"Hopper", "Walker2d"} else 1e-4
    data = mujoco.MjData(env.model)
    data.qpos[:], data.qvel[:] = env.data.qpos, env.data.qvel
    mujoco.mj_forward(env.model, data)
    for action in actions(env, 20):
        before = x_position(name, env.model, data)
        data.ctrl[:] = action
        for _ in range(round(dt / env.model.opt.timestep)):
            mujoco.mj_step(env.model, data)
        velocity = (x_position(name, env.model, data) - before) / dt
        observation, cost, terminated, truncated, info = env.step(action)
        control = weight * sum(float(a) ** 2 for a in action)
        assert cost == pytest.approx((velocity - 1.0) ** 2 + control + 10.0 * terminated, rel=1e-12, abs=1e-12)
        assert observation[-2:] == pytest.approx([1.0, velocity], abs=1e-12)
        assert info["state_of_interest"] == pytest.approx([velocity], abs=1e-12)
        assert info["reference_error"] == pytest.approx([velocity - 1.0], abs=1e-12)
        assert info["reference"].tolist() == [1.0]
        assert not truncated


@every_robot
def test_observations_and_terminations_are_those_of_gymnasium(name):
    ours = made(name)
    extra = {"include_cfrc_ext_in_observation": False} if name == "Ant" else {}
    theirs = gymnasium.make(f"{name}-v5", disable_env_checker=True, **extra).unwrapped
    start, info = ours.reset(seed=11)
    np.testing.assert_array_equal(start, [*theirs.reset(seed=11)[0], 1.0, 0.0])
    assert [info[key].tolist() for key in ("reference", "state_of_interest", "reference_error")] == [
        [1.0],
        [0.0],
        [-1.0],
    ]
    ended = False
    for action in actions(ours, 60):
        observation, _, ended, _, _ = ours.step(action)
        expected, _, expected_end, _, _ = theirs.step(action)
        np.testing.assert_array_equal(observation[:-2], expected)
        assert ended == expected_end
        if ended:
            break
    assert ended or name in {"Swimmer", "HalfCheetah"}, "random actions make the others fall"


def test_arguments_of_the_robot_reach_it():
    assert made("Ant", include_cfrc_ext_in_observation=True).observation_space.shape == (107,)
    assert made("Swimmer", exclude_current_positions_from_observation=False).observation_space.shape == (12,)
    old, new = made("Walker2d", xml_file="walker2d.xml"), made("Walker2d")
    assert [env.model.geom("foot_geom").friction[0] for env in (old, new)] == [0.9, 1.9]


def test_a_picture_is_that_of_the_simulation(monkeypatch):
    env = made("Hopper", render_mode="rgb_array")
    assert env.render_mode == "rgb_array"
    assert env.metadata["render_fps"] == 125
    monkeypatch.setattr(env.simulation, "render", lambda: "picture")
    assert env.render() == "picture"


# The reference and the observation -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "error", "velocity"), [(r, e, v) for r in (0, 1) for e in (0, 1) for v in (0, 1)]
)
def test_the_observation_holds_what_is_asked_for_in_its_order(reference, error, velocity):
    env = made(
        "Swimmer",
        reference_forward_velocity=0.3,
        exclude_reference_from_observation=not reference,
        exclude_reference_error_from_observation=not error,
        exclude_x_velocity_from_observation=not velocity,
    )
    env.reset(seed=0)
    observation, *_, info = env.step(np.ones(2, np.float32))
    v = info["x_velocity"]
    expected = [0.3] * reference + [v - 0.3] * error + [v] * velocity
    assert env.observation_space.shape == observation.shape == (8 + len(expected),)
    assert observation[8:].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["Hopper", "Ant"])
def test_a_drawn_reference_comes_after_the_draws_of_the_robot(name):
    env = made(name, reference_forward_velocity=(0.5, 1.5))
    rng = np.random.default_rng(42)
    references = []
    for seed in (42, None, None):
        rng.uniform(size=env.model.nq)
        rng.standard_normal(env.model.nv) if name == "Ant" else rng.uniform(size=env.model.nv)
        observation, info = env.reset(seed=seed)
        references.append(info["reference"][0])
        assert observation[-2:].tolist() == [references[-1], 0.0]
        assert references[-1] == rng.uniform(0.5, 1.5)
    assert len(set(references)) == 3
    *_, cost, _, _, info = env.step(np.zeros(env.action_space.shape, np.float32))
    assert cost == pytest.approx((info["x_velocity"] - references[-1]) ** 2, rel=1e-12)


def test_a_fixed_reference_takes_no_draw():
    env = made("Hopper", reference_forward_velocity=0.7)
    assert [env.reset(seed=s)[1]["reference"][0] for s in (0, 1)] == [0.7, 0.7]
    fixed, drawn = made("Hopper"), made("Hopper", reference_forward_velocity=np.array([0.5, 1.5]))
    np.testing.assert_array_equal(fixed.reset(seed=5)[0][:11], drawn.reset(seed=5)[0][:11])
    assert (fixed.reset()[0][:11] != drawn.reset()[0][:11]).any()


def test_a_reference_that_each_reset_draws_is_no_constant():
    drawn, fixed = (made("Swimmer", reference_forward_velocity=velocity) for velocity in ((0.2, 0.4), 0.3))
    with pytest.raises(DisturbanceError, match="draws it at each reset"):
        Parameters(drawn, {"reference_forward_velocity": 3.0})
    assert Parameters(fixed, {"reference_forward_velocity": 3.0}).reset(seed=0)[1]["reference"] == 3.0


def test_the_render_mode_is_that_of_the_simulation_also_if_it_is_set_later():
    env = made("Swimmer")
    env.render_mode = "rgb_array"
    assert env.simulation.render_mode == "rgb_array"


def test_the_reference_is_an_attribute_that_takes_effect_at_once():
    env = made("Swimmer")
    env.reset(seed=0)
    env.reference_forward_velocity = 0.25
    *_, cost, _, _, info = env.step(np.zeros(2, np.float32))
    assert cost == pytest.approx((info["x_velocity"] - 0.25) ** 2, rel=1e-12)


# The penalty for a fall ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UPRIGHT)
@pytest.mark.parametrize(
    ("options", "steps_before", "penalty"),
    [
        ({}, 0, 10.0),
        ({}, 99, 10.0),
        ({"health_penalty_size": 0}, 99, 0.0),
        ({"health_penalty_size": 2, "health_penalty_until": 250}, 0, 500.0),
        ({"health_penalty_size": 2, "health_penalty_until": 250}, 99, 302.0),
        ({"health_penalty_size": 2, "health_penalty_until": 250}, 249, 2.0),
        ({"health_penalty_size": 2, "health_penalty_until": 250}, 400, 2.0),
    ],
)
def test_what_a_fall_costs(name, options, steps_before, penalty):
    env = made(name, **options)
    env.reset(seed=0)
    env.set_state({"state": placed_at(env, fallen(env)), "time": [steps_before * env.dt]})
    _, cost, terminated, truncated, info = env.step(np.zeros(env.action_space.shape, np.float32))
    assert cost == pytest.approx((info["x_velocity"] - 1.0) ** 2 + penalty, rel=1e-12)
    assert terminated
    assert not truncated


@pytest.mark.parametrize("name", UPRIGHT)
def test_standing_costs_no_penalty(name):
    env = made(name, health_penalty_until=250)
    env.reset(seed=0)
    _, cost, terminated, _, info = env.step(np.zeros(env.action_space.shape, np.float32))
    assert cost == pytest.approx((info["x_velocity"] - 1.0) ** 2, rel=1e-12)
    assert not terminated


def test_the_charge_for_steps_left_is_that_of_lying_there():
    charged, lying = (
        gymnasium.make("lac/HopperCost-v1", max_episode_steps=60, health_penalty_size=2.0, **options)
        for options in ({"health_penalty_until": 60}, {"terminate_when_unhealthy": False})
    )
    totals = []
    for env in (charged, lying):
        env.reset(seed=1)
        total, ended = 0.0, False
        while not ended:
            _, cost, terminated, truncated, info = env.step(np.ones(3, np.float32))
            total += cost - (info["x_velocity"] - 1.0) ** 2
            ended = terminated or truncated
        totals.append(total)
        assert terminated == (env is charged)
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)
    assert totals[0] > 2.0


# What is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"reference_forward_velocity": "fast"}, "reference_forward_velocity is 'fast'"),
        ({"reference_forward_velocity": np.inf}, "reference_forward_velocity is inf"),
        ({"reference_forward_velocity": [1.5, 0.5]}, "the lower one first"),
        ({"reference_forward_velocity": [0.5, 1.0, 1.5]}, "or two"),
        ({"reference_forward_velocity": (0.5, 1.5), "exclude_reference_from_observation": True}, "drawn at each reset"),
        ({"ctrl_cost_weight": -1.0}, "ctrl_cost_weight is -1.0; it must be"),
        ({"health_penalty_size": -1.0}, "health_penalty_size is -1.0; it must be"),
        ({"health_penalty_until": 0}, "health_penalty_until is 0; it must be"),
        ({"health_penalty_until": 250, "terminate_when_unhealthy": False}, "terminate_when_unhealthy is off"),
    ],
)
def test_values_that_are_not_allowed(kwargs, told):
    with pytest.raises(ValueError, match=told):
        made("Hopper", **kwargs)


@pytest.mark.parametrize(
    ("name", "argument", "told"),
    [
        ("Hopper", "reset_noise", "'reset_noise_scale'"),
        ("Hopper", "forward_reward_weight", "it takes health_penalty_size"),
        ("HalfCheetah", "health_penalty_size", "it takes reference_forward_velocity"),
        ("Swimmer", "reference_velocity", "'reference_forward_velocity'"),
    ],
)
def test_arguments_that_do_not_exist(name, argument, told):
    (problem,) = env_errors(f"lac/{name}Cost-v1", {argument: 1.0})
    assert f"env.kwargs.{argument} is not an argument of lac/{name}Cost-v1" in problem
    assert told in problem
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{argument}'"):
        made(name, **{argument: 1.0})


def test_prepared_they_are_what_an_agent_expects():
    env = wrap_env(make_env("lac/SwimmerCost-v1", max_episode_steps=3))
    env.reset(seed=0)
    assert [env.step(np.zeros(2, np.float32))[2:4] for _ in range(3)] == [(False, False)] * 2 + [(False, True)]
