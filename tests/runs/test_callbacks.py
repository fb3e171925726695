"""Callbacks of a training from Python: metrics of their own, reasons to stop, exact when a run goes on."""

import re
import signal
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from resume_support import maker, train_on
from run_support import checksum, metrics_of, metrics_without_times, summary_of

import lac
from lac.envs.vector import member_info
from lac.runs import RunError

SETTINGS = {"epochs": 3, "steps_per_epoch": 60, "update_after": 50, "lr_decay_type": "constant"}
DOCS = Path(__file__).parents[2] / "docs" / "callbacks.md"


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """A picture takes longer than one of these runs."""
    monkeypatch.setattr("lac.runs.recorder.learning_curve", lambda *_: None)


def run_with(run, *callbacks, make=None, **settings):
    train_on("lac", run, make or maker(), callbacks=callbacks, **(SETTINGS | settings))
    return metrics_of(run)


class Counting(gymnasium.Wrapper):
    """Says in ``info`` how many steps the episode has, and in its last step that it was the last."""

    def reset(self, **options):
        self.count = 0
        return self.env.reset(**options)

    def step(self, action):
        self.count += 1
        obs, cost, terminated, truncated, info = self.env.step(action)
        info = {"count": self.count, "is_odd": self.count % 2 == 1}
        return obs, cost, terminated, truncated, info | ({"last": np.array([7])} if self.count == 5 else {})


def counting():
    return Counting(maker(steps=5)())


class Seen(lac.Callback):
    """Keeps all that it sees."""

    def __init__(self):
        self.steps, self.test_steps, self.epochs = [], [], []

    def on_step(self, step):
        self.steps.append(step)

    def on_test_step(self, step):
        self.test_steps.append(step)

    def on_epoch(self, epoch):
        self.epochs.append(epoch)
        self.action = epoch.policy(self.steps[-1].obs_next[None])


class StopAt(lac.Callback):
    """Stops after an epoch."""

    def __init__(self, number):
        self.number = number

    def stop_reason(self, epoch):
        return f"epoch {epoch.number} is enough" if epoch.number == self.number else None


def test_what_callbacks_see_changes_no_bit(tmp_path):
    """Tests step one by one for them, and as a batch without them."""
    plain = run_with(tmp_path / "plain")
    rows = run_with(tmp_path / "watched", lac.InfoMetrics(["reference_error"]), Seen())
    added = ["train/info/reference_error", "test/info/reference_error"]
    assert [name for name in rows[0] if name not in plain[0]] == added
    assert all(np.isfinite([row[name] for name in added]).all() for row in rows)
    common = [{name: row[name] for name in plain[0] if not name.startswith("time/")} for row in rows]
    assert repr(common) == repr(metrics_without_times(tmp_path / "plain"))
    policies = [tmp_path / name / "policy" / "final.safetensors" for name in ("plain", "watched")]
    assert checksum(policies[0]) == checksum(policies[1])


def sync(mode):
    return lambda: SyncVectorEnv([counting, counting], autoreset_mode=mode)


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (counting, {}),
        (counting, {"num_envs": 2}),
        (sync(AutoresetMode.SAME_STEP), {"num_test_episodes": 0, "num_envs": 2}),
        (sync(AutoresetMode.NEXT_STEP), {"num_test_episodes": 0, "num_envs": 2}),
    ],
    ids=["one", "two", "same step", "next step"],
)
def test_means_of_info(tmp_path, make, settings):
    rows = run_with(tmp_path / "run", lac.InfoMetrics(["count", "is_odd", "last"]), make=make, **settings)
    kinds = ["train"] if "num_test_episodes" in settings else ["train", "test"]
    for row in rows:  # whole episodes of five steps
        for kind in kinds:
            means = [row[f"{kind}/info/{key}"] for key in ("count", "is_odd", "last")]
            assert means == pytest.approx([3.0, 0.6, 7.0])
    assert ("test/info/count" in rows[0]) == ("test" in kinds)


