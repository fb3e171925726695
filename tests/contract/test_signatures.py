"""Names, order and defaults of the Python API."""

import importlib.util
import inspect
import pydoc
import re

import pytest
from api_support import CONF, RATES
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from torch import nn

import lac as package
from lac import LAC, LATC, SAC, lac, latc, sac
from lac.config.schemas import register_schemas

# Signatures ------------------------------------------------------------------------------------------

AC_KWARGS = {
    "hidden_sizes": {"actor": [256, 256], "critic": [256, 256]},
    "activation": nn.ReLU,
    "output_activation": {"actor": nn.ReLU},
}
ALGORITHM = {
    "alpha": 0.99,
    "alpha3": 0.2,
    "labda": 0.99,
    "gamma": 0.99,
    "polyak": 0.995,
    "target_entropy": None,
    "adaptive_temperature": True,
    "lr_a": 1e-4,
    "lr_c": 3e-4,
    "lr_alpha": 1e-4,
    "lr_labda": 3e-4,
}
NO_DEFAULT = inspect.Parameter.empty
LAC_SIGNATURE = {
    "env": NO_DEFAULT,
    "actor_critic": None,
    "ac_kwargs": AC_KWARGS,
    "opt_type": "minimize",
    **ALGORITHM,
    "device": "cpu",
}
FUNCTION_SIGNATURE = {
    "env_fn": NO_DEFAULT,
    "actor_critic": None,
    "ac_kwargs": AC_KWARGS,
    "opt_type": "minimize",
    "max_ep_len": None,
    "epochs": 100,
    "steps_per_epoch": 2048,
    "start_steps": 0,
    "update_every": 100,
    "update_after": 1000,
    "steps_per_update": 100,
    "num_test_episodes": 10,
    **ALGORITHM,
    "lr_a_final": 1e-10,
    "lr_c_final": 1e-10,
    "lr_alpha_final": 1e-10,
    "lr_labda_final": 1e-10,
    "lr_decay_type": "linear",
    "lr_a_decay_type": None,
    "lr_c_decay_type": None,
    "lr_alpha_decay_type": None,
    "lr_labda_decay_type": None,
    "lr_decay_ref": "epoch",
    "batch_size": 256,
    "replay_size": 1_000_000,
    "horizon_length": 0,
    "seed": None,
    "device": "cpu",
    "logger_kwargs": {},
    "save_freq": 1,
    "start_policy": None,
    "export": False,
}


def defaults(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize(("function", "contract"), [(LAC, LAC_SIGNATURE), (lac, FUNCTION_SIGNATURE)])
def test_names_order_and_defaults_are_the_contract(function, contract):
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    extra = [p for p in parameters if p.kind is not p.POSITIONAL_OR_KEYWORD]
    assert [p.name for p in positional] == list(contract)
    for parameter in positional:
        # The default of ac_kwargs is a read-only mapping.
        default = dict(parameter.default) if parameter.name == "ac_kwargs" else parameter.default
        assert default == contract[parameter.name], parameter.name
        assert type(default) is type(contract[parameter.name]), parameter.name
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not NO_DEFAULT for p in extra)


# What SAC lacks: it has no Lyapunov function, and thus no multiplier and no finite horizon.
LYAPUNOV = {"alpha3", "labda", "lr_labda", "lr_labda_final", "lr_labda_decay_type", "horizon_length"}


@pytest.mark.parametrize("function", [LATC, latc])
def test_twins_take_what_the_single_critic_takes(function):
    of_lac = inspect.signature(LAC if function is LATC else lac).parameters
    assert list(inspect.signature(function).parameters.values()) == list(of_lac.values())


@pytest.mark.parametrize(("function", "contract"), [(SAC, LAC_SIGNATURE), (sac, FUNCTION_SIGNATURE)])
def test_sac_takes_what_lac_takes_but_for_the_lyapunov_function(function, contract):
    parameters = inspect.signature(function).parameters.values()
    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    positional["ac_kwargs"] = dict(positional["ac_kwargs"])
    assert list(positional.items()) == [(name, value) for name, value in contract.items() if name not in LYAPUNOV]


