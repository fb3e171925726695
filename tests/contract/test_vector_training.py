"""Training on several environments: which transitions are stored, what is counted, and that one is as it was."""

import gymnasium
import numpy as np
import pytest
from api_support import SMALL, Constant, Rewarded, oscillator, same, tensors
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from lac import LAC, FiniteHorizonReplayBuffer, ReplayBuffer
from lac.engines import choose_engine
from lac.envs import wrap_env
from lac.training.state import seed_everything

TOTAL = 202  # two epochs of 101 steps
BUDGET = {"epochs": 2, "steps_per_epoch": TOTAL // 2, "update_after": 20, "update_every": 7, "steps_per_update": 1}


def length(member, episode):
    """How long the episodes of :class:`Counting` are: 1 to 7 steps."""
    return 1 + (3 * member + 2 * episode) % 7


def cost(member, step):
    """What its step from ``step`` on costs; no sum over several members looks like one over a single one."""
    return 1000.0 * member + step


class Counting(gymnasium.Env):
    """Observes (member, episode, step); even episodes are terminated, odd ones truncated."""

    observation_space = gymnasium.spaces.Box(0.0, np.inf, (3,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))

    def __init__(self, member):
        self.member, self.episode, self.steps, self.seeds = member, -1, 0, []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        self.episode, self.steps = self.episode + 1, 0
        return self._observation(), {}

    def step(self, action):
        paid = cost(self.member, self.steps)
        self.steps += 1
        assert self.steps <= length(self.member, self.episode), "stepped after the end"
        ended, even = self.steps == length(self.member, self.episode), self.episode % 2 == 0
        return self._observation(), paid, ended and even, ended and not even, {}

    def _observation(self):
        return np.array([self.member, self.episode, self.steps], np.float32)


def steps_taken(num_envs, wastes_a_step):
    """The first ``TOTAL`` steps as (member, episode, step), from what the two autoreset modes are."""
    taken, places, waits = [], [(0, 0)] * num_envs, [False] * num_envs
    while True:
        for member in range(num_envs):
            if waits[member]:
                waits[member] = False
                continue
            episode, step = places[member]
            taken.append((member, episode, step))
            if len(taken) == TOTAL:
                return taken
            ended = step + 1 == length(member, episode)
            places[member] = (episode + 1, 0) if ended else (episode, step + 1)
            waits[member] = ended and wastes_a_step


def window(member, episode, step, horizon):
    """The sum of the next costs; past the end the last one counts."""
    return sum(cost(member, min(step + k, length(member, episode) - 1)) for k in range(horizon))


def is_complete(taken, member, episode, step, horizon):
    return (member, episode, min(step + horizon - 1, length(member, episode) - 1)) in taken


MODES = ["ours", AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP]


def env_fn_and_arguments(mode, num_envs):
    members = [Counting(i) for i in range(num_envs)]
    if mode == "ours":
        following = iter(members)
        return members, lambda: next(following), {"num_envs": num_envs}
    makers = [lambda env=env: env for env in members]
    return members, lambda: SyncVectorEnv(makers, copy=False, autoreset_mode=mode), {}


@pytest.mark.parametrize("horizon", [0, 5])
@pytest.mark.parametrize("num_envs", [1, 3, 8])
@pytest.mark.parametrize("mode", MODES)
def test_every_stored_transition_happened_and_none_is_missing(train, mode, num_envs, horizon):
    _, env_fn, arguments = env_fn_and_arguments(mode, num_envs)
    run = train(env_fn, horizon_length=horizon, **BUDGET, **arguments)
    taken = set(steps_taken(num_envs, wastes_a_step=mode == AutoresetMode.NEXT_STEP))
    visible = {key for key in taken if horizon == 0 or is_complete(taken, *key, horizon)}
    assert len(run.buffer) == len(visible)
    batch = run.buffer.sample_batch(5_000)  # each of some 200 is drawn, but for a chance of 1e-8
    assert {tuple(map(int, obs)) for obs in batch["obs"].tolist()} == visible
    for i, (obs, obs_next) in enumerate(zip(batch["obs"].tolist(), batch["obs_next"].tolist(), strict=True)):
        member, episode, step = map(int, obs)
        assert obs_next == [member, episode, step + 1]
        assert batch["rew"][i] == cost(member, step)
        assert batch["done"][i] == (step + 1 == length(member, episode) and episode % 2 == 0)
        if horizon:
            assert batch["horizon_rew"][i] == window(member, episode, step, horizon)


@pytest.mark.parametrize("num_envs", [1, 3, 8])
@pytest.mark.parametrize("mode", MODES)
def test_rounds_and_epochs_come_after_the_same_number_of_steps(train, monkeypatch, mode, num_envs):
    stored = []
    draw = ReplayBuffer.sample_batches
    monkeypatch.setattr(
        ReplayBuffer, "sample_batches", lambda self, *args: stored.append(len(self)) or draw(self, *args)
    )
    _, env_fn, arguments = env_fn_and_arguments(mode, num_envs)
    rows = train(env_fn, **BUDGET, **arguments).rows
    assert stored == list(range(20, TOTAL + 1, 7))
    assert [(row["env_steps"], row["updates"]) for row in rows] == [(101, 12), (202, 27)]


@pytest.mark.parametrize("mode", MODES)
def test_episodes_are_those_of_single_environments(train, mode):
    _, env_fn, arguments = env_fn_and_arguments(mode, 3)
    row = train(env_fn, **BUDGET, **arguments).rows[0]
    taken = steps_taken(3, wastes_a_step=mode == AutoresetMode.NEXT_STEP)[:101]
    ended = {(member, episode) for member, episode, step in taken if step + 1 == length(member, episode)}
    assert row["train/ep_len_mean"] == pytest.approx(np.mean([length(*which) for which in ended]))
    costs = [sum(cost(member, step) for step in range(length(member, episode))) for member, episode in ended]
    assert row["train/cost_mean"] == pytest.approx(np.mean(costs))


def test_each_environment_has_a_seed_of_its_own_and_the_first_that_of_a_single_one(train):
    def first_seeds(num_envs):
        members, env_fn, arguments = env_fn_and_arguments("ours", num_envs)
        train(env_fn, **BUDGET, **arguments)
        assert all(seed is None for env in members for seed in env.seeds[1:])
        return [env.seeds[0] for env in members]

    (single,) = first_seeds(1)
    seeds = first_seeds(8)
    assert seeds[0] == single == seed_everything(0)["env"]
    assert len(set(seeds)) == 8


@pytest.mark.parametrize(("start_steps", "random_steps"), [(0, 0), (1, 4), (9, 12), (12, 12), (1000, TOTAL)])
def test_a_vector_step_that_begins_within_start_steps_is_random(train, start_steps, random_steps):
    run = train(oscillator, num_envs=4, actor_critic=Constant, start_steps=start_steps, **BUDGET)
    actions = {tuple(action) for action in run.buffer.sample_batch(20_000)["act"].tolist()}
    assert len(actions - {(0.25, 0.25, 0.25)}) == random_steps


def test_the_policy_is_asked_once_for_all_environments(train):
    shapes = []

    class Watched(Constant):
        def act(self, obs, deterministic=False):
            shapes.append(tuple(obs.shape))
            return super().act(obs, deterministic)

    train(oscillator, num_envs=4, actor_critic=Watched, epochs=1, steps_per_epoch=22, update_after=100)
    # The first call is the trial of a user's own actor-critic, when the agent is built.
    assert shapes == [(8,)] + [(4, 8)] * 6


# One environment, against the loop as one would write it for one ----------------------------------------


def plain_training(env_fn, opt_type, horizon_length, steps=130):
    seeds = seed_everything(0)
    env = wrap_env(env_fn(), opt_type, max_ep_len=30)
    env.action_space.seed(seeds["actions"])
    agent = LAC(env, ac_kwargs=SMALL)
    engine = choose_engine(agent)
    dims = env.observation_space.shape[0], env.action_space.shape[0]
    if horizon_length:
        buffer = FiniteHorizonReplayBuffer(*dims, 1000, horizon_length, seed=seeds["replay"])
    else:
        buffer = ReplayBuffer(*dims, 1000, seed=seeds["replay"])
    obs, _ = env.reset(seed=seeds["env"])
    for step in range(1, steps + 1):
        action = env.action_space.sample() if step <= 15 else engine.get_action(obs)
        obs_next, cost, terminated, truncated, _ = env.step(action)
        buffer.store(obs, action, float(cost), obs_next, terminated)
        obs = obs_next
        if terminated or truncated:
            buffer.finish_episode()
            obs, _ = env.reset()
        if step in (40, 60, 80, 100, 120):
            for batch in buffer.sample_batches(2, 16):
                engine.update(batch)
    return agent, buffer


@pytest.mark.parametrize("horizon_length", [0, 5])
@pytest.mark.parametrize(
    ("env_fn", "opt_type"), [(oscillator, "minimize"), (lambda: gymnasium.make("Pendulum-v1"), "maximize")]
)
def test_one_environment_is_trained_in_as_by_a_plain_loop(train, env_fn, opt_type, horizon_length):
    agent, buffer = plain_training(env_fn, opt_type, horizon_length)
    run = train(
        env_fn,
        opt_type=opt_type,
        horizon_length=horizon_length,
        max_ep_len=30,
        start_steps=15,
        steps_per_epoch=130,
        update_after=40,
        lr_decay_type="constant",
    )
    assert same(tensors(run.agent), tensors(agent))
    ours, plain = run.buffer.sample_batch(50), buffer.sample_batch(50)
    assert all((ours[name] == plain[name]).all() for name in plain)


# Vector environments of one's own ------------------------------------------------------------------------


def a_vector(mode=AutoresetMode.SAME_STEP, make=oscillator):
    return SyncVectorEnv([make, make], autoreset_mode=mode)


def too_much_reward():
    envs = a_vector(make=lambda: Rewarded(oscillator()))
    envs.reward_max = -1000.0
    return envs


def test_rewards_of_a_vector_environment_become_costs(train):
    def rewarded():
        envs = a_vector(make=lambda: Rewarded(oscillator()))
        envs.reward_max = 0.0
        return envs

    assert same(tensors(train(rewarded, opt_type="maximize").agent), tensors(train(a_vector).agent))


@pytest.mark.parametrize(
    ("env_fn", "changes", "told"),
    [
        (lambda: a_vector(AutoresetMode.DISABLED), {}, "autoreset_mode.*DISABLED.*SAME_STEP.*NEXT_STEP"),
        (a_vector, {"num_envs": 3}, "num_envs is 3.*has 2"),
        (a_vector, {"max_ep_len": 5}, "max_ep_len is 5"),
        (a_vector, {"num_test_episodes": 1}, "num_test_episodes=0"),
        (too_much_reward, {"opt_type": "maximize"}, "reward -.*above its declared bound.*reward_max=-1000"),
        (oscillator, {"num_envs": 0}, "num_envs is 0; it must be a whole number of at least 1"),
    ],
)
def test_what_does_not_go_together_is_refused(train, env_fn, changes, told):
    with pytest.raises(ValueError, match=told):
        train(env_fn, **changes)