def test_what_a_vector_environment_says_of_one_member():
    infos = {"lap": 3, "x": np.array([1, 2]), "_x": np.array([True, False]), "deep": {"y": np.array([4, 5])}}
    assert member_info(infos, 0, is_last=False) == {"lap": 3, "x": 1, "deep": {"y": 4}}
    assert member_info(infos, 1, is_last=False) == {"lap": 3, "deep": {"y": 5}}
    assert member_info(infos | {"final_info": {"x": np.array([6, 7])}}, 1, is_last=True) == {"x": 7}


def test_a_key_that_info_does_not_have_is_named(tmp_path):
    rows = run_with(tmp_path / "run", lac.InfoMetrics(["cuont"]), make=counting, epochs=1)
    assert rows[0]["train/info/cuont"] is None
    assert summary_of(tmp_path / "run")["warnings"] == [
        "info had no 'cuont' in the first epoch; its keys were count, is_odd, last"
    ]


def test_each_step_is_seen_and_nothing_can_be_changed(tmp_path):
    seen = Seen()
    rows = run_with(tmp_path / "run", seen, make=counting, epochs=1)
    assert [step.env_steps for step in seen.steps] == list(range(1, 61))
    assert [step.info["count"] for step in seen.steps] == [1, 2, 3, 4, 5] * 12
    assert [step.truncated for step in seen.steps] == [False, False, False, False, True] * 12
    assert sum(step.cost for step in seen.steps) / 12 == pytest.approx(rows[0]["train/cost_mean"])
    np.testing.assert_array_equal(seen.steps[1].obs, seen.steps[0].obs_next)
    costs = [sum(step.cost for step in seen.test_steps if step.env_index == i) for i in range(2)]
    assert np.mean(costs) == pytest.approx(rows[0]["test/cost_mean"])
    for array in (seen.steps[0].obs, seen.steps[0].act, seen.test_steps[0].obs_next):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    with pytest.raises(TypeError):
        seen.epochs[0].metrics["test/cost_mean"] = 0.0
    assert seen.action.shape == (1, 3)


def test_a_stop_after_the_last_epoch_counts_when_the_run_is_to_be_longer(tmp_path):
    run_with(tmp_path / "run", StopAt(2), epochs=2)
    assert "stopped" not in summary_of(tmp_path / "run")
    with pytest.raises(RunError, match=r"epoch 2 is enough .* leave out the callback"):
        run_with(tmp_path / "run", StopAt(2))


def test_a_callback_stops_a_run_until_it_is_left_out(tmp_path):
    run = tmp_path / "run"
    assert len(run_with(run, StopAt(2))) == 2
    summary = summary_of(run)
    assert (summary["status"], summary["final"]["epoch"]) == ("finished", 2)
    reason = "epoch 2 is enough (the callback StopAt)"
    assert summary["stopped"] == {"reason": reason, "stop_below": None, "patience": None}
    with pytest.raises(RunError, match=r"epoch 2 is enough .* leave out the callback"):
        run_with(run, StopAt(2))
    run_with(run)
    run_with(tmp_path / "whole")
    assert repr(metrics_without_times(run)) == repr(metrics_without_times(tmp_path / "whole"))
    assert "stopped" not in summary_of(run)
    assert summary_of(run)["resumptions"][0]["deviations"] == ["the callback StopAt is left out from here on"]


