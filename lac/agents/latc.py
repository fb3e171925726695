"""LAC with twin critics."""

from lac.agents.lac import LAC
from lac.networks import LyapunovActorTwinCritic


class LATC(LAC):
    """Lyapunov actor-twin-critic: :class:`~lac.agents.lac.LAC` with two Lyapunov critics, its arguments and all.

    Both critics learn the target of their maximum, and the maximum enters the constraint; ``twin_drift``
    decides where. ``LAC(env, actor_critic=LyapunovActorTwinCritic)`` computes the same. An ``actor_critic`` of
    your own has ``L`` and ``L2``. Default: :class:`~lac.networks.LyapunovActorTwinCritic`.
    """

    _default_actor_critic = LyapunovActorTwinCritic
    _fewest_critics = 2
