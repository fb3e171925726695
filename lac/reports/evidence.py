"""What other commands have found out about the policies of runs: robustness studies and stability reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lac.files import file_sha256
from lac.runs import RunError
from lac.runs.folder import read_object

ROBUSTNESS, STABILITY = "robustness/*/results.json", "stability/report.json"


@dataclass(frozen=True)
class Study:
    """A robustness study.

    Attributes:
        file: Its ``results.json``.
        name: Its name.
        rows: For each variant and method: variant, method, number of runs, interquartile mean of the cost, the two ends
            of its interval, share of early terminations, share that settles; None for what is not known.
    """

    file: Path
    name: str
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Verdict:
    """What a stability report says of a policy.

    Attributes:
        file: The ``report.json``.
        folder: The run folder.
        level: ``none``, ``empirical``, ``statistical`` or ``proved-on-model``.
        sentences: Its sentences.
    """

    file: Path
    folder: Path
    level: str
    sentences: Sequence[str]


def find_studies(folders: Iterable[Path]) -> tuple[list[Study], list[str]]:
    """The robustness studies in run folders and in folders of runs, and what is damaged."""
    studies, problems = [], []
    for file in (file for folder in dict.fromkeys(folders) for file in sorted(folder.glob(ROBUSTNESS))):
        try:
            studies.append(_study(file))
        except (RunError, TypeError, ValueError) as error:
            problems.append(_sentence(file, error))
    return studies, problems


def find_verdicts(folders: Iterable[Path]) -> tuple[list[Verdict], list[str]]:
    """The stability reports of run folders, and what is damaged."""
    verdicts, problems = [], []
    for folder in (folder for folder in folders if (folder / STABILITY).exists()):
        file = folder / STABILITY
        try:
            content = read_object(file)
            level, sentences = content.get("verdict"), content.get("sentences", [])
            if not isinstance(level, str) or not isinstance(sentences, list):
                raise ValueError(f"its verdict is {level!r}")
            _raise_if_of_another(content.get("policy"), folder)
        except (RunError, ValueError) as error:
            problems.append(_sentence(file, error))
            continue
        verdicts.append(Verdict(file, folder, level, [str(sentence) for sentence in sentences]))
    return verdicts, problems


def _raise_if_of_another(policy: object, folder: Path) -> None:
    """Raise an error where the policy of a stability report has changed since, as it does where a run goes on."""
    described = policy if isinstance(policy, Mapping) else {}
    name, known = described.get("file"), described.get("sha256")
    if isinstance(name, str) and isinstance(known, str) and file_sha256(folder / name) not in {known, None}:
        raise ValueError(f"{name} has changed since then")


def _sentence(file: Path, error: Exception) -> str:
    return str(error) if isinstance(error, RunError) else f"{file} cannot be shown: {error}; make it again"


def _study(file: Path) -> Study:
    variants = read_object(file).get("variants")
    if not isinstance(variants, list):
        raise ValueError("it has no list of variants, since the study has not ended or is another's")
    rows = [
        _row(str(variant["variant"]), str(method), figures)
        for variant in variants
        if isinstance(variant, Mapping) and isinstance(variant.get("methods"), Mapping) and "variant" in variant
        for method, figures in variant["methods"].items()
        if isinstance(figures, Mapping)
    ]
    return Study(file, file.parent.name, rows)


def _row(variant: str, method: str, figures: Mapping[str, Any]) -> list[Any]:
    cost, deaths, settled = (_part(figures, name) for name in ("cost", "death_rate", "settled"))
    numbers = [
        figures.get("runs"),
        cost.get("iqm"),
        cost.get("low"),
        cost.get("high"),
        deaths.get("mean"),
        settled.get("mean"),
    ]
    return [variant, method, *(number if isinstance(number, (int, float)) else None for number in numbers)]


def _part(figures: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = figures.get(name)
    return part if isinstance(part, Mapping) else {}