class InterruptAt(lac.Callback):
    """Asks the process to end at a step, in the middle of an epoch."""

    def __init__(self, at):
        self.at = at

    def on_step(self, step):
        if step.env_steps == self.at:
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_goes_on_has_the_same_means(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run, settings = tmp_path / "run", {"make": counting, "steps_per_epoch": 57}
    try:
        with pytest.raises(KeyboardInterrupt):
            run_with(run, lac.InfoMetrics(["count"]), InterruptAt(80), **settings)
    finally:
        signal.signal(signal.SIGINT, before)
    run_with(run, lac.InfoMetrics(["count"]), InterruptAt(-1), **settings)
    (resumption,) = summary_of(run)["resumptions"]
    assert (resumption["env_steps"], resumption["deviations"]) == (80, [])
    run_with(tmp_path / "undisturbed", lac.InfoMetrics(["count"]), InterruptAt(-1), **settings)
    assert repr(metrics_without_times(run)) == repr(metrics_without_times(tmp_path / "undisturbed"))


class Bad(lac.Callback):
    """Fails, or gives what cannot be used."""

    def __init__(self, **results):
        self.results = results

    def _give(self, name):
        result = self.results.get(name)
        if isinstance(result, Exception):
            raise result
        return result

    def on_step(self, step):
        self._give("on_step")

    def on_test_step(self, step):
        self._give("on_test_step")

    def on_epoch(self, epoch):
        return self._give("on_epoch")

    def stop_reason(self, epoch):
        return self._give("stop_reason")

    def state_dict(self):
        return self._give("state_dict") or {}


@pytest.mark.parametrize(
    ("results", "told"),
    [
        *(
            ({name: KeyError("x")}, f"the callback Bad failed in {name}: KeyError: 'x'")
            for name in ("on_step", "on_test_step", "on_epoch", "stop_reason", "state_dict")
        ),
        ({"on_epoch": {"test/cost_mean": 1.0}}, "the callback Bad gave the metric 'test/cost_mean', which there is"),
        ({"on_epoch": {"a": "b"}}, "the callback Bad gave a metric that is no number"),
        ({"on_epoch": [1]}, r"the callback Bad gave \[1\] as metrics; it must be a dict"),
        ({"stop_reason": 3}, "the callback Bad gave 3 as stop_reason"),
        ({"state_dict": [1]}, r"the callback Bad gave \[1\] as state_dict"),
    ],
)
def test_a_callback_that_fails_ends_the_run_by_its_name(tmp_path, results, told):
    with pytest.raises(RuntimeError, match=told):
        run_with(tmp_path / "run", Bad(**results), epochs=1)
    summary = summary_of(tmp_path / "run")
    assert summary["status"] == "failed"
    assert re.search(told, summary["error"])


def test_a_state_that_no_checkpoint_can_hold_is_named(tmp_path):
    run_with(tmp_path / "run", Bad(state_dict={"seen": {1, 2}}), epochs=1)
    assert "Bad/seen is of the type set" in summary_of(tmp_path / "run")["warnings"][0]


@pytest.mark.parametrize(
    ("callbacks", "told"),
    [
        ([Seen], r"callbacks\[0\] is <class .*Seen.*; make an object of it"),
        (Seen(), "it must be a list of objects"),
        ([Seen(), print], r"callbacks\[1\] is <built-in function print>"),
    ],
)
def test_what_is_no_callback_is_refused(tmp_path, callbacks, told):
    with pytest.raises(ValueError, match=told):
        train_on("lac", tmp_path / "run", maker(), callbacks=callbacks)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("keys", ["is_success", [], [3], [""]])
def test_keys_that_are_no_list_of_texts(keys):
    with pytest.raises(ValueError, match=r"must be a list of keys of info"):
        lac.InfoMetrics(keys)


def test_a_value_without_a_mean_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"InfoMetrics failed in on_step: ValueError: info\['word'\] is 'a'"):
        run_with(tmp_path / "run", lac.InfoMetrics(["word"]), make=lambda: Speaking(maker()()), epochs=1)


class Speaking(gymnasium.Wrapper):
    def step(self, action):
        obs, cost, terminated, truncated, _ = self.env.step(action)
        return obs, cost, terminated, truncated, {"word": "a"}


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    exec(compile(example, str(DOCS), "exec"), {})
    (run,) = (file.parent for file in tmp_path.rglob("summary.json"))
    assert "the callback StayClose" in summary_of(run)["stopped"]["reason"]
    assert {"train/largest_error", "test/info/reference_error"} <= metrics_of(run)[0].keys()
