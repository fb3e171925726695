"""The policies that a run leaves: the final one, the best one, and those of epochs that it keeps."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lac.agents import Agent
from lac.agents.policy_files import policy_names, policy_path
from lac.files import remove_temporary_files, sync_folder
from lac.runs.record_settings import RecordSettings
from lac.settings.policies import BEST, FINAL, POLICY_FOLDER, epoch_of, policy_of_epoch
from lac.settings.training import LoopSettings
from lac.training.divergence import DivergenceError, has_finite_weights


def is_kept(epoch: int, number: int, epochs: int) -> bool:
    """Whether the policy of an epoch is one of ``number`` that are spread evenly over ``epochs``, the last included.

    They are those of the epochs ``epochs / number``, twice that, and so on, rounded up.

    Args:
        epoch: The epoch, counted from 1.
        number: How many are kept; all, if it is above the number of epochs.
        epochs: Epochs of the whole run.
    """
    number = min(number, epochs)
    return epoch * number // epochs > (epoch - 1) * number // epochs


class SavedPolicies:
    """Writes the policies of a run, each atomically.

    Args:
        run_dir: The run folder.
        settings: Which policies are saved, and how often.
    """

    def __init__(self, run_dir: Path, settings: RecordSettings) -> None:
        self._dir, self._settings, self._epochs = run_dir, settings, 1

    def begin(self, loop: LoopSettings, env_steps: int) -> None:
        """Remove what a later part of this run, or an earlier run, has left; what is due is written again.

        Args:
            loop: How long the run is.
            env_steps: Environment steps up to where the run begins or goes on.
        """
        self._epochs = loop.epochs
        remove_temporary_files(self._dir / POLICY_FOLDER)
        for name in policy_names(self._dir):
            if (epoch_of(name) or 0) * loop.steps_per_epoch > env_steps:
                self.path(name).unlink()

    def path(self, name: str) -> Path:
        """The file of a policy."""
        return policy_path(self._dir, name)

    def save_of_epoch(self, agent: Agent, epoch: int) -> None:
        """Save the policy after an epoch, under each name that is due."""
        is_saved = epoch % self._settings.save_freq == 0
        if is_saved:
            agent.save(self.path(FINAL))
        if (is_saved and self._settings.keep_saved) or is_kept(epoch, self._settings.keep_policies, self._epochs):
            agent.save(self.path(policy_of_epoch(epoch)))

    def save_best(self, agent: Agent) -> None:
        """Save the policy as the best one."""
        agent.save(self.path(BEST))

    def save_final(self, agent: Agent, error: BaseException | None) -> None:
        """Save the policy at the end, unless it has diverged: it must not replace the last good one."""
        if not isinstance(error, DivergenceError) and has_finite_weights(agent):
            agent.save(self.path(FINAL))

    def best_bytes(self) -> npt.NDArray[np.uint8] | None:
        """The file of the best policy; None if there is none."""
        file = self.path(BEST)
        return np.frombuffer(file.read_bytes(), np.uint8) if file.is_file() else None

    def sync(self) -> None:
        """Have the names of the files written to the disk, before a checkpoint relies on them."""
        if (self._dir / POLICY_FOLDER).is_dir():
            sync_folder(self._dir / POLICY_FOLDER)
