"""The environments that ``import lac`` registers with Gymnasium."""

import gymnasium

# id: (entry point, time limit in steps)
ENVIRONMENTS = {
    "lac/Oscillator-v1": ("lac.envs.oscillator:Oscillator", 400),
}


def register_environments() -> None:
    """Register them; nothing is imported before one is made."""
    for env_id, (entry_point, max_episode_steps) in ENVIRONMENTS.items():
        gymnasium.register(env_id, entry_point, max_episode_steps=max_episode_steps)
