import gymnasium
import numpy as np
import pytest

import lac  # noqa: F401 (registers the environments)
from lac.envs.quadrotor import QuadrotorTracking

M, G = 4.34, 9.8
J = np.array([0.0820, 0.0845, 0.1377])
HOVER = np.array([M * G, 0.0, 0.0, 0.0])

GOLDEN_ACTION = np.array([42, 0.1, -0.1, 0.05])
# Errors of position and velocity, of attitude and rate, at the start and after each of three steps; rewards.
GOLDEN_TRANSLATION = np.array(
    [
        [0.0054791, -0.0012224, -0.592828, -0.3960527, -0.4081165, 0.0095124],
        [-0.0103552, -0.0175136, -0.591894, -0.3955116, -0.4057944, 0.0384149],
        [-0.0261632, -0.0336918, -0.5898044, -0.3945135, -0.4021826, 0.0672839],
        [-0.0419159, -0.0496939, -0.5865613, -0.3923315, -0.396522, 0.0960937],
    ]
)
GOLDEN_ROTATION = np.array(
    [
        [-0.808075, 0.4528709, 0.3027191, 0.0052228, 0.0057213, -0.0074377],
        [-0.7947424, 0.4717629, 0.2868885, 1.072705, 0.3559943, -0.1313166],
        [-0.7782987, 0.4917161, 0.2677212, 1.232059, 0.3644281, -0.1929673],
        [-0.7580046, 0.5126363, 0.2443362, 1.4067408, 0.3766176, -0.2670502],
    ]
)
GOLDEN_REWARDS = [-3.081105, -3.455455, -3.934437]


def hat(w):
    x, y, z = w
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def vee(S):
    return np.array([S[2, 1], S[0, 2], S[1, 0]])


def nearest_rotation(A):
    U, _, V = np.linalg.svd(A)
    return U @ np.diag([1, 1, np.linalg.det(U @ V)]) @ V


def quaternion(rotation_vector):
    angle = np.linalg.norm(rotation_vector)
    return np.append(np.cos(angle / 2), np.sin(angle / 2) * rotation_vector / angle)


def state_of(p=(0, 0, 0), v=(0, 0, 0), rotation_vector=(1e-9, 0, 0), W=(0, 0, 0), Wd=(0, 0, 0), t=0.0):
    return np.concatenate([p, v, quaternion(np.array(rotation_vector)), W, Wd, [t]])


def reference(t):
    """Position, velocity and the wanted force without feedback, ``[..., 3]``, and the heading."""
    sin, cos, zero, one = np.sin(t), np.cos(t), np.zeros_like(t), np.ones_like(t)
    position, velocity = np.stack([0.4 * t, 0.4 * sin, 0.6 * cos], -1), np.stack([0.4 * one, 0.4 * cos, -0.6 * sin], -1)
    force = M * np.stack([zero, 0.4 * sin, G + 0.6 * cos], -1)
    return position, velocity, force, np.stack([cos, sin, zero], -1)


def wanted_force(p, v, t):
    xd, vd, force, _ = reference(t)
    return 69.44 * (p - xd) + 24.304 * (v - vd) + force


def reference_attitude(p, v, t):
    fd, heading = wanted_force(p, v, t), reference(t)[3]
    b3 = fd / np.linalg.norm(fd)
    b2 = np.cross(b3, heading) / np.linalg.norm(np.cross(b3, heading))
    return np.stack([np.cross(b2, b3), b2, b3], axis=1)


def a_state(rng):
    return state_of(*rng.normal(size=(3, 3)), W=rng.normal(size=3), Wd=rng.normal(size=3), t=rng.uniform(0, 40))


