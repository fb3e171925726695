"""The proof of convergence: search, and what it found."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.proofs.certificate import Certificate, environment_text
from lac.proofs.closed_loop import ClosedLoop
from lac.proofs.domains import FloatArray
from lac.proofs.ellipses import bounds_of_ball, rest_radius
from lac.proofs.enclosures import NotProvedError
from lac.proofs.flow import Raster
from lac.proofs.marching import March, simulated_times
from lac.proofs.search import find_equilibrium, find_frame


@dataclass(frozen=True)
class Proof:
    """A proof of convergence; ``docs/evidence.md`` states the theorem."""

    equilibrium: tuple[float, float]
    """Of the exact loop, within ``equilibrium_error``"""
    equilibrium_error: tuple[float, float]
    """Bounds of the distance of the equilibrium from these numbers"""
    offset: float
    """Largest distance of an entry of the state of interest from its reference at the equilibrium"""
    resting_box: tuple[float, float]
    """Half-widths about ``equilibrium`` that every trajectory ends in, with action errors that never cease"""
    core: float
    """Level of V below which the loop contracts"""
    contraction: float
    """Factor per step in the core, in the norm of V"""
    trap: float
    """Level of V that no action errors lead out of"""
    level: float
    """V decreases from this level to the trap, and without action error to the core"""
    region_share: float
    """Share of the region of starts that is proved"""
    steps: int
    """After which every proved start has V below ``level``"""
    action_error: float
    """In half-widths of the action box"""
    undecided: int
    """Boxes near a simulation that converges that are not proved"""
    boxes: int
    seconds: float
    certificate: Certificate
    arrivals: npt.NDArray[np.int64]
    """Steps until each cell of the region is in the ellipse, ``[cells, cells]`` along both states; -1 is not proved"""

    def report(self) -> dict[str, Any]:
        """What ``report.json`` holds under ``proved``, in JSON types."""
        left_out = ("certificate", "arrivals")
        entries = {name: value for name, value in vars(self).items() if name not in left_out}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in entries.items()}

    def covers(self, starts: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether these starts of the region ``[n, 2]`` are among those that are proved, ``[n]``."""
        low, high, cells = self.certificate.low, self.certificate.high, len(self.arrivals)
        places = ((starts - low) / (high - low) * cells).astype(np.int64).clip(0, cells - 1)
        return np.asarray(self.arrivals[places[:, 0], places[:, 1]] >= 0)

    def save(self, path: str | Path) -> None:
        """Write the certificate, an ``npz`` file that :func:`lac.proofs.check` verifies."""
        self.certificate.save(path)


def prove(
    env: Any,
    policy: Any,
    action_error: float = 1e-4,
    time_limit: float = 60.0,
    seed: int = 0,
    region: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> Proof:
    """Prove that trajectories converge, from as large a share of a region of starts as can be shown.

    Args:
        env: An environment with a :class:`lac.envs.system.System` of two states; it is left as it is.
        policy: An agent whose actor is a network of this package with ReLU, tanh or no activations, or one of the
            controllers ``lqr`` and ``zero``.
        action_error: Bound of an unknown that is added to the action in each step, in half-widths of the action box.
        time_limit: Seconds after which nothing further is tried; what is proved until then stays proved.
        seed: Of the simulations that look for the equilibrium.
        region: Lowest and highest start, ``[2]`` each; None is that of the system, ``start_region()``.

    Raises:
        NotProvedError: Nothing can be proved; the message says why.
    """
    start = time.monotonic()
    loop = ClosedLoop(env, policy, action_error)
    low, high = _region(loop, region)
    equilibrium = find_equilibrium(loop, low, high, np.random.default_rng(seed))
    frame, levels = find_frame(loop, equilibrium, high - low, start + time_limit)
    raster = Raster(low, high)
    raster.add_ellipse(frame, levels.level)
    times = simulated_times(loop, raster, frame, levels.level, start + time_limit)
    march = March(loop, raster, times)
    march.run(start + time_limit)
    certificate = Certificate(
        low=low,
        high=high,
        frame=frame,
        core=levels.core,
        contraction=levels.contraction,
        trap=levels.trap,
        level=levels.level,
        action_error=loop.action_error,
        **march.boxes(),
        region_share=raster.share,
        largest_arrival=int(raster.arrivals.max()),
        policy_sha256=loop.law.sha256(),
        environment=environment_text(env, loop),
    )
    return _proof(loop, certificate, raster, march.undecided, start)


def _proof(loop: ClosedLoop, certificate: Certificate, raster: Raster, undecided: int, start: float) -> Proof:
    c = certificate
    resting = rest_radius(loop, c.frame, c.contraction) * (1 + 1e-12)
    # In the core trajectories end in a smaller ball, but only if the action errors lead none of them out of it again.
    is_in_core = c.trap <= c.core and resting**2 <= c.core
    reference, interest = loop.system.signals(c.frame.centre)
    return Proof(
        equilibrium=_pair(c.frame.centre),
        equilibrium_error=_pair(bounds_of_ball(c.frame, rest_radius(loop.without_error(), c.frame, c.contraction))),
        offset=float(np.abs(interest - reference).max()),
        resting_box=_pair(bounds_of_ball(c.frame, resting if is_in_core else float(np.sqrt(c.trap)))),
        core=c.core,
        contraction=c.contraction,
        trap=c.trap,
        level=c.level,
        region_share=c.region_share,
        steps=c.largest_arrival,
        action_error=c.action_error,
        undecided=undecided,
        boxes=len(c.sizes),
        seconds=time.monotonic() - start,
        certificate=c,
        arrivals=raster.arrivals,
    )


def _region(loop: ClosedLoop, region: tuple[npt.ArrayLike, npt.ArrayLike] | None) -> tuple[FloatArray, FloatArray]:
    own = loop.system.start_region()
    given = region if region is not None else own and own[:2]
    if given is None:
        raise NotProvedError(
            f"{type(loop.system).__name__} declares no start_region; give the region of starts, region=(low, high)"
        )
    low, high = (np.array(bound, np.float64) for bound in given)
    if region is None and own is not None and not np.array_equal(own.make(np.stack([low, high])), [low, high]):
        raise NotProvedError(f"the start_region of {type(loop.system).__name__} has other numbers than states")
    if low.shape != (2,) or high.shape != (2,) or not (np.isfinite(high - low) & (low < high)).all():
        raise NotProvedError(f"region is {given}; it must be the lowest and the highest start, two numbers each")
    return low, high


def _pair(numbers: FloatArray) -> tuple[float, float]:
    return float(numbers[0]), float(numbers[1])
