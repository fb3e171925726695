"""The arguments of lac(...) that steer the loop, and logger_kwargs."""

import gymnasium
import pytest
from api_support import UNTRAINED, Constant, Rewarded, oscillator, same, tensors

from lac import (
    LAC,
    LyapunovActorTwinCritic,
    ReplayBuffer,
    lac,
    load_agent,
    sac,
)


def test_the_run_gives_the_agent_and_its_buffer(train):
    run = train()
    assert type(run.agent) is LAC
    assert type(run.buffer) is ReplayBuffer
    assert len(run.buffer) == 60
    assert run.rows[0]["updates"] == 6


def test_argument_env_fn(train):
    made = []

    def env_fn():
        made.append(gymnasium.make("Pendulum-v1"))
        return made[-1]

    run = train(env_fn, opt_type="maximize", num_test_episodes=2, max_ep_len=5)
    assert len(made) == 3
    assert run.buffer.sample_batch(1)["obs"].shape == (1, 3)


def test_argument_actor_critic(train):
    assert not hasattr(train(**UNTRAINED).agent.ac, "L2")
    run = train(actor_critic=LyapunovActorTwinCritic)
    assert hasattr(run.agent.ac, "L2")
    assert run.rows[0]["updates"] == 6


def test_argument_ac_kwargs(train):
    run = train(ac_kwargs={"hidden_sizes": {"actor": [5], "critic": [6, 7]}}, **UNTRAINED)
    assert run.agent.ac.pi.net[0].out_features == 5
    assert run.agent.ac.L.L[2].out_features == 7


@pytest.mark.parametrize("horizon_length", [0, 3])
def test_argument_opt_type(train, horizon_length):
    settings = {"horizon_length": horizon_length, "num_test_episodes": 1}
    costs = train(**settings)
    rewards = train(lambda: Rewarded(oscillator()), opt_type="maximize", **settings)
    # Rewards are read as costs, and the two runs are the same run.
    assert same(tensors(costs.agent), tensors(rewards.agent))
    assert costs.rows[0]["test/cost_mean"] == rewards.rows[0]["test/cost_mean"] > 0


def test_rewards_given_as_costs_are_refused(train):
    with pytest.raises(ValueError, match="maximize"):
        train(lambda: Rewarded(oscillator()))


def test_argument_max_ep_len(train):
    (row,) = train(max_ep_len=4, num_test_episodes=2).rows
    assert row["train/ep_len_mean"] == row["test/ep_len_mean"] == 4
    assert train().rows[0]["train/ep_len_mean"] > 4


def test_a_time_limit_is_no_termination(train):
    assert not train(max_ep_len=4).buffer.sample_batch(500)["done"].any()


@pytest.mark.parametrize("function", [lac, sac])
def test_argument_time_limit_is_terminal(train, function):
    run = train(function=function, max_ep_len=4, time_limit_is_terminal=True, num_test_episodes=1)
    # Every fourth of the 60 transitions; what is tested still tells a time limit from a death.
    done = run.buffer.sample_batch(4000)
    terminal = {tuple(row) for row in done["obs"][done["done"] == 1].tolist()}
    assert len(terminal) == 15
    assert run.rows[0]["test/death_rate"] == 0


@pytest.mark.parametrize("epochs", [1, 3])
def test_argument_epochs(train, epochs):
    run = train(epochs=epochs)
    assert [row["epoch"] for row in run.rows] == list(range(1, epochs + 1))
    assert len(run.buffer) == 60 * epochs


def test_argument_steps_per_epoch(train):
    run = train(epochs=2, steps_per_epoch=25)
    assert [row["env_steps"] for row in run.rows] == [25, 50]
    assert len(run.buffer) == 50


@pytest.mark.parametrize("start_steps", [0, 45])
def test_argument_start_steps(train, start_steps):
    run = train(actor_critic=Constant, start_steps=start_steps)
    actions = run.buffer.sample_batch(3000)["act"]
    is_policy = (actions == 0.25).all(dim=1)
    distinct = {tuple(row) for row in actions[~is_policy].tolist()}
    assert len(distinct) == start_steps
    assert is_policy.float().mean().item() == pytest.approx((60 - start_steps) / 60, abs=0.05)
    assert all(0.0 <= entry <= 1.0 for row in distinct for entry in row)


