"""What every environment of ours promises, asked of each registered one that is a System."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from system_support import IDS, made, random_actions, steps

N_MEMBERS = 64


@pytest.fixture(params=IDS)
def env_id(request):
    return request.param


@pytest.fixture
def env(env_id):
    return made(env_id)


def visited(env, number=N_MEMBERS):
    """States on the way of random actions, from several starts."""
    states = []
    while len(states) < number:
        env.reset()
        for action in random_actions(env, 8):
            env.step(action)
            states.append(env.get_state()["state"])
    return np.stack(states[:number])


def assert_equal_steps(one, other):
    for (obs, *rest, info), (other_obs, *other_rest, other_info) in zip(one, other, strict=True):
        np.testing.assert_array_equal(obs, other_obs)
        assert rest == other_rest
        assert info.keys() == other_info.keys()
        for key, value in info.items():
            np.testing.assert_array_equal(value, other_info[key])


def after_one_step(env, state, action):
    """The state after a step, with the generator always in the same state."""
    env.reset(seed=5)
    env.set_state(state)
    env.step(action)
    return env.get_state()["state"]


def test_there_are_systems_to_ask():
    assert {f"lac/{name}-v1" for name in ("Oscillator", "CartPoleCost", "Ex3EKF")} <= set(IDS)


# Gymnasium -------------------------------------------------------------------------------------------


def test_the_checker_of_gymnasium_has_nothing_to_say(env_id):
    env = gymnasium.make(env_id, disable_env_checker=True).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Some entries of observations have no bounds, and some actions are in newtons: the specification asks for both.
        warnings.filterwarnings("ignore", message=".*Box observation space .*infinity.*probably too (high|low)")
        warnings.filterwarnings("ignore", message=".*Box action spaces, we recommend .*normalized")
        check_env(env)


def test_step_gives_what_gymnasium_asks_for(env):
    for obs, cost, terminated, truncated, _ in steps(env, random_actions(env, 5)):
        assert (obs.dtype, obs.shape) == (env.observation_space.dtype, env.observation_space.shape)
        assert type(cost) is float
        assert cost >= 0.0
        assert type(terminated) is bool
        assert truncated is False


def test_seeds_determine_an_episode(env_id):
    actions = random_actions(made(env_id), 10)
    env, other = made(env_id), made(env_id)
    first, second, third = env.reset(seed=7)[0], other.reset(seed=7)[0], made(env_id).reset(seed=8)[0]
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    assert_equal_steps(steps(env, actions), steps(other, actions))


def test_environments_share_nothing(env_id):
    env, other = made(env_id), made(env_id)
    before = env.get_state()
    other.reset(seed=9)
    steps(other, random_actions(other, 3))
    for key, value in env.get_state().items():
        np.testing.assert_array_equal(value, before[key])


def test_actions_are_clipped_to_their_box(env):
    space, state = env.action_space, env.get_state()["state"]
    np.testing.assert_array_equal(
        after_one_step(env, state, space.low - 3.0), after_one_step(env, state, space.low.copy())
    )
    env.clip_action = False
    after_one_step(env, state, space.high.copy())
    with pytest.raises(ValueError, match="clip_action"):
        env.step(space.high + 1e-6)


# Signals ---------------------------------------------------------------------------------------------


def test_the_error_in_info_is_state_minus_reference(env):
    infos = [env.reset(seed=1)[1], *(step[-1] for step in steps(env, random_actions(env, 5)))]
    for info in infos:
        reference, interest, error = (info[key] for key in ("reference", "state_of_interest", "reference_error"))
        assert reference.ndim == 1
        assert reference.shape == interest.shape == error.shape
        np.testing.assert_array_equal(error, interest - reference)
        assert len(env.unwrapped.signal_names) == interest.size


def test_what_is_given_away_is_not_the_state_itself(env):
    state = env.get_state()["state"]
    for obs, info in (env.set_state(state), env.step(env.action_space.sample())[::4]):
        before = env.get_state()["state"]
        for array in (obs, *info.values()):
            np.add(array, 1.0, out=array)
        np.testing.assert_array_equal(env.get_state()["state"], before)


# Batches ---------------------------------------------------------------------------------------------


def test_a_batched_step_is_many_single_steps(env):
    states, actions = visited(env), 1.2 * random_actions(env, N_MEMBERS)
    noise = env.draw_noise(N_MEMBERS)
    env.process_disturbance = np.linspace(0.0, 0.01, env.state_dim)
    env.external_force = np.full_like(env.external_force, 0.1)
    batch = env.step_batch(states, actions, noise)
    for i in range(N_MEMBERS):
        env.set_state(states[i])
        env.draw_noise = lambda size=None, i=i: noise[i]
        obs, cost, terminated, _, info = env.step(actions[i])
        tolerance = {"rtol": 1e-12, "atol": 1e-12}
        np.testing.assert_allclose(batch.states[i], env.get_state()["state"], **tolerance)
        np.testing.assert_allclose(batch.costs[i], cost, **tolerance)
        assert batch.terminated[i] == terminated
        np.testing.assert_allclose(env.observe(batch.states)[i], obs, **tolerance)
        for signal, key in zip(env.signals(batch.states), ("reference", "state_of_interest"), strict=True):
            np.testing.assert_allclose(signal[i], info[key], **tolerance)


def test_a_batched_step_leaves_environment_and_arguments_alone(env):
    states, actions = visited(env), 1.2 * random_actions(env, N_MEMBERS)
    noise = env.draw_noise(N_MEMBERS)
    arguments, before = (states.copy(), actions.copy(), noise.copy()), env.get_state()
    env.step_batch(states, actions, noise)
    for argument, copy in zip((states, actions, noise), arguments, strict=True):
        np.testing.assert_array_equal(argument, copy)
    for key, value in env.get_state().items():
        np.testing.assert_array_equal(value, before[key])


def test_a_batched_step_without_noise_given_draws_it(env):
    states, actions = visited(env), random_actions(env, N_MEMBERS)
    generator = env.get_state()["generator"]
    drawn = env.step_batch(states, actions)
    env.set_state({"state": states[0], "generator": generator})
    given = env.step_batch(states, actions, env.draw_noise(N_MEMBERS))
    for one, other in zip(drawn, given, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_noise_of_one_system_is_that_of_a_batch_of_one(env):
    generator = env.get_state()
    single = env.draw_noise()
    env.set_state(generator)
    np.testing.assert_allclose(env.draw_noise(1), single[None], rtol=1e-12)


# State -----------------------------------------------------------------------------------------------


def test_a_state_is_restored_exactly_with_its_generator(env):
    steps(env, random_actions(env, 3))
    saved, actions = env.get_state(), random_actions(env, 5)
    first = steps(env, actions)
    env.set_state(saved)
    assert_equal_steps(steps(env, actions), first)


def test_a_spare_half_draw_of_the_generator_is_restored(env):
    def small_numbers():
        return env.np_random.integers(0, 2**31, 3, dtype=np.int32).tolist()

    small_numbers()
    saved = env.get_state()
    first = small_numbers()
    env.set_state(saved)
    assert small_numbers() == first


def test_a_state_can_be_moved_to_another_environment(env_id):
    env, other = made(env_id), made(env_id)
    steps(env, random_actions(env, 3))
    other.reset(seed=3)
    other.set_state(env.get_state())
    actions = random_actions(env, 5)
    assert_equal_steps(steps(other, actions), steps(env, actions))


def test_a_step_is_seen_as_set_state_shows_it(env):
    obs, *_, info = env.step(env.action_space.sample())
    seen, seen_info = env.set_state(env.get_state())
    np.testing.assert_array_equal(seen, obs)
    np.testing.assert_array_equal(seen_info["reference"], info["reference"])


def test_a_bare_state_leaves_the_generator_alone(env):
    generator = env.get_state()["generator"]
    env.set_state(env.get_state()["state"])
    np.testing.assert_array_equal(env.get_state()["generator"], generator)


@pytest.mark.parametrize("wrong", ["shape", "nan"])
def test_a_wrong_state_is_refused(env, wrong):
    state = env.get_state()["state"]
    state = state[:-1] if wrong == "shape" else np.full_like(state, np.nan)
    with pytest.raises(ValueError, match=f"{env.state_dim} finite numbers"):
        env.set_state(state)


# Disturbances and constants --------------------------------------------------------------------------


def test_each_external_force_changes_the_next_state(env):
    state, action = env.get_state()["state"], env.action_space.sample()
    nominal = after_one_step(env, state, action)
    for k in range(env.external_force.size):
        env.external_force = np.eye(env.external_force.size)[k]
        assert (after_one_step(env, state, action) != nominal).any()


def test_a_process_disturbance_is_added_to_the_next_state(env):
    state, action = env.get_state()["state"], env.action_space.sample()
    nominal = after_one_step(env, state, action)
    env.process_disturbance = np.linspace(0.01, 0.02, env.state_dim)
    np.testing.assert_array_equal(after_one_step(env, state, action), nominal + env.process_disturbance)


def constants(env):
    """The public attributes that are finite numbers; bonuses are off by default and have tests of their own."""
    public = {name: value for name, value in vars(env).items() if not name.startswith(("_", "bonus"))}
    values = {name: value for name, value in public.items() if type(value) is float}
    return [name for name, value in values.items() if np.isfinite(value) and name != "process_disturbance"]


def test_every_constant_takes_effect(env):
    number = 20 * N_MEMBERS
    # Far and near, so that some are on either side of every limit.
    states = visited(env, number) * np.geomspace(0.1, 10.0, number)[:, None]
    actions = random_actions(env, number)

    def outcome():
        env.reset(seed=6)
        batch = env.step_batch(states, actions)
        return np.column_stack([batch.states, batch.costs, batch.terminated, env.observe(batch.states)])

    nominal, without_effect = outcome(), []
    for name in constants(env):
        value = getattr(env, name)
        setattr(env, name, 0.6 * value + 0.05)
        if (outcome() == nominal).all():
            without_effect.append(name)
        setattr(env, name, value)
    assert without_effect == []


def test_names_of_observations_and_actions_are_one_for_each(env):
    for names, space in ((env.observation_names, env.observation_space), (env.action_names, env.action_space)):
        assert names is None or len(set(names)) == space.shape[0]


@pytest.mark.parametrize(
    ("env_id", "kwargs", "shown"),
    [
        ("lac/CartPoleTrackingCost-v1", {}, ["r [m]"]),
        ("lac/CartPoleTrackingCost-v1", {"exclude_reference_error_from_observation": False}, ["r [m]", "x - r [m]"]),
        ("lac/CartPoleTrackingCost-v1", {"exclude_reference_rate_from_observation": False}, ["r [m]", "r' [m/s]"]),
        ("lac/Ex3EKF-v1", {"exclude_truth_from_observation": True}, []),
    ],
)
def test_names_of_observations_follow_what_is_shown(env_id, kwargs, shown):
    env = made(env_id, **kwargs)
    assert len(env.observation_names) == env.observation_space.shape[0]
    assert list(env.observation_names[4:]) == shown
