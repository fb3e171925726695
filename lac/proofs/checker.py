"""Checks a certificate from its file: the rigorous part alone, without the search, in the order of the theorem."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lac.proofs.certificate import Certificate, environment_text
from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.covers import BATCH
from lac.proofs.ellipses import converges
from lac.proofs.flow import CELLS, HORIZON, IntArray, Raster, advanced


@dataclass(frozen=True)
class Check:
    """Whether a certificate holds for an environment and a policy."""

    holds: bool
    reason: str
    """A sentence that says why it does not; empty if it does."""
    seconds: float
    certificate: Certificate | None
    """What was checked; None if the file is no certificate"""


def check(path: str | Path, env: Any, policy: Any) -> Check:
    """Check a certificate anew.

    Args:
        path: The file ``certificate.npz``.
        env: The environment.
        policy: The agent or controller.

    Raises:
        FileNotFoundError: There is no file at ``path``.
    """
    start, certificate = time.monotonic(), None
    try:
        certificate = Certificate.load(path)
        reason = first_flaw(certificate, env, ClosedLoop(env, policy, certificate.action_error))
    except ValueError as error:  # no certificate, or nothing can be proved for the environment or the policy
        reason = str(error)
    return Check(not reason, reason, time.monotonic() - start, certificate)


def first_flaw(certificate: Certificate, env: Any, loop: ClosedLoop) -> str:
    """The first claim that does not hold, as a sentence; empty if all hold."""
    c = certificate
    if c.policy_sha256 != loop.law.sha256():
        return "the certificate is of another policy"
    if _system(c.environment) != _system(environment_text(env, loop)):
        return f"the certificate is of another environment, {c.environment}"
    if not (c.low < c.high).all():
        return "the region is empty"
    if not converges(loop, c.frame, c.core, c.contraction, c.trap, c.level):
        return "what is claimed of core, trap and level does not hold"
    return _flaw_of_boxes(c, loop)


def _flaw_of_boxes(certificate: Certificate, loop: ClosedLoop) -> str:
    """The first box whose image is not within the ellipse and the boxes before it; else what they claim too much."""
    c, raster = certificate, Raster(certificate.low, certificate.high)
    raster.add_ellipse(c.frame, c.level)
    if not ((c.sizes > 0) & (c.sizes <= CELLS) & (c.corners >= 0) & (c.corners <= CELLS - c.sizes)).all():
        return "a box is not in the region"
    if not ((c.steps > 0) & (c.steps <= HORIZON)).all():
        return f"a box takes no steps, or more than {HORIZON}"
    cells, known = _images(c, loop, raster)
    for i in range(len(c.sizes)):
        if not (known[i] and raster.covers(cells[i])):
            return f"the image of box {i} is not within what is proved before it"
        raster.add(c.corners[:, i], c.sizes[i], c.steps[i], cells[i])
    if raster.share != c.region_share or raster.arrivals.max() != c.largest_arrival:
        return "the boxes prove another share of the region, or another number of steps"
    return ""


def _images(certificate: Certificate, loop: ClosedLoop, raster: Raster) -> tuple[IntArray, Any]:
    """The cells ``[B, 4]`` of the image after the steps of each box, and whether raster and limits hold it."""
    c, number = certificate, len(certificate.sizes)
    cells, known = np.zeros((number, 4), np.int64), np.zeros(number, np.bool_)
    order = np.argsort(c.steps, kind="stable")
    for start in range(0, number, BATCH):
        left = order[start : start + BATCH]
        images = raster.boxes(c.corners[:, left], c.sizes[left])
        for step in range(1, int(c.steps[left].max()) + 1):
            images, inside = advanced(loop, images)
            done = c.steps[left] == step
            cells[left[done]], in_raster = raster.cells(images.where(done).hulls)
            known[left[done]] = in_raster & inside[done]
            goes_on = inside & ~done
            images, left = images.where(goes_on), left[goes_on]
            if not len(left):
                break
    return cells, known


def _system(environment: str) -> Any:
    return json.loads(environment)["system"]
