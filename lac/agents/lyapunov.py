"""The learned Lyapunov function of a state, under the policy's own action."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lac.agents.lac import LAC


@torch.inference_mode()
def lyapunov_values(agent: LAC, observations: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """``L(s, pi(s))`` ``[B]`` for observations ``[B, obs_dim]``; of two critics the larger value."""
    seen = np.asarray(observations)
    actions: Any = agent.get_action(seen, deterministic=True)
    obs = torch.as_tensor(seen, dtype=torch.float32, device=agent.device)
    act = torch.as_tensor(actions, dtype=torch.float32, device=agent.device)
    values = torch.stack([critic(obs, act) for critic in agent.critics]).amax(dim=0)
    return np.asarray(values.cpu().numpy(), np.float64)
