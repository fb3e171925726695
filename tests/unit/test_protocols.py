"""The published protocols: each fits every environment that it names, and has the numbers of the paper."""

from importlib.util import find_spec

import gymnasium
import pytest

import lac
from lac.config.help import options
from lac.config.protocols import published_protocol
from lac.envs import wrap_env
from lac.robust.grids import Grid
from lac.robust.protocols import ProtocolError, protocol_grids

PROTOCOLS = [name for name in options("protocol") if name != "none"]
NEEDED = {
    "lac/FetchReachCost-v1": "gymnasium_robotics",
    "lac/SwimmerCost-v1": "mujoco",
    "lac/HalfCheetahCost-v1": "mujoco",
}
CASES = [
    pytest.param(
        *(name, env_id),
        marks=pytest.mark.skipif(find_spec(NEEDED.get(env_id, "numpy")) is None, reason="needs an extra"),
    )
    for name in PROTOCOLS
    for env_id in published_protocol(name)["environments"]
]


def study(name, env_id, **settings):
    policy = lac.controllers.zero(wrap_env(gymnasium.make(env_id)))
    return lac.robustness(policy, lambda: gymnasium.make(env_id), protocol=name, **settings)


@pytest.mark.parametrize(("name", "env_id"), CASES)
def test_a_protocol_is_named_after_its_file_and_has_usable_grids(name, env_id):
    content = published_protocol(name)
    assert content["name"] == name
    assert protocol_grids(name, content["environments"], env_id)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "env_id"), CASES)
def test_a_protocol_runs_in_each_environment_that_it_names(name, env_id):
    result = study(name, env_id, episodes=2)
    assert result.failures == []
    assert len(result.rows) == 2 * len(result.summary["variants"])


@pytest.mark.parametrize(("name", "env_id"), [("han2020/references", "lac/Oscillator-v1")])
def test_a_protocol_of_several_grids_runs(name, env_id):
    result = study(name, env_id, episodes=1, steps=40)
    labels = ["nominal", "period=150", "period=400", "constant=8", "constant=16"]
    assert [row["variant"] for row in result.rows] == labels
    assert len({row["cost"] for row in result.rows}) == 5
    # The start is further than 10 from 16, which ends an episode elsewhere.
    assert (result.rows[-1]["length"], result.rows[-1]["terminated"]) == (40, False)
    assert result.rows[-1]["cost"] > 40 * 100


def test_the_numbers_of_the_paper():
    def values(name, env_id):
        content = published_protocol(name)
        return [dict(grid.vary) for grid in protocol_grids(name, content["environments"], env_id)]

    pushes = list(range(80, 151, 5))
    assert values("han2020/impulse", "lac/CartPoleCost-v1") == [{"magnitude": pushes}]
    assert values("han2020/recurring_impulse", "lac/CartPoleCost-v1") == [{"magnitude": pushes}]
    assert values("han2020/sinusoid", "lac/CartPoleCost-v1") == [{"period": list(range(2, 11))}]
    # Half lengths of 1, 1.5 and 2 metres.
    assert values("han2020/parameters", "lac/CartPoleCost-v1") == [{"values.length": [2, 3, 4]}]
    assert values("han2020/parameters", "lac/Oscillator-v1") == [{"values.K": [5, 10]}, {"values.a": [3.2, 4.8]}]
    (half_lengths_and_masses,) = values("han2020/grid", "lac/CartPoleCost-v1")
    tenths = [round(0.1 * k, 1) for k in range(1, 21)]
    assert half_lengths_and_masses["values.masscart"] == tenths
    assert [length / 2 for length in half_lengths_and_masses["values.length"]] == pytest.approx(tenths)


def test_evenly_spaced_values():
    assert Grid.of({}, {"values": {"a": "0.1:0.3:3"}, "b": [1]}).vary == {"values.a": [0.1, 0.2, 0.3], "b": [1]}


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (None, "protocol.environments.X is None; it must be a list of grids"),
        ([{"disturbance": {"kind": "impulse"}}], "it must be a list of grids"),
        (
            [{"disturbance": {"kind": "reference", "constants": {"K": "x"}}, "vary": {"constant": [1]}}],
            r"X\[0\]: disturbance.constants: values.K is 'x'; it must be a number",
        ),
        (
            [{"disturbance": {"kind": "impulse"}, "vary": {"size": [1]}}],
            r"environments.X\[0\]: vary.size is not",
        ),
    ],
)
def test_a_wrong_text_of_a_protocol_is_named(version, sentence):
    with pytest.raises(ProtocolError, match=sentence):
        protocol_grids("mine", {"X": version}, "X")
