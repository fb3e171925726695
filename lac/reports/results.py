"""The finished runs in folders with their results, and what is left out with the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lac.files import relative_to_cwd
from lac.runs import LeftOut, Run, RunError, read_records, record, scan
from lac.runs.folder import CONFIG, EVALUATION, FINISHED, UNMADE, unreadable
from lac.settings.algorithms import ALGORITHMS
from lac.settings.commands import config_keys
from lac.settings.rules import Number
from lac.settings.training import KEEP_KEYS

_FIGURES = ("cost_mean", "death_rate", "ep_len_mean")
_FURTHER = ("settled", "settling_steps", "episodes")
_CURVE = ("env_steps", "test/cost_mean", "test/death_rate")
_BESIDE = ("wall_time", UNMADE)
"""What is shown or needed of a summary beside the tests."""
_METHOD = ("algo", "env", "network", "lr_schedule", "train", "disturbance")
_ENV_FN = "env.env_fn"
"""What a config does not show of an environment from Python."""
_ENV_TEST = ("env.id", "env.max_episode_steps", "env.reward_max", "env.goal_tolerance", _ENV_FN)
_TEST = ("algo.opt_type", *_ENV_TEST, "train.max_ep_len")
_TEST_KWARGS = "env.kwargs"
_WITH_DEFAULTS = ("algo", "network", "lr_schedule", "train")
"""Parts whose keys all have defaults."""
_NO_METHOD = {"env.name", "train.seeds", "train.save_freq", "train.export", *KEEP_KEYS}
"""Keys that change what things are called, what is kept of a training, or how many there are, but no result."""


@dataclass(frozen=True)
class Result:
    """A finished run as it is compared.

    Attributes:
        run: The run.
        env: Name of its environment, with what differs in its tests where runs have another of that name.
        algo: Name of its algorithm.
        method: What makes a difference to its result beside the seed: config keys with dotted names.
        figures: Of the test of the final policy: ``cost_mean``, ``death_rate`` and ``ep_len_mean``; ``episodes`` where
            their number is known; ``settled`` where there is a goal set, and ``settling_steps`` where episodes settled.
        long: The same of the test of four times the length, as far as they are known.
    """

    run: Run
    env: str
    algo: str
    method: Mapping[str, Any]
    figures: Mapping[str, float]
    long: Mapping[str, float]

    @property
    def seed(self) -> Any:
        """The seed in its config."""
        return self.run.config.get("seed")


def find_results(folders: Iterable[Path]) -> tuple[list[Result], list[LeftOut]]:
    """The results of the finished runs in folders and in files of runs, and what is left out with the reason.

    Args:
        folders: As for :func:`lac.runs.scan`; or files that :func:`lac.runs.read_records` reads.
    """
    paths = list(folders)
    runs, left_out = scan(path for path in paths if not path.is_file())
    for file in (path for path in paths if path.is_file()):
        recorded, damaged = read_records(file)
        runs, left_out = [*runs, *recorded], [*left_out, *damaged]
    results: dict[str, Result] = {}
    for run in runs:
        if run.status != FINISHED:
            left_out.append(_left_out(run.folder, f"is {run.status}", run.status))
            continue
        try:
            result = _result(run)
        except RunError as error:
            left_out.append(LeftOut(run.folder, str(error), run.status))
            continue
        same = results.setdefault(identity({**result.method, "seed": result.seed}), result)
        if same is not result:
            reason = f"has config and seed of {relative_to_cwd(same.run.folder)}"
            left_out.append(_left_out(run.folder, reason, run.status))
    return _with_environments(_with_short_names(list(results.values()))), sorted(left_out, key=lambda item: item.folder)


def recorded(result: Result) -> dict[str, Any]:
    """A result as a line of a file of runs: all that a later comparison needs, without the folder of the run."""
    run = result.run
    config = {name: run.config[name] for name in (*_METHOD, "seed") if name in run.config}
    tests = {"final": dict(result.figures), "final_long": dict(result.long)}
    beside = {name: run.summary[name] for name in _BESIDE if name in run.summary}
    rows = [{name: row[name] for name in _CURVE if name in row} for row in run.metrics]
    return record(run, config, tests | beside, rows)


def settings_of_test(method: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method that its final policy is tested with: costs under different ones are not comparable."""
    return {key: value for key, value in method.items() if key in _TEST or key.startswith(_TEST_KWARGS)}


def _setting(key: str, value: object) -> str:
    return f"{key.rpartition('.')[2]}={value}"