@pytest.mark.parametrize(
    ("changes", "updates"),
    [
        # Rounds of two updates after steps 20, 40 and 60.
        ({}, 6),
        ({"update_every": 7}, 12),
        ({"update_every": 41}, 2),
        ({"update_after": 41}, 2),
        ({"update_after": 0}, 6),
        ({"update_after": 61}, 0),
        ({"steps_per_update": 5}, 15),
    ],
    ids=str,
)
def test_arguments_update_every_update_after_and_steps_per_update(train, changes, updates):
    run = train(**changes)
    assert run.rows[0]["updates"] == updates
    assert run.agent.critic_optimizer.steps.item() == updates


def test_epochs_may_pass_without_an_update(train):
    run = train(epochs=3, steps_per_epoch=30, update_after=20, update_every=65)
    assert [row["updates"] for row in run.rows] == [2, 2, 4]


@pytest.mark.parametrize("episodes", [0, 1, 18])
def test_argument_num_test_episodes(train, episodes):
    seeds = []

    class Watched(gymnasium.Wrapper):
        def reset(self, *, seed=None, options=None):
            if seed is not None:
                seeds.append(seed)
            return self.env.reset(seed=seed, options=options)

    few = max(episodes, 1)
    (row,) = train(lambda: Watched(oscillator()), num_test_episodes=episodes, final_test_episodes=few).rows
    # One of the seeds is that of the training environment.
    assert len(set(seeds)) == episodes + 1
    assert ("test/cost_mean" in row) == (episodes > 0)


# logger_kwargs ---------------------------------------------------------------------------------------


def test_logger_output_dir(train, tmp_path):
    train(logger_kwargs={"output_dir": tmp_path / "here" / "it is"}, **UNTRAINED)
    written = {path.name for path in (tmp_path / "here" / "it is").iterdir()}
    assert written >= {"metrics.jsonl", "summary.json", "policy"}


def test_a_run_folder_is_not_used_twice(train, tmp_path):
    train(logger_kwargs={"output_dir": str(tmp_path / "once")}, **UNTRAINED)
    before = (tmp_path / "once" / "metrics.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="once"):
        train(logger_kwargs={"output_dir": str(tmp_path / "once")}, **UNTRAINED)
    assert (tmp_path / "once" / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(("kwargs", "name"), [({}, "lac"), ({"exp_name": "my-trial"}, "my-trial")])
def test_logger_exp_name_names_the_default_folder(train, tmp_path, monkeypatch, kwargs, name):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        train(logger_kwargs={"output_dir": None, **kwargs}, **UNTRAINED)
    folders = [path.parent for path in (tmp_path / "outputs").rglob("summary.json")]
    assert len(folders) == 2
    assert all(name in folder.name for folder in folders)
    assert all((folder / "train.log").read_text().splitlines()[0].startswith(name) for folder in folders)


def test_logger_quiet(train, capsys):
    train(logger_kwargs={"quiet": True})
    assert capsys.readouterr() == ("", "")
    run = train(logger_kwargs={"quiet": False})
    assert str(run.folder) in capsys.readouterr().out


def test_logger_verbose_vars(train, capsys):
    train(num_test_episodes=1, logger_kwargs={"quiet": False})
    assert "test cost" in capsys.readouterr().out
    run = train(logger_kwargs={"quiet": False, "verbose_vars": ["train/critic_loss", "lr/critic"]})
    lines = capsys.readouterr().out.splitlines()
    values = [f"{run.rows[0][name]:.4g}" for name in ("train/critic_loss", "lr/critic")]
    assert values in [line.split() for line in lines]
    assert "critic_los" in " ".join(lines)
    assert "steps/s" not in " ".join(lines)


@pytest.mark.parametrize("keep", [False, True])
def test_logger_save_checkpoints(train, keep):
    run = train(epochs=2, logger_kwargs={"save_checkpoints": keep})
    kept = sorted(path.name for path in (run.folder / "policy").iterdir() if path.name.startswith("epoch"))
    assert kept == (["epoch-0001.safetensors", "epoch-0002.safetensors"] if keep else [])
    if keep:
        first, second = (load_agent(run.folder / "policy" / name) for name in kept)
        assert not same(tensors(first), tensors(second))
        assert same(tensors(second), tensors(run.agent))


@pytest.mark.parametrize(
    ("key", "hint"), [("use_wanb", "use_wandb"), ("ouput_dir", "output_dir"), ("zzz", "output_dir")]
)
def test_an_unknown_logger_key_is_refused(train, tmp_path, key, hint):
    with pytest.raises(ValueError, match=f"'{key}'.*{hint}"):
        train(logger_kwargs={key: 1})
    assert list(tmp_path.iterdir()) == []
