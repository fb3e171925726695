"""The benchmark: counts by hand, one interleaved run, and a table that is computed from the numbers in its file."""

import json
from itertools import groupby

import numpy as np
import pytest
from gymnasium.spaces import Box

from lac.agents import LAC, LATC, SAC
from lac.benchmarks import measuring, peers, results
from lac.benchmarks.floors import large_products, update_flops
from lac.benchmarks.main_job import MainJob
from lac.benchmarks.timing import Thing
from lac.envs import make_env
from lac.envs.vector import Spaces

BATCH, OBS, ACT, WIDTH = 10, 3, 2, 6
SPACES = Spaces(Box(-1.0, 1.0, (OBS,)), Box(-1.0, 1.0, (ACT,)))
# Multiplications of a pass for one transition: the actor has a mean and a log std for each action.
ACTOR = OBS * WIDTH + WIDTH * WIDTH + WIDTH * 2 * ACT
L, Q = (OBS + ACT) * WIDTH + WIDTH * WIDTH, (OBS + ACT) * WIDTH + WIDTH * WIDTH + WIDTH * 1
INNER_ACTOR, INNER_L, INNER_Q = ACTOR - OBS * WIDTH, L - (OBS + ACT) * WIDTH, Q - (OBS + ACT) * WIDTH


@pytest.mark.parametrize(
    ("kind", "by_hand"),
    [
        # target, then the critic's pass and its gradients by weights and inner inputs, then the policy: passes of the
        # actor at s and s' with the same gradients, a pass of the critic and its gradient by all inputs
        (LAC, (ACTOR + L) + (L + L + INNER_L) + 2 * (ACTOR + ACTOR + INNER_ACTOR) + (L + L)),
        (LATC, (ACTOR + 2 * L) + 2 * (L + L + INNER_L) + 2 * (ACTOR + ACTOR + INNER_ACTOR) + 2 * (L + L)),
        (SAC, (ACTOR + 2 * Q) + 2 * (Q + Q + INNER_Q) + (ACTOR + ACTOR + INNER_ACTOR) + 2 * (Q + Q)),
    ],
)
def test_operations_of_an_update_are_those_counted_by_hand(kind, by_hand):
    agent = kind(SPACES, ac_kwargs={"hidden_sizes": {"actor": [WIDTH] * 2, "critic": [WIDTH] * 2}})
    assert update_flops(agent, BATCH) == 2 * BATCH * by_hand


def test_both_large_products_are_the_product():
    in_torch, in_openblas = large_products()
    product = in_torch.call().numpy()
    # Fortran's order: the function is given the transposed factors and returns what they give in this order.
    x_transposed, y_transposed = in_openblas.call.args[1:3]
    np.testing.assert_allclose(x_transposed.T @ y_transposed.T, product, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(in_openblas.call(), x_transposed @ y_transposed, rtol=1e-3, atol=1e-3)
    assert in_torch.flops == in_openblas.flops == 2 * 1024 * 1024 * 1024


def test_seconds_are_those_of_a_part_of_the_calls_that_count(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 8.0])  # on the clock: start, after each call, end
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("time.process_time", iter([10.0, 14.0]).__next__)
    calls = []
    thing = Thing("g", "n", lambda: calls.append(1), parts=2)
    thing.time(2.0)
    assert len(calls) == 1 + 2  # the first does not count
    assert thing.cpu == [4.0 / (2 * 2)]
    assert thing.wall == [8.0 / (2 * 2)]


@pytest.fixture(scope="module")
def measured():
    """The content of the file of a small benchmark, and what was timed in which order."""
    order = []

    class Job(MainJob):
        def run(self):
            order.append("job")
            self._runs.append({"training_seconds": 2.0, "wall_seconds": 3.0, "cpu_seconds": 1.0, "final_cost": 9.0})

    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "MainJob", Job)
        patch.setattr(measuring, "STORED", 50)
        patch.setattr(Thing, "time", _noting(Thing.time, order))
        sizes = [measuring.Size(8, 4), measuring.Size(16, 8)]
        data = measuring.run_benchmark(sizes, measuring.Budget(3, 0.0, 2, False, 1), said.append)
    return json.loads(json.dumps(data, allow_nan=False)), order


def _noting(function, order):
    def time(thing, seconds):
        order.append(id(thing))
        function(thing, seconds)

    return time


