import numpy as np
import pytest

from lac.envs.single_track_car import SingleTrackCar

LF, LR, H, M, IZ = 1.156196, 1.422717, 0.613730, 1093.295, 1791.60
L, MU, CS, G = LF + LR, 0.10489, 20.8981, 9.81


def one_euler_step(state, action, force=(0.0, 0.0, 0.0), **options):
    """What one step of 0.01 s adds to a state, per second."""
    env = SingleTrackCar(**options)
    env.dt, env.substeps = 0.01, 1
    env.external_force = np.array(force)
    env.set_state(state)
    after, *_ = env.step(np.array(action))
    return (after - np.array(state)) / 0.01


def test_the_slipping_car_by_hand():
    delta, psi, w, beta, rate, a, v = 0.2, 0.3, 0.4, 0.1, 0.5, -0.6, 1.5
    front, rear = CS * (G * LR - a * H), CS * (G * LF + a * H)
    moment = LR * rear - LF * front
    dw = MU * M / (IZ * L) * (-(LF**2 * front + LR**2 * rear) * w / v + moment * beta + LF * front * delta)
    dbeta = MU / (v * L) * (moment * w / v - (rear + front) * beta + front * delta) - w
    expected = [v * np.cos(0.4) - 1, v * np.sin(0.4), rate, a, w, dw, dbeta]
    change = one_euler_step([0.7, 0.7, delta, v - 1, psi, w, beta], [rate, a])
    np.testing.assert_allclose(change, expected, rtol=1e-5)


@pytest.mark.parametrize(("trap", "answers"), [(True, 0.0), (False, 1.0)])
@pytest.mark.parametrize("v", [0.05, 0.0, -0.05])
def test_the_rolling_car_by_hand(v, trap, answers):
    delta, psi, w, beta, rate, a = 0.2, 0.3, 0.4, 0.1, 0.5, -0.6
    tan, cos2 = np.tan(delta), np.cos(delta) ** 2
    B = (LR / (L * cos2)) / (1 + (tan * LR / L) ** 2)
    # The slip angle of a rolling car is atan(lr tan(delta) / L): B is its derivative.
    slip = [np.arctan(LR / L * np.tan(delta + h)) for h in (1e-6, -1e-6)]
    assert pytest.approx((slip[0] - slip[1]) / 2e-6) == B
    turning = -v * np.sin(beta) * tan * B + v * np.cos(beta) / cos2
    dw = a * np.cos(beta) * tan / L + rate / L * turning
    yaw = v * np.cos(beta) * tan / L
    expected = [v * np.cos(0.4) - 1, v * np.sin(0.4), answers * rate, answers * a, yaw, dw, B * rate]
    change = one_euler_step([0.7, 0.7, delta, v - 1, psi, w, beta], [rate, a], low_speed_trap=trap)
    np.testing.assert_allclose(change, expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(("v", "rolls"), [(0.0999, True), (0.1001, False), (-0.0999, True), (-0.1001, False)])
def test_the_car_rolls_below_a_tenth_of_a_metre_per_second(v, rolls):
    # Only the slipping car turns as its yaw rate says.
    assert one_euler_step([0, 0, 0, v - 1, 0, 0.4, 0], [0.0, 0.0])[4] == pytest.approx(0.0 if rolls else 0.4)


@pytest.mark.parametrize(("trap", "speed"), [(True, 0.05), (False, 0.55)])
def test_only_the_corrected_car_moves_off_again(trap, speed):
    env = SingleTrackCar(low_speed_trap=trap)
    env.set_state([0, 0, 0, 0.05 - 1, 0, 0, 0])
    for _ in range(10):
        obs, *_ = env.step(np.array([0.0, 1.0]))
    assert 1 + obs[3] == pytest.approx(speed)


def test_members_of_a_batch_may_roll_and_slip():
    env = SingleTrackCar(low_speed_trap=False)
    rng = np.random.default_rng(0)
    states, actions = rng.uniform(-0.3, 0.3, (20, 7)), rng.uniform(-1, 1, (20, 2))
    states[:, 3] = np.linspace(-1.3, 0.0, 20)
    states[0, 3] = -1.0
    batch = env.step_batch(states, actions)
    assert np.isfinite(batch.states).all()
    for state, action, after in zip(states, actions, batch.states, strict=True):
        env.set_state(state)
        np.testing.assert_allclose(env.step(action)[0], after, rtol=1e-11, atol=1e-12)


def test_an_external_force_pushes_the_car():
    state, action = [0, 0, 0.1, 0.5, 0.2, 0.1, 0.1], [0.0, 0.0]
    force = [0.5 * M, 0.3 * M, 0.2 * IZ]
    change = one_euler_step(state, action, force) - one_euler_step(state, action)
    np.testing.assert_allclose(change, [0, 0, 0, 0.5, 0, 0.2, 0.3 / 1.5], rtol=1e-5, atol=1e-9)


def test_the_line_may_be_followed_at_another_speed():
    env = SingleTrackCar()
    env.v_ref = 2.0
    env.set_state([0.5, 0, 0, 0.25, 0, 0, 0])
    obs, *_ = env.step(np.zeros(2))
    np.testing.assert_allclose(obs, [0.5 + 0.05 * 0.25, 0, 0, 0.25, 0, 0, 0], atol=1e-12)
