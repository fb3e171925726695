"""Controllers in the place of trained policies: what ``evaluate`` tests without a run, or beside runs."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.config.checks import ConfigError
from lac.config.naming import settings_name
from lac.config.schemas import CONFIG_DIR
from lac.controllers import CONTROLLERS, Controller, ControllerError, make_controller
from lac.envs import AnyEnv
from lac.envs.disturbances import DisturbanceError
from lac.envs.factory import env_errors, environment_factory, wrap_env
from lac.runs import Run, RunError
from lac.runs.environments import at_most
from lac.runs.folder import one_line
from lac.settings.fields import REQUIRED, leaves
from lac.settings.training import EnvChoice

FOLDER = Path("outputs") / "controllers"
_ENV_KEYS = dict(leaves(EnvChoice))
_NO_CONTROLLER = "none"

Factory = Callable[[], AnyEnv]


@dataclass(frozen=True)
class Yardstick:
    """A controller and an environment, in the place of a run.

    Attributes:
        folder: Where its results go.
        config: The parts of a training config that a test needs: ``env``, ``train``, and ``algo``, whose name is that
            of the controller.
        input_weight: As in the settings of a controller.
        environment: As :meth:`lac.runs.Run.environment`.
    """

    folder: Path
    config: Mapping[str, Any]
    input_weight: float | None
    environment: Callable[[Mapping[str, Any] | None], Factory]

    def closed_loop(
        self, name: str, disturbance: Mapping[str, Any] | None, num_envs: int
    ) -> tuple[Controller, list[AnyEnv]]:
        """A controller, designed for the nominal environment, and at most ``num_envs`` environments that it acts in.

        Raises:
            RunError: The environment cannot be built.
            ConfigError: The controller has no meaning in it.
        """
        nominal = self.environment(None)()
        settings = {} if self.input_weight is None else {"input_weight": self.input_weight}
        try:
            controller = make_controller(CONTROLLERS[name], nominal, **settings)
        except ControllerError as error:
            raise ConfigError([f"controller: {error}"]) from error
        finally:
            nominal.close()
        return controller, at_most(num_envs, self.environment(disturbance))


def controller_errors(cfg: DictConfig) -> list[str]:
    """Errors in the groups ``controller`` and ``env``, and in what they are given with."""
    has_runs, chosen = not OmegaConf.is_missing(cfg, "run_dir"), cfg.controller.name
    has_env = _is_given(cfg.env)
    errors = []
    if has_env and has_runs:
        errors.append("env is given, but runs are tested in their own environments; leave it out")
    elif has_env and chosen == _NO_CONTROLLER:
        errors.append("env is given, but no controller to be tested in it; choose one, as controller=lqr")
    if chosen != _NO_CONTROLLER and not has_runs and OmegaConf.is_missing(cfg.env, "id"):
        errors.append(
            f"controller is {chosen}, but env.id is not set; give its environment, as env=cartpole_cost, or runs in "
            "whose environments it is tested, as run_dir=outputs/..."
        )
    if cfg.controller.input_weight is not None and chosen != "lqr":
        errors.append(f"controller.input_weight is for controller=lqr, not for {chosen}; leave it out")
    if has_env and not has_runs and not OmegaConf.is_missing(cfg.env, "id"):
        errors += env_errors(cfg.env.id, cfg.env.kwargs)
    return errors


def _is_given(env: DictConfig) -> bool:
    """Whether something of an environment was chosen: an option of the group, or a key."""
    return any(not OmegaConf.is_missing(env, name) and env[name] != leaf.default for name, leaf in _ENV_KEYS.items())


def yardsticks(cfg: DictConfig, runs: Iterable[Run]) -> list[Yardstick]:
    """The controller in the environment of a config, or once in each of the environments of runs; none without one."""
    if cfg.controller.name == _NO_CONTROLLER:
        return []
    if OmegaConf.is_missing(cfg, "run_dir"):
        env: dict[str, Any] = OmegaConf.to_container(cfg.env, resolve=True)  # type: ignore[assignment]
        opt_type = "minimize" if env["reward_max"] is None else "maximize"
        algo = {"name": cfg.controller.name, "opt_type": opt_type}
        config = {"env": env, "algo": algo, "train": {"max_ep_len": None}}
        return [_yardstick(cfg.controller, config, partial(_environment, env, opt_type))]
    different: dict[str, Yardstick] = {}
    for run in runs:
        try:
            run.environment(None)
        except RunError:  # named where the run itself is tested
            continue
        config = tested_config(run, cfg.controller.name)
        different.setdefault(json.dumps(config, default=str), _yardstick(cfg.controller, config, run.environment))
    return list(different.values())


def tested_config(run: Run, name: str) -> dict[str, Any]:
    """The parts of a run's config that a test of another policy in its environment needs.

    Args:
        run: The run.
        name: Name of that policy.
    """
    env = {key: run.config["env"][key] for key in _ENV_KEYS if key in run.config["env"]}
    algo = {"name": name, "opt_type": run.config["algo"]["opt_type"]}
    return {"env": env, "algo": algo, "train": {"max_ep_len": run.config["train"]["max_ep_len"]}}


def environment_name(config: Mapping[str, Any]) -> str:
    """A name for the environment of such a config, which says what is not as usual in it."""
    env = {**config["env"], "opt_type": config["algo"]["opt_type"], **config["train"]}
    # A run of someone else may have anything as a name, which must not lead to another folder.
    if not (isinstance(env.get("name"), str) and re.fullmatch(r"\w[\w.+-]*", env["name"])):
        env["name"] = "environment"
    return settings_name(env, _usual_env(env["name"]))


def _yardstick(
    controller: DictConfig, config: Mapping[str, Any], environment: Callable[[Mapping[str, Any] | None], Factory]
) -> Yardstick:
    plain = {"name": controller.name, "input_weight": controller.input_weight}
    folder = FOLDER / environment_name(config) / settings_name(plain, {"input_weight": None})
    return Yardstick(folder, config, controller.input_weight, environment)


def _usual_env(name: str) -> dict[str, Any]:
    """What an environment of this name has if nothing is changed."""
    defaults = {key: leaf.default for key, leaf in _ENV_KEYS.items() if leaf.default is not REQUIRED}
    usual = {**defaults, "max_ep_len": None, "opt_type": "minimize"}
    file = CONFIG_DIR / "env" / f"{name}.yaml"
    return usual | (dict(OmegaConf.load(file)) if file.is_file() else {})


def _environment(env: Mapping[str, Any], opt_type: str, disturbance: Mapping[str, Any] | None) -> Factory:
    return partial(_build, environment_factory(env, disturbance), env["id"], opt_type)


def _build(make: Factory, env_id: str, opt_type: str) -> AnyEnv:
    try:
        return wrap_env(make(), opt_type)
    except DisturbanceError:
        raise
    except Exception as error:  # whatever the code of an environment raises
        raise RunError(f"the environment {env_id} cannot be built: {one_line(error)}") from error
