"""The finished runs in folders with their results, and what is left out with the reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lac.evaluation.rollouts import FIRST_TEST_SEED
from lac.runs import LeftOut, Run, RunError, read_records, record, scan
from lac.runs.folder import CONFIG, EVALUATION, FINISHED, UNMADE, unreadable
from lac.runs.methods import PARTS, is_disturbed, method_of, settings_of_test
from lac.settings.policies import FINAL
from lac.settings.rules import Number, with_whole_numbers

_FIGURES = ("cost_mean", "death_rate", "ep_len_mean")
_FURTHER = ("settled", "settling_steps", "episodes")
_CURVE = ("env_steps", "test/cost_mean", "test/death_rate")
_BESIDE = ("wall_time", UNMADE)
"""What is shown or needed of a summary beside the tests."""


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

    A run counts once: one in a folder before its line in a file.

    Args:
        folders: As for :func:`lac.runs.scan`; or files that :func:`lac.runs.read_records` reads.
    """
    paths = list(folders)
    runs, left_out = scan(path for path in paths if not path.is_file())
    for file in (path for path in paths if path.is_file()):
        kept, damaged = read_records(file)
        runs, left_out = [*runs, *kept], [*left_out, *damaged]
    results: dict[str, Result] = {}
    for run in runs:
        if run.status != FINISHED:
            left_out.append(LeftOut(run.folder, f"{run} is {run.status}", run.status))
            continue
        try:
            result = _result(run)
        except RunError as error:
            left_out.append(LeftOut(run.folder, str(error), run.status))
            continue
        same = results.setdefault(identity({**result.method, "seed": result.seed}), result)
        if same is not result:
            reason = f"{run} has config and seed of {same.run}"
            left_out.append(LeftOut(run.folder, reason, run.status))
    return _with_environments(_with_short_names(list(results.values()))), sorted(left_out, key=lambda item: item.folder)


def record_of(result: Result) -> dict[str, Any]:
    """A result as a line of a file of runs: all that a later comparison needs, without the folder of the run."""
    run = result.run
    config = {name: run.config[name] for name in (*PARTS, "seed") if name in run.config}
    tests = {"final": dict(result.figures), "final_long": dict(result.long)}
    beside = {name: run.summary[name] for name in _BESIDE if name in run.summary}
    rows = [{name: row[name] for name in _CURVE if name in row} for row in run.metrics]
    return record(run, config, tests | beside, rows)


def _setting(key: str, value: object) -> str:
    name = "disturbance" if key == "disturbance.kind" else key.rpartition(".")[2]
    return f"{name}={value}"


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
    return repr(sorted((name, with_whole_numbers(value)) for name, value in settings.items()))


def _result(run: Run) -> Result:
    """A run with the figures of its final policy.

    Raises:
        RunError: A file is missing or damaged, or the run was not tested in every epoch.
    """
    figures, file = _final_test(run)
    is_tested = all({"env_steps", "test/cost_mean"} <= row.keys() for row in run.metrics)
    if not is_tested or not all(name in figures for name in _FIGURES):
        raise RunError(f"{run} has no test episodes; set train.num_test_episodes in training")
    is_figure = Number().accepts
    wrong = [f"{name} is {figures[name]!r}" for name in _FIGURES if not is_figure(figures[name])]
    if wrong:
        raise unreadable(file, f"{', '.join(wrong)} instead of a finite number")
    env, algo = _names(run)
    known, long = (
        {name: float(report[name]) for name in (*_FIGURES, *_FURTHER) if is_figure(report.get(name))}
        for report in (figures, _mapping(run.summary.get("final_long")))
    )
    return Result(run, env, algo, method_of(run), known, long)


def _final_test(run: Run) -> tuple[Mapping[str, Any], Path]:
    """The test of the final policy, and its file: that at the end of the training, or a later one with more resets.

    A later one counts if it begins with the same resets, under the disturbance of the training, and the policy has not
    changed since, as it does where a run is extended.
    """
    final, later = _mapping(run.summary.get("final")), run.evaluation
    has_more = bool(later) and ("episodes" not in final or _episodes(later) > _episodes(final))
    if has_more and not is_disturbed(run):
        usual = {"policy": FINAL, "first_seed": FIRST_TEST_SEED, "steps": None, "sha256": run.policy_sha256(FINAL)}
        if all(later.get(name, value) == value for name, value in usual.items()):
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


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
