"""The stability report: what an examination found, as JSON, Markdown and a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lac.files import write_bytes, write_json
from lac.proofs import Proof
from lac.stability.convergence import largest_passed
from lac.stability.decrease import as_numbers, numbers
from lac.stability.findings import Examination
from lac.stability.page import markdown, page
from lac.stability.wording import sentences, verdict

SCHEMA = 1
FOLDER, DATA, TEXT, PAGE = "stability", "report.json", "report.md", "report.html"
CERTIFICATE = "certificate.npz"
_PUSH_PROBABILITY = 0.95
_MAX_COUNTEREXAMPLES = 10
Seeds = Mapping[str, Sequence[int]]
"""The seeds of the attempts at each policy, by its SHA-256, in their order."""


@dataclass(frozen=True)
class StabilityReport:
    """What is known about the stability of one closed loop.

    Attributes:
        data: The content of ``report.json``; ``docs/evidence.md`` explains every entry.
        examination: Where it comes from, for pictures.
        proof: The proof; None without one.
    """

    data: Mapping[str, Any]
    examination: Examination = field(repr=False)
    proof: Proof | None = field(default=None, repr=False)

    @property
    def verdict(self) -> str:
        """``none``, ``empirical``, ``statistical`` or ``proved-on-model``."""
        return str(self.data["verdict"])

    @property
    def sentences(self) -> list[str]:
        """What the report says in words."""
        return list(self.data["sentences"])

    def save(self, folder: str | Path, pictures: bool = True) -> list[Path]:
        """Write ``report.json``, ``report.md``, ``report.html`` and pictures into a folder; returns the files.

        The page holds its pictures, so that it can be moved alone. A proof leaves ``certificate.npz``; one of an
        earlier report is removed, since it would belong to another policy.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        drawn: list[Path] = []
        if pictures:
            from lac.stability.pictures import draw  # noqa: PLC0415 (imports matplotlib)

            drawn = draw(self.examination, self.data, folder, None if self.proof is None else self.proof.arrivals)
        (folder / CERTIFICATE).unlink(missing_ok=True)
        if self.proof is not None:
            self.proof.save(folder / CERTIFICATE)
        write_bytes(folder / TEXT, markdown(self.data, drawn).encode())
        write_bytes(folder / PAGE, page(self.data, drawn).encode())
        write_json(folder / DATA, self.data)
        return [folder / DATA, folder / TEXT, folder / PAGE, *drawn]


def make_report(
    found: Examination,
    policy: Mapping[str, Any],
    environment: Mapping[str, Any],
    confidence: float,
    seed: int = 0,
    seeds: Seeds = MappingProxyType({}),
    proof: Proof | None = None,
    not_proved: str | None = None,
) -> StabilityReport:
    """A report from an examination.

    Args:
        found: The examination, made with :func:`bound_confidence`.
        policy: ``file``, ``sha256`` and ``algorithm``.
        environment: ``id`` and ``kwargs``.
        confidence: That was asked for.
        seed: Of the samples.
        seeds: Those of all attempts, as :func:`with_seed` gives them; the bounds of a repeated attempt are wider.
        proof: A proof.
        not_proved: Why there is none.
    """
    attempt = attempt_of(seeds, policy["sha256"], seed)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "policy": dict(policy),
        "environment": dict(environment) | {"is_noisy": found.loop is not None and found.loop.is_noisy},
        "region": dict(found.region),
        "confidence": confidence,
        "attempt": attempt,
        "bound_confidence": bound_confidence(confidence, attempt),
        "seed": seed,
        "seeds": dict(seeds),
        **_findings(found),
        "proved": None if proof is None else _proved(proof, found),
        "not_proved": not_proved,
    }
    data["verdict"] = verdict(data)
    data["sentences"] = sentences(data)
    data["seconds"] = {name: round(value, 2) for name, value in found.seconds.items()}
    return StabilityReport(data, found, proof)


def _proved(proof: Proof, found: Examination) -> dict[str, Any]:
    starts = found.terminated_starts
    return proof.report() | {"ended_early": int(proof.covers(starts).sum()) if len(starts) else 0}


def _findings(found: Examination) -> dict[str, Any]:
    """The entries of a report that are counted."""
    search = found.falsification
    return {
        "core": found.core,
        "goal_tolerance": found.goal_tolerance,
        "best": found.best,
        "candidates": {name: as_numbers(result) for name, result in found.candidates.items()},
        "missing": found.missing,
        "rollouts": {
            "n": found.rollouts.n,
            "steps": found.steps,
            "failures": found.rollouts.failures,
            "bound": found.rollouts.bound,
            "early_terminations": found.terminated,
            "has_goal": bool(found.settling),
        },
        "settling": dict(found.settling),
        "mean_condition": found.mean_condition,
        "critic": found.critic,
        "floquet_multipliers": None if found.multipliers is None else sorted(found.multipliers.tolist(), reverse=True),
        "disturbances": [{"magnitude": rung.magnitude, **numbers(rung.failures)} for rung in found.rungs],
        "push_probability": _PUSH_PROBABILITY,
        "largest_push": largest_passed(found.rungs, _PUSH_PROBABILITY),
        "falsification": None
        if search is None
        else {"evaluations": search.evaluations, "found": search.found, "worst": search.worst},
        "counterexamples": _counterexamples(found),
    }


def bound_confidence(confidence: float, attempt: int) -> float:
    """The confidence of each bound of an attempt.

    The first has the one that was asked for; the error of the k-th is ``k (k - 1)`` times smaller. So a report that is
    chosen among many attempts, however many, errs with at most twice the probability of a single one.
    """
    return 1 - (1 - confidence) / max(1, attempt * (attempt - 1))


def earlier_seeds(*folders: Path) -> Seeds:
    """The seeds with which the reports in folders, and those that they have replaced, examined each policy."""
    merged: dict[str, Sequence[int]] = {}
    for folder in folders:
        for sha256, seeds in _seeds_in(folder).items():
            known = merged.get(sha256, ())
            merged[sha256] = [*known, *(seed for seed in seeds if seed not in known)]
    return merged


def _seeds_in(folder: Path) -> Seeds:
    try:
        seeds = json.loads((folder / DATA).read_text())["seeds"]
        return {str(sha256): [int(seed) for seed in own] for sha256, own in seeds.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def with_seed(seeds: Seeds, sha256: str | None, seed: int) -> Seeds:
    """These seeds and that of another attempt; the same seed is the same attempt."""
    if sha256 is None:
        return seeds
    own = seeds.get(sha256, [])
    return {**seeds, sha256: own if seed in own else [*own, seed]}


def attempt_of(seeds: Seeds, sha256: str | None, seed: int) -> int:
    """Which attempt at a policy one with this seed is, from 1 on."""
    return 1 if sha256 is None else 1 + list(seeds[sha256]).index(seed)


def _counterexamples(found: Examination) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = [
        {"kind": "trajectory", "start": start.tolist()} for start in found.failures[:_MAX_COUNTEREXAMPLES]
    ]
    search = found.falsification
    if search is not None and search.found:
        shown.append(
            {"kind": "decrease", "candidate": found.best, "state": search.state.tolist(), "increase": search.worst}
        )
    return shown
