"""The settings of the algorithms; the group ``algo`` of the command line."""

from dataclasses import dataclass

from lac.settings.fields import REQUIRED, Settings, setting
from lac.settings.rules import FROM_ZERO, OPTIONAL_NUMBER, RATE, Choice, Flag, Number

_SHARE = Number(low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class AgentSettings(Settings):
    """What every agent is built with, and all that SAC is."""

    opt_type: str = setting(
        "minimize",
        Choice(("minimize", "maximize")),
        "minimize: the environment gives costs; maximize: rewards r of at most r_max, and the cost is r_max - r",
    )
    alpha: float = setting(0.99, RATE, "initial entropy temperature")
    gamma: float = setting(0.99, _SHARE, "discount factor of the infinite horizon")
    polyak: float = setting(0.995, _SHARE, "weight of the old target networks in their moving average")
    target_entropy: float | None = setting(
        None, OPTIONAL_NUMBER, "entropy that alpha is adapted to; null: -dim(actions)"
    )
    adaptive_temperature: bool = setting(True, Flag(), "whether alpha is adapted")
    lr_a: float = setting(1e-4, RATE, "initial learning rate of the actor")
    lr_c: float = setting(3e-4, RATE, "initial learning rate of the critics")
    lr_alpha: float = setting(1e-4, RATE, "initial learning rate of alpha")


@dataclass(frozen=True, kw_only=True)
class LyapunovSettings(AgentSettings):
    """What LAC and LATC are built with beyond that."""

    alpha3: float = setting(
        0.2, RATE, "required decrease of the Lyapunov function L at each step, as a share of the cost"
    )
    labda: float = setting(0.99, _SHARE, "initial Lyapunov multiplier, 0 to 1")
    lr_labda: float = setting(3e-4, RATE, "initial learning rate of labda")
    critic_loss: str = setting(
        "squared",
        Choice(("squared", "relative")),
        "squared error of L, or relative: each square divided by 1 + target, for costs that span orders of magnitude",
    )
    anti_windup: bool = setting(
        False, Flag(), "keep log(labda) at or below 0, so that labda falls as soon as the constraint holds"
    )
    labda_min: float = setting(0.0, _SHARE, "lower bound of labda after each step; 0: none")
    twin_drift: str = setting(
        "symmetric",
        Choice(("asymmetric", "symmetric")),
        "L(s, a) of two critics in the decrease condition: symmetric (their maximum, as for L(s', a')) or asymmetric "
        "(the first one, as in the reference, which overestimates the drift)",
    )
    drift_weights: str = setting(
        "mixed",
        Choice(("mixed", "before", "after")),
        "critic weights in the decrease condition: mixed (L(s, a) before the critic's step, L(s', a') after it, as in "
        "the reference), before (the authors' code) or after (algorithm 1 of the paper)",
    )


@dataclass(frozen=True, kw_only=True)
class Algorithm(AgentSettings):
    """The group ``algo``: an agent's settings, and what its training stores."""

    name: str = setting(REQUIRED, None, "algorithm")
    time_limit_is_terminal: bool = setting(
        False, Flag(), "store the end of an episode by its time limit as a terminal state, as the authors' code does"
    )

    @property
    def horizon(self) -> int:
        """Steps of the finite horizon; 0 is the infinite, discounted one."""
        return 0


@dataclass(frozen=True, kw_only=True)
class LacAlgorithm(LyapunovSettings, Algorithm):
    """The group ``algo=lac``."""

    name: str = setting("lac", None, "algorithm")
    horizon_length: int = setting(0, FROM_ZERO, "steps N of the finite horizon; 0: infinite, discounted")

    @property
    def horizon(self) -> int:
        """Steps of the finite horizon; 0 is the infinite, discounted one."""
        return self.horizon_length


@dataclass(frozen=True, kw_only=True)
class LatcAlgorithm(LacAlgorithm):
    """The group ``algo=latc``."""

    name: str = setting("latc", None, "algorithm")


@dataclass(frozen=True, kw_only=True)
class SacAlgorithm(Algorithm):
    """The group ``algo=sac``."""

    name: str = setting("sac", None, "algorithm")


ALGORITHMS: dict[str, type[Algorithm]] = {"lac": LacAlgorithm, "latc": LatcAlgorithm, "sac": SacAlgorithm}
"""The algorithms by name."""