@pytest.mark.slow
def test_each_round_times_everything_once_in_the_same_order(measured):
    _, order = measured
    keys = [key for key in order if key != "job"]
    third = len(keys) // 3
    assert keys[:third] == keys[third : 2 * third] == keys[2 * third :]
    assert len(set(keys[:third])) == third
    # Two main jobs, not one after the other.
    assert [len(list(items)) for is_job, items in groupby(order, lambda key: key == "job") if is_job] == [1, 1]


@pytest.mark.slow
def test_the_file_has_a_number_for_each_round(measured):
    data, _ = measured
    things = [*data["floors"], *(thing for size in data["sizes"] for thing in size["things"])]
    assert len(things) == 2 + 2 * (6 + 2 + 2 + 4)
    for thing in things:
        assert len(thing["cpu_seconds"]) == len(thing["wall_seconds"]) == 3
        assert min(thing["wall_seconds"]) > 0
    compiled = [size["things"][0]["name"] for size in data["sizes"]]
    assert compiled == ["LAC, compiled"] * 2
    assert data["sizes"][1]["width"] == 16


@pytest.mark.slow
def test_the_table_is_computed_from_the_file(measured):
    data, _ = measured
    data = json.loads(json.dumps(data))
    update, floor, other_floor = data["sizes"][0]["things"][0], *data["floors"]
    floor |= {"flops": 100.0, "cpu_seconds": [1.0, 2.0, 4.0]}
    other_floor |= {"flops": 100.0, "cpu_seconds": [2.0, 4.0, 8.0]}
    # Half of the floor's operations: ratios of 8 / 1, 12 / 2 and 40 / 4 to half of its seconds.
    update |= {"flops": 50.0, "cpu_seconds": [4.0, 6.0, 20.0], "wall_seconds": [7.0, 9.0, 8.0]}
    text = results.table(data)
    line = next(line for line in text.splitlines() if line.startswith("  LAC, compiled"))
    assert line.split()[2:] == ["6000.000", "8000.000", "1000.000", "8.00", "(6.00", "to", "10.00)", "4.00"]
    assert max(map(len, text.splitlines())) <= 100
    prose = " ".join(text.split())
    assert "2.0 s from the first step to the end, 3.0 s from typing to prompt, 1.0 s of CPU (medians of 2" in prose


@pytest.mark.slow
def test_shares_of_a_step_add_up(measured):
    data, _ = measured
    text = results.table(data).split("one step of a training")[1].split("all of them")[0]
    shares = [float(word[:-1]) for word in text.split() if word.endswith("%")]
    assert len(shares) == 5
    assert sum(shares) == pytest.approx(100.0, abs=0.3)


@pytest.mark.slow
def test_the_picture_is_drawn_from_the_file(measured, tmp_path):
    results.draw(measured[0], tmp_path / results.PICTURE)
    assert (tmp_path / results.PICTURE).read_bytes().startswith(b"\x89PNG")


def test_peers_that_cannot_be_measured_are_told(monkeypatch, tmp_path):
    absent = peers.Peer("Absent", "no_such_package", "no-such-package")
    assert absent.problem() == f"Absent is not installed ({peers.INSTALL})"
    (tmp_path / "unfit_package.py").write_text("raise AttributeError('numpy has no attribute float')")
    monkeypatch.syspath_prepend(tmp_path)
    unfit = peers.Peer("Unfit", "unfit_package", "unfit-package")
    assert unfit.problem() == "Unfit cannot be imported (AttributeError: numpy has no attribute float)"


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.module)
def test_a_call_of_a_peer_is_that_many_updates(peer):
    pytest.importorskip(peer.module)
    updates = peers.PeerUpdates(peer, make_env(measuring.ENVIRONMENT), 8, 4, 50)
    updates(3)
    updates(1)
    assert updates.model._n_updates == 4


@pytest.mark.slow
def test_the_main_job_is_trained_in_a_process_of_its_own():
    tiny = ("train.epochs=1", "train.steps_per_epoch=60", "train.update_after=50", "train.update_every=10")
    job = MainJob(("env=oscillator", "network=small", "wandb.mode=disabled", *tiny, "train.num_test_episodes=1"))
    job.run()
    (run,) = job.as_data()["runs"]
    assert 0 < run["training_seconds"] < run["wall_seconds"]
    assert run["final_cost"] > 0


def test_a_main_job_that_fails_is_reported_once_and_takes_nothing_with_it():
    job = MainJob(["env=nowhere"])
    job.run()
    assert job.problem.startswith("the main job failed: ")
    first = job.problem
    job.run()  # not tried again
    assert (job.problem, job.as_data()["runs"]) == (first, [])
