"""LAC with twin critics."""

from lac.agents.lac import LAC
from lac.networks import LyapunovActorTwinCritic


class LATC(LAC):
    """Lyapunov actor-twin-critic: :class:`~lac.agents.lac.LAC` with two Lyapunov critics and the same arguments.

    Both critics are trained on the target of their maximum, and their maximum is used in the constraint, as
    ``twin_drift`` selects. ``LAC(env, actor_critic=LyapunovActorTwinCritic)`` computes the same. A custom
    ``actor_critic`` must have ``L`` and ``L2``, each an ``nn.Module``.
    Default: :class:`~lac.networks.LyapunovActorTwinCritic`.
    """

    _default_actor_critic = LyapunovActorTwinCritic
    _fewest_critics = 2