@pytest.mark.parametrize(("function", "name"), [(lac, "lac"), (latc, "latc"), (sac, "sac")])
def test_training_functions_say_what_they_are(function, name):
    assert (function.__name__, function.__module__) == (name, "lac.api")
    assert function.__doc__.startswith("Train :class:")
    assert name.upper() in str(inspect.signature(function).return_annotation)


@pytest.mark.parametrize(("agent", "function"), [(LAC, lac), (LATC, latc), (SAC, sac)])
def test_what_both_take_beyond_the_contract_has_the_same_defaults(agent, function):
    def extra(taker):
        return {p.name: p.default for p in inspect.signature(taker).parameters.values() if p.kind is p.KEYWORD_ONLY}

    # The loop alone tells time limits from terminations, prices these, and has several environments.
    loop = {"time_limit_is_terminal": False, "termination_cost": None, "final_test_episodes": 100, "num_envs": 1}
    loop |= {"stop_below": None, "patience": None, "callbacks": ()}
    assert extra(agent) | loop == extra(function)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (LAC.forward, ["self", "s", "deterministic"]),
        (LAC.get_action, ["self", "s", "deterministic"]),
        (LAC.update, ["self", "data"]),
        (LAC.save, ["self", "path"]),
        (LAC.restore, ["self", "path", "restore_lagrance_multipliers"]),
        (LAC.load_state_dict, ["self", "state_dict", "restore_lagrance_multipliers"]),
        (LAC.bound_lr, ["self", "lr_a_final", "lr_c_final", "lr_alpha_final", "lr_labda_final"]),
        (LAC._set_learning_rates, ["self", *RATES]),
        (LAC._update_targets, ["self"]),
    ],
)
def test_names_and_order_of_the_methods(method, names):
    assert list(inspect.signature(method).parameters)[: len(names)] == names


@pytest.mark.parametrize(
    ("method", "argument", "default"),
    [
        (LAC.forward, "deterministic", False),
        (LAC.get_action, "deterministic", False),
        (LAC.restore, "restore_lagrance_multipliers", False),
        (LAC.load_state_dict, "restore_lagrance_multipliers", True),
    ],
)
def test_defaults_of_the_methods(method, argument, default):
    assert defaults(method)[argument] is default


@pytest.mark.parametrize(("agent", "function"), [(LAC, lac), (LATC, latc), (SAC, sac)])
def test_the_config_of_the_algorithm_holds_the_defaults_of_the_api(agent, function):
    register_schemas()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", overrides=[f"algo={function.__name__}", "tuned=none"]).algo)
    assert values.pop("name") == function.__name__
    in_api = defaults(agent) | defaults(function)
    assert values.keys() >= (ALGORITHM.keys() & in_api.keys())
    assert values == {name: in_api[name] for name in values}


def test_the_stub_has_the_signatures_of_the_api():
    spec = importlib.util.spec_from_file_location("write_stub", CONF.parent / "tools" / "write_stub.py")
    write_stub = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write_stub)
    assert write_stub.STUB.read_text() == write_stub.stub(), "run: python tools/write_stub.py"


@pytest.mark.parametrize("function", [LAC, SAC, lac, latc, sac])
def test_docstrings_describe_all_arguments(function):
    described = re.findall(r"(?m)^ {8}(\w+): ", inspect.getdoc(function).replace("\n    ", "\n        "))
    assert set(inspect.signature(function).parameters) <= set(described)


def test_the_package_shows_its_public_names_alone():
    assert sorted(dir(package)) == sorted(package.__all__)
    text = pydoc.plain(pydoc.render_doc(package))
    assert all(name in text for name in package.__all__)
    assert "import_module" not in text
