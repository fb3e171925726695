"""The part of a training's state that no object of its own holds: generators, environments, the plan."""

import json
import random
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from lac.agents import Agent
from lac.agents.description import description_differences
from lac.engines import Engine
from lac.envs.factory import AnyVectorEnv
from lac.envs.states import NoStateError, env_state, generator_state, set_env_state, set_generator_state
from lac.envs.vector import TRAINING_SEEDS, SerialVectorEnv
from lac.settings.fields import argument_name
from lac.settings.rules import ArgumentError
from lac.training.plan import TrainingPlan

State = dict[str, Any]

_FREE = {"name", "epochs", "export", "start_policy", "save_freq", "final_test_episodes", "stop_below", "patience"}
"""Settings that may change between a checkpoint and what continues from it."""


# Generators -----------------------------------------------------------------------------------------


def seed_everything(seed: int) -> dict[str, int]:
    """Seed the global generators and return independent seeds for the parts of a run."""
    names = ("torch", "env", "actions", "replay")
    state = np.random.SeedSequence(seed).generate_state(len(names))
    seeds = {name: int(value) % TRAINING_SEEDS for name, value in zip(names, state, strict=True)}
    torch.manual_seed(seeds["torch"])
    # Environments from other packages may use the global generators.
    np.random.seed(seeds["env"])
    random.seed(seeds["env"])
    return seeds


def global_generators() -> State:
    """The states of the global generators: Python's, numpy's, and torch's on the CPU and on GPUs."""
    version, words, spare = random.getstate()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    return {
        "python": {"version": version, "words": np.array(words, np.uint32), "spare": spare},
        "numpy": dict(np.random.get_state(legacy=False)),
        "torch": torch.get_rng_state(),
        "cuda": on_gpus,
    }


def set_global_generators(state: Mapping[str, Any]) -> None:
    """Put the global generators into the states of :func:`global_generators`."""
    python = state["python"]
    random.setstate((python["version"], tuple(int(word) for word in python["words"]), python["spare"]))
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])


def engine_state(engine: Engine) -> State:
    """The generator of an engine, and what the bits of its updates depend on."""
    return {
        "name": engine.name,
        "device": engine.generator.device.type,
        "threads": torch.get_num_threads(),
        "noise": engine.generator.get_state(),
    }


def set_engine_state(engine: Engine, state: Mapping[str, Any], seed: int) -> list[str]:
    """Continue with the generator of :func:`engine_state`; returns why updates may differ in their last bits.

    Args:
        engine: The engine.
        state: The state.
        seed: Seed of the generator if the engine is on another kind of device, whose generator is another one.
    """
    here = engine_state(engine)
    if here["device"] == state["device"]:
        engine.generator.set_state(state["noise"])
    else:
        engine.generator.manual_seed(seed)
    words = {"name": "engine", "device": "device", "threads": "number of threads"}
    return [f"the {words[name]} is {here[name]} and was {state[name]}" for name in words if here[name] != state[name]]


# Environments ---------------------------------------------------------------------------------------


def environments_state(envs: AnyVectorEnv) -> State:
    """The states of the environments of a training, and of the generator of their random actions.

    Where they cannot be had, ``problem`` is a phrase that says why.
    """
    state: State = {"actions": generator_state(envs.action_space.np_random), "members": None, "problem": None}
    if not isinstance(envs, SerialVectorEnv):
        return state | {"problem": f"the vector environment {type(envs.unwrapped).__name__} has no state"}
    try:
        return state | {"members": [env_state(env) for env in envs.envs]}
    except NoStateError as error:
        return state | {"problem": str(error)}


def set_environments_state(envs: AnyVectorEnv, state: Mapping[str, Any]) -> str | None:
    """Put the environments into the states of :func:`environments_state`; returns why that is not possible, or None."""
    set_generator_state(envs.action_space.np_random, state["actions"])
    if state["members"] is None or not isinstance(envs, SerialVectorEnv):
        return str(state["problem"])
    try:
        for env, saved in zip(envs.envs, state["members"], strict=True):
            set_env_state(env, saved)
    except NoStateError as error:
        return str(error)
    return None


def seed_after(plan: TrainingPlan, env_steps: int) -> int:
    """A seed for what cannot be continued after that many steps; the same at each attempt."""
    return int(np.random.SeedSequence([plan.seed, env_steps]).generate_state(1)[0]) % TRAINING_SEEDS


# The plan -------------------------------------------------------------------------------------------


def plan_state(plan: TrainingPlan, agent: Agent) -> State:
    """The plan by arguments of the Python API, and the description of the agent, which has networks and spaces."""
    parts = (plan.algorithm, plan.loop, plan.schedule)
    settings = {argument_name(f): getattr(part, f.name) for part in parts for f in fields(part)}
    own = {"algorithm": plan.algorithm.name, "seed": plan.seed, "num_envs": plan.num_envs}
    own |= {"termination_cost": plan.termination_cost}
    return {"settings": settings | own, "agent": dict(agent._description)}


def continued_plan(plan: TrainingPlan, state: Mapping[str, Any]) -> TrainingPlan:
    """The plan with what a training has measured or loaded at its start: the scale of observations, the policy."""
    scale = state["agent"].get("ac_kwargs", {}).get("observation_scale")
    if isinstance(plan.ac_kwargs, Mapping) and isinstance(plan.ac_kwargs.get("observation_scale"), str):
        plan = replace(plan, ac_kwargs={**plan.ac_kwargs, "observation_scale": scale})
    return replace(plan, loop=replace(plan.loop, start_policy=None))


def raise_if_other_plan(plan: TrainingPlan, agent: Agent, state: Mapping[str, Any]) -> None:
    """Raise an error where the mathematics of a plan is not that of :func:`plan_state`.

    Raises:
        ArgumentError: A setting differs, or there are fewer epochs.
        ValueError: The networks or the spaces of the environment differ.
    """
    # Through JSON, in which a state is kept: there tuples are lists.
    here, there = (json.loads(json.dumps(one)) for one in (plan_state(plan, agent)["settings"], state["settings"]))
    changed = [name for name in here if name not in _FREE and here[name] != there.get(name, here[name])]
    if changed:
        first, *others = (f"{name} is {here[name]!r}, but the run has {there[name]!r}" for name in changed)
        text = "; ".join([first.removeprefix(f"{changed[0]} "), *others])
        raise ArgumentError(changed[0], f"{text}; a run goes on with the settings that it was begun with")
    if plan.loop.epochs < there["epochs"]:
        raise ArgumentError(
            "epochs", f"is {plan.loop.epochs}, but the run has {there['epochs']}; give at least as many"
        )
    differences = description_differences(agent._description, state["agent"])
    if differences:
        raise ValueError(f"the run that goes on has other networks or spaces: {', '.join(differences)}")


def extension_problem(plan: TrainingPlan, state: Mapping[str, Any]) -> str | None:
    """Why a run with more epochs than it had is not what it would have been with so many from the start, or None."""
    before, now = state["settings"]["epochs"], plan.loop.epochs
    schedule = plan.schedule
    kinds = {getattr(schedule, f"{name}_decay_type", None) or schedule.decay_type for name in _RATES}
    if before == now or kinds == {"constant"}:
        return None
    return (
        f"learning rates follow the schedule of {now} epochs from here on and followed that of {before}, so a run of "
        f"{now} epochs from the start differs; only lr_decay_type=constant (lr_schedule=constant) has the same"
    )


_RATES = ("lr_a", "lr_c", "lr_alpha", "lr_labda")