def _with_short_names(results: Sequence[Result]) -> list[Result]:
    """The results, with the short name that other runs have for an environment instead of its id, where it is clear."""
    of_test: dict[str, str] = {}
    of_id: dict[Any, set[str]] = {}
    for result in results:
        if result.env != result.method.get("env.id"):
            of_test[identity(settings_of_test(result.method))] = result.env
            of_id.setdefault(result.method.get("env.id"), set()).add(result.env)

    def name(result: Result) -> str:
        names = of_id.get(result.env, set())
        own = next(iter(names)) if len(names) == 1 else result.env
        is_named = result.env != result.method.get("env.id")
        return result.env if is_named else of_test.get(identity(settings_of_test(result.method)), own)

    return [replace(result, env=name(result)) for result in results]


def _with_environments(results: Sequence[Result]) -> list[Result]:
    """The results, with environments of one name that differ in a test distinguished by what differs."""
    settings = [settings_of_test(result.method) for result in results]
    named = []
    for result, own in zip(results, settings, strict=True):
        others = [other for each, other in zip(results, settings, strict=True) if each.env == result.env]
        differing = [key for key in own if own[key] is not None and any(other.get(key) != own[key] for other in others)]
        named.append(replace(result, env=", ".join([result.env, *(_setting(key, own[key]) for key in differing)])))
    return named


def identity(settings: Mapping[str, Any]) -> str:
    """A text that differs for different settings; those of a damaged config may be anything that YAML can hold."""
    return repr(sorted(settings.items()))


def _result(run: Run) -> Result:
    """A run with the figures of its final policy.

    Raises:
        RunError: A file is missing or damaged, or the run was not tested in every epoch.
    """
    figures, file = _final_test(run)
    is_tested = all({"env_steps", "test/cost_mean"} <= row.keys() for row in run.metrics)
    if not is_tested or not all(name in figures for name in _FIGURES):
        raise RunError(f"{relative_to_cwd(run.folder)} has no test episodes; set train.num_test_episodes in training")
    is_figure = Number().accepts
    wrong = [f"{name} is {figures[name]!r}" for name in _FIGURES if not is_figure(figures[name])]
    if wrong:
        raise unreadable(file, f"{', '.join(wrong)} instead of a finite number")
    env, algo = _names(run)
    known, long = (
        {name: float(report[name]) for name in (*_FIGURES, *_FURTHER) if is_figure(report.get(name))}
        for report in (figures, _mapping(run.summary.get("final_long")))
    )
    return Result(run, env, algo, _method(run, algo), known, long)


def _method(run: Run, algo: str) -> dict[str, Any]:
    """What makes a difference to the result of a run beside its seed.

    A key that a run of an earlier version lacks has its default: a new setting leaves what there was as it was.
    """
    parts = [part for part in _METHOD if part in run.config]
    method = flat({part: run.config[part] for part in parts})
    if algo in ALGORITHMS:
        for key, leaf in config_keys("train", algo).items():
            is_new = not any(own == key or own.startswith(f"{key}.") or key.startswith(f"{own}.") for own in method)
            if is_new and key.partition(".")[0] in _WITH_DEFAULTS and key.partition(".")[0] in parts:
                method[key] = leaf.default
    if run.summary.get(UNMADE) is not None:
        method[_ENV_FN] = run.summary[UNMADE]
    return {key: value for key, value in method.items() if key not in _NO_METHOD}


def _final_test(run: Run) -> tuple[Mapping[str, Any], Path]:
    """The test of the final policy, and its file: that at the end of the training, or a later one with more resets."""
    final = _mapping(run.summary.get("final"))
    later = run.evaluation
    if later.get("policy") == "final" and ("episodes" not in final or _episodes(later) > _episodes(final)):
        return later, run.folder / EVALUATION
    return final, run.summary_file


def _episodes(report: Mapping[str, Any]) -> float:
    number = report.get("episodes")
    return float(number) if isinstance(number, (int, float)) else 0.0


def _names(run: Run) -> tuple[str, str]:
    """The names of environment and algorithm.

    Raises:
        RunError: The config has none.
    """
    try:
        env, algo = run.config["env"], run.config["algo"]["name"]
        env_name = env["id"] if env["name"] == "gym" else env["name"]
        if isinstance(algo, str) and isinstance(env_name, str):
            return env_name, algo
    except (KeyError, TypeError):
        pass
    raise RunError(
        f"{run.folder / CONFIG} has no names of environment and algorithm; restore it or train the run again"
    )


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A config with one level of dotted names."""
    result: dict[str, Any] = {}
    for name, value in config.items():
        result |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return result


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _left_out(folder: Path, reason: str, status: str | None) -> LeftOut:
    return LeftOut(folder, f"{relative_to_cwd(folder)} {reason}", status)
