"""An oscillator in which SIGTERM comes to its process, once, in the middle of a step."""

import signal

import gymnasium

from lac.envs.oscillator import Oscillator

AT = 333
"""The step of the process at which it comes."""
steps = [0]


class Signalling(Oscillator):
    def step(self, action):
        steps[0] += 1
        if steps[0] == AT:
            signal.raise_signal(signal.SIGTERM)
        return super().step(action)


gymnasium.register("Signalling-v0", entry_point=Signalling, max_episode_steps=100)