def test_golden_values():
    # The original drew the rotation from numpy's global generator, with the same seed.
    rng, other = np.random.default_rng(42), np.random.RandomState(42)
    p, v = rng.uniform(-0.01, 0.01, (2, 3))
    env = QuadrotorTracking()
    start = state_of(p, v, 0.01 * other.randn(3), rng.uniform(-0.01, 0.01, 3))
    obs, _ = env.set_state(start)
    golden = np.hstack([GOLDEN_TRANSLATION, GOLDEN_ROTATION])
    np.testing.assert_allclose(obs, golden[0], rtol=0, atol=2e-7)
    for errors, reward in zip(golden[1:], GOLDEN_REWARDS, strict=True):
        obs, cost, terminated, _, _ = env.step(GOLDEN_ACTION)
        np.testing.assert_allclose(obs, errors, rtol=0, atol=3e-5)
        assert cost == pytest.approx(-reward, abs=3e-5)
        assert not terminated


def test_one_step_with_matrices():
    env = QuadrotorTracking()
    env.external_force = np.array([0.3, -0.2, 0.1, 0.04, 0.05, -0.06])
    env.set_state(a_state(np.random.default_rng(0)))
    state, action = env.get_state()["state"], np.array([30.0, 0.2, -0.4, 0.3])
    p, v, R, W, t = state[:3], state[3:6], env.rotation(state), state[10:13], state[16]
    before = reference_attitude(p, v, t)
    for _ in range(4):
        dv = np.array([0, 0, G]) - 30.0 * R[:, 2] / M + env.external_force[:3] / M
        dW = (action[1:] + env.external_force[3:] - np.cross(W, J * W)) / J
        p, v, R, W = p + 0.01 * v, v + 0.01 * dv, nearest_rotation(R + 0.01 * R @ hat(W)), W + 0.01 * dW
    Rd, (xd, vd, *_) = reference_attitude(p, v, t + 0.04), reference(t + 0.04)
    Wd = vee(Rd.T @ (Rd - before)) / 0.04
    errors = np.concatenate([p - xd, v - vd, vee(Rd.T @ R - R.T @ Rd) / 2, W - R.T @ Rd @ Wd])

    obs, cost, *_ = env.step(action)
    after = env.get_state()["state"]
    np.testing.assert_allclose(env.rotation(after), R, atol=1e-12)
    np.testing.assert_allclose(np.delete(after, range(6, 10)), [*p, *v, *W, *Wd, t + 0.04], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(obs, errors, rtol=1e-10, atol=1e-12)
    assert cost == pytest.approx(errors @ errors + 1e-4 * 30**2 + 0.01 * action[1:] @ action[1:], rel=1e-10)


def test_the_rotation_is_that_of_its_rotation_vector():
    turn = np.array([0.3, -0.5, 0.2])
    expected, term = np.eye(3), np.eye(3)
    for k in range(1, 30):
        term = term @ hat(turn) / k
        expected = expected + term
    np.testing.assert_allclose(QuadrotorTracking().rotation(state_of(rotation_vector=turn)), expected, atol=1e-14)


def test_rotations_stay_rotations():
    env = QuadrotorTracking()
    rng = np.random.default_rng(0)
    states = np.array([state_of(W=rng.normal(size=3)) for _ in range(20)])
    for _ in range(500):
        actions = rng.uniform(-3, 3, (20, 4))
        actions[:, 1:] -= 0.3 * states[:, 10:13]
        states = env.step_batch(states, actions).states
    R = env.rotation(states)
    assert np.abs(states[:, 10:13]).max() > 3.0
    np.testing.assert_allclose(np.swapaxes(R, -1, -2) @ R, np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-12)


def test_the_geometric_controller_survives_and_scores_what_it_should():
    env = QuadrotorTracking(bonus=True)
    states = []
    for seed in range(3):
        env.reset(seed=seed)
        states.append(env.get_state()["state"])
    states = np.array(states)
    rewards, costs = np.zeros(3), np.zeros(3)
    for _ in range(1000):
        fd = wanted_force(states[:, :3], states[:, 3:6], states[:, 16])
        e, R = env.observe(states), env.rotation(states)
        thrust = np.maximum(np.sum(fd * R[..., 2], axis=-1, keepdims=True), 40.0)
        actions = np.concatenate([thrust, -8.81 * e[:, 6:9] - 2.54 * e[:, 9:]], axis=-1)
        states, cost, terminated = env.step_batch(states, actions)
        assert not terminated.any()
        rewards += 0.1 * (10.0 - cost)
        costs += 0.1 * np.sum(env.observe(states) ** 2, axis=-1)
    assert rewards.mean() == pytest.approx(893.5, abs=1.0)
    assert costs.mean() == pytest.approx(13.3, abs=0.8)
    assert np.abs(env.observe(states)).max() < 0.1


def test_starts_are_drawn_in_the_order_of_the_original():
    env = QuadrotorTracking()
    env.reset(seed=5)
    rng = np.random.default_rng(5)
    p, v = rng.uniform(-0.01, 0.01, (2, 3))
    turn, W = 0.01 * rng.standard_normal(3), rng.uniform(-0.01, 0.01, 3)
    np.testing.assert_allclose(env.get_state()["state"], state_of(p, v, turn, W), atol=1e-15)


def test_options_of_a_reset():
    env = QuadrotorTracking()
    low = np.arange(9.0)
    env.reset(seed=0, options={"low": low, "high": low})
    np.testing.assert_array_equal(env.get_state()["state"][[0, 1, 2, 3, 4, 5, 10, 11, 12]], low)
    env.reset(options={"random": False})
    assert env.get_state()["state"].tolist() == [0.0] * 6 + [1.0] + [0.0] * 10


def test_the_bonus_grows_linearly_towards_no_error():
    plain, rewarded = QuadrotorTracking(), QuadrotorTracking(bonus=True)
    on_reference = {"p": (0, 0, 0.6), "v": (0.4, 0.4, 0)}
    Wd = plain.step_batch(state_of(**on_reference)[None], HOVER[None]).states[0, 13:16]
    largest = []
    for error in (0.0, 0.05, 0.09, 0.2):
        state = state_of(**on_reference, W=Wd)
        state[0] = error
        cost = plain.step_batch(state[None], HOVER[None]).costs[0]
        rewarded.set_state(state)
        errors, rewarded_cost, *_ = rewarded.step(HOVER)
        largest.append(np.abs(errors).max())
        bonus = 10 * (1 - largest[-1] / 0.1) if largest[-1] <= 0.1 else 0.0
        assert cost == pytest.approx(errors @ errors + 1e-4 * (M * G) ** 2)
        assert 10.0 - rewarded_cost == pytest.approx(bonus - cost)
    assert largest[0] < 0.1 < largest[-1]


def test_the_signals_are_positions():
    env = QuadrotorTracking()
    _, info = env.set_state(state_of(p=(1, 2, 3), t=np.pi / 2))
    np.testing.assert_allclose(info["reference"], [0.2 * np.pi, 0.4, 0.0], atol=1e-12)
    np.testing.assert_allclose(info["state_of_interest"], [1, 2, 3])
    np.testing.assert_allclose(info["reference_error"], [1 - 0.2 * np.pi, 1.6, 3.0])
    nested = env.signals(np.tile(env.get_state()["state"], (2, 3, 1)))
    np.testing.assert_allclose(nested.reference, np.tile(info["reference"], (2, 3, 1)))


def test_an_episode_terminates_when_an_error_exceeds_10():
    env = QuadrotorTracking()
    states = np.array([state_of(p=(0, 0, 0.6 + error), v=(0.4, 0.4, 0)) for error in (-10.1, -9.9, 9.9, 10.1)])
    assert env.step_batch(states, np.tile(HOVER, (4, 1))).terminated.tolist() == [True, False, False, True]


def test_a_batch_steps_as_its_members_do():
    env = QuadrotorTracking(bonus=True)
    rng = np.random.default_rng(0)
    env.external_force = rng.normal(size=6)
    states = np.array([a_state(rng) for _ in range(32)])
    actions = rng.uniform(-1.2, 1.2, (32, 4)) * env.action_space.high
    batch = env.step_batch(states, actions)
    for state, action, after, cost, end in zip(states, actions, *batch, strict=True):
        env.set_state(state)
        _, own_cost, own_end, _, _ = env.step(action)
        np.testing.assert_allclose(env.get_state()["state"], after, rtol=1e-10, atol=1e-11)
        assert own_cost == pytest.approx(cost, rel=1e-10)
        assert own_end == end


def test_a_state_restored_goes_on_exactly():
    env = gymnasium.make("lac/QuadrotorTracking-v1").unwrapped
    env.reset(seed=3)
    env.step(HOVER)
    kept = env.get_state()
    first = [env.step(HOVER)[0] for _ in range(3)]
    again = QuadrotorTracking()
    again.reset(seed=0)
    again.set_state(kept)
    np.testing.assert_array_equal([again.step(HOVER)[0] for _ in range(3)], first)


def test_constants_take_effect_at_once():
    env = QuadrotorTracking()
    state = state_of(v=(0.1, 0.2, 0.3), W=(1.0, 2.0, 3.0))
    nominal = env.step_batch(state[None], HOVER[None]).states[0]
    for name, value, changed in [
        ("m", 5.0, {0, 1, 2, 3, 4, 5, 13, 14, 15}),
        ("g", 9.0, {2, 5, 13, 14, 15}),
        ("J", (0.1, 0.2, 0.3), set(range(17)) - {16}),
        ("kx", 1.0, {13, 14, 15}),
        ("reference_speed", 1.0, {13, 14, 15}),
    ]:
        other = QuadrotorTracking()
        setattr(other, name, value)
        after = other.step_batch(state[None], HOVER[None]).states[0]
        assert set(np.flatnonzero(after != nominal)) <= changed, name
        assert set(np.flatnonzero(after != nominal)) & changed, name


def test_the_markov_observation_sees_all_from_the_body():
    env = QuadrotorTracking(observation="markov")
    state = a_state(np.random.default_rng(3))
    p, v, W, t, R = state[:3], state[3:6], state[10:13], state[16], env.rotation(state)
    xd, vd, _, heading = reference(t)
    error = QuadrotorTracking().observe(state)
    seen = R.T @ np.column_stack([p - xd, v - vd, [0, 0, 1], heading])
    expected = np.concatenate([seen[:, 0], seen[:, 1], error[6:], W, seen[:, 2], seen[:, 3], heading[:2]])
    np.testing.assert_allclose(env.observe(state), expected, atol=1e-12)
    assert env.observation_space.shape == expected.shape


def test_states_of_one_markov_observation_have_the_same_future_and_cost():
    env, published = QuadrotorTracking(observation="markov"), QuadrotorTracking()
    first = a_state(np.random.default_rng(4))
    # A period later and as much further along the helix, with the other quaternion of the same rotation.
    other = first.copy()
    other[[0, 16]] += 0.4 * 2 * np.pi, 2 * np.pi
    other[6:10] *= -1
    states, actions = np.stack([first, other]), np.tile(HOVER, (2, 1))
    np.testing.assert_allclose(*env.observe(states), atol=1e-9)
    step, plain = env.step_batch(states, actions), published.step_batch(states, actions)
    np.testing.assert_allclose(*env.observe(step.states), atol=1e-9)
    np.testing.assert_allclose(step.costs, step.costs[0], rtol=1e-9)
    np.testing.assert_array_equal(step.costs, plain.costs)


def test_a_torque_limit_bounds_the_torques_alone():
    env = QuadrotorTracking(torque_limit=3.0)
    np.testing.assert_allclose(env.action_space.high, [2 * M * G, 3, 3, 3])
    np.testing.assert_allclose(env.action_space.low, [0, -3, -3, -3])
    with pytest.raises(ValueError, match="torque_limit"):
        QuadrotorTracking(torque_limit=0.0)
    with pytest.raises(ValueError, match="observation"):
        QuadrotorTracking(observation="all")


def test_half_of_the_spread_starts_are_on_the_way_to_the_reference():
    env = QuadrotorTracking(start_spread=0.8)
    env.reset(seed=0)
    starts = np.array([env.reset()[1]["state_of_interest"] for _ in range(400)])
    # The reference starts 0.6 m below the origin; the published starts are within 0.01 m of it.
    shares = starts[:, 2] / 0.6
    assert np.mean(shares < 0.02) == pytest.approx(0.5, abs=0.08)
    assert 0.7 < shares.max() < 0.82
    with pytest.raises(ValueError, match="start_spread"):
        QuadrotorTracking(start_spread=2.0)
