"""Test trained policies: the command ``evaluate``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lac.config.checks import ConfigError
from lac.config.environments import disturbance_errors, disturbance_fit_errors, environment_factory
from lac.envs.making import wrap_env
from lac.files import write_json
from lac.runs.folder import ATTEMPTS, CONFIG, EVALUATION, FINISHED, SUMMARY, is_multi_seed, status
from lac.settings.rules import setting_errors

_MAX_ENVS = 50  # test episodes side by side


_SHOWN_EPISODES = 10  # in the picture of trajectories


def evaluate_runs(cfg: DictConfig) -> None:
    """Test the policies of run folders; each gets ``evaluation.json`` and ``trajectories.png``.

    Under a disturbance the names are ``evaluation-NAME.json`` and ``trajectories-NAME.png``.
    """
    runs = [run for folder in _folders(cfg, "run_dir") for run in _runs_in(folder)]
    errors = setting_errors({"episodes": cfg.episodes, "seed": cfg.first_seed})
    errors += disturbance_errors(cfg.disturbance)
    errors += [
        f"run_dir: {run} has no {CONFIG}, and no finished runs in it; give the folder of a run or of a sweep"
        for run in runs
        if not _is_run(run)
    ]
    if cfg.policy not in {"final", "best"}:
        errors.append(f"policy is {cfg.policy!r}; it must be final or best")
    if errors:
        raise ConfigError(errors)
    disturbance: dict[str, Any] = OmegaConf.to_container(cfg.disturbance, resolve=True)  # type: ignore[assignment]
    configs = {run: _read_config(run) for run in runs}
    for plain in configs.values():
        errors += disturbance_fit_errors(plain, disturbance)
    if errors:
        raise ConfigError(list(dict.fromkeys(errors)))
    from lac.devices import limited_threads  # noqa: PLC0415 (imports torch)

    if disturbance["kind"] != "none":
        print("disturbance: " + ", ".join(f"{name}={value}" for name, value in disturbance.items()))
    print(f"{'run':<60} {'cost':>9} {'± std':>8} {'min':>8} {'max':>8} {'length':>7} {'deaths':>7}")
    for folder, plain in configs.items():
        with limited_threads():
            s = _evaluate_run(folder, plain, disturbance, cfg)
        print(
            f"{folder!s:<60} {s['cost_mean']:9.1f} {s['cost_std']:8.1f} {s['cost_min']:8.1f} {s['cost_max']:8.1f} "
            f"{s['ep_len_mean']:7.0f} {s['death_rate']:7.0%}",
            flush=True,
        )


def _read_config(folder: Path) -> dict[str, Any]:
    plain: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))  # type: ignore[assignment]
    return plain


def _folders(cfg: DictConfig, name: str) -> list[Path]:
    if OmegaConf.is_missing(cfg, name):
        raise ConfigError([f"{name} is not set; give a folder, as {name}=outputs/..."])
    given = [cfg[name]] if isinstance(cfg[name], str) else list(cfg[name])
    return [Path(path) for path in given]


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file()


def _runs_in(folder: Path) -> list[Path]:
    """The run, or the finished ones that a sweep or a job of several seeds holds; itself if it is neither."""
    if _is_run(folder) and not is_multi_seed(folder):
        return [folder]
    found = (path.parent for path in sorted(folder.rglob(SUMMARY)) if ATTEMPTS not in path.parts)
    return [run for run in found if status(run) == FINISHED and not is_multi_seed(run)] or [folder]


def _evaluate_run(
    folder: Path, plain: Mapping[str, Any], disturbance: Mapping[str, Any], cfg: DictConfig
) -> dict[str, float]:
    from lac.agents.loading import load_agent  # noqa: PLC0415
    from lac.agents.policy_files import policy_path  # noqa: PLC0415
    from lac.evaluation.rollouts import FIRST_TEST_SEED, rollout  # noqa: PLC0415
    from lac.figures import trajectories  # noqa: PLC0415

    agent = load_agent(policy_path(folder, cfg.policy))
    make = environment_factory(plain["env"], disturbance)
    number = min(cfg.episodes, _MAX_ENVS)
    envs = [wrap_env(make(), plain["algo"]["opt_type"], plain["train"]["max_ep_len"]) for _ in range(number)]
    first_seed = FIRST_TEST_SEED if cfg.first_seed is None else cfg.first_seed
    policy = partial(agent.get_action, deterministic=True)
    rollouts = rollout(policy, envs, range(first_seed, first_seed + cfg.episodes), record=_SHOWN_EPISODES)
    summary = rollouts.summary()
    is_disturbed = disturbance["kind"] != "none"
    suffix = f"-{disturbance['name']}" if is_disturbed else ""
    described = {"policy": cfg.policy, "episodes": cfg.episodes, "first_seed": first_seed}
    described |= {"disturbance": disturbance if is_disturbed else None}
    write_json(folder / (f"evaluation{suffix}.json" if is_disturbed else EVALUATION), described | summary)
    if rollouts.references.size and rollouts.states_of_interest.size:
        title = f"{plain['algo']['name'].upper()} on {plain['env']['id']}"
        trajectories(rollouts, folder / f"trajectories{suffix}.png", f"{title} under {suffix[1:]}" if suffix else title)
    return summary
