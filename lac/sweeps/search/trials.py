"""The trials of a search as jobs: Optuna chooses their values and receives their results."""

import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from lac.runs.folder import FINISHED, PRUNED
from lac.sweeps.folder import job_report, job_status
from lac.sweeps.queue import ENDED, Job
from lac.sweeps.search.result import FOLDER, Plan, asked_trials, overrides_of
from lac.sweeps.search.settings import trial_marker
from lac.sweeps.seeds import objective

_IDENTITY = "identity"
"""Attribute of a study: what the search is, see :class:`Plan`."""


class Trials:
    """The remaining trials of a study, one after another; unfinished trials of an earlier call come first.

    Args:
        plan: The plan of the search.
        study: The study; it is continued if it has trials.

    Raises:
        ValueError: The study holds trials of another search, or the folder jobs that the study does not know.
    """

    must_end = True  # the sampler learns from the result of each trial

    def __init__(self, plan: Plan, study: Study) -> None:
        self._plan, self._study = plan, study
        other = study.user_attrs.get(_IDENTITY)
        if other is None and _holds_jobs(plan.folder):
            raise ValueError(f"{plan.folder} holds the jobs of another sweep, which the new study does not know")
        if other is not None and other != plan.identity:
            differing = [name for name, value in plan.identity.items() if other.get(name) != value]
            raise ValueError(
                f"the study {study.study_name!r} holds trials of another search, with other {', '.join(differing)}; it "
                f"was {' '.join(other['overrides'])}"
            )
        study.set_user_attr(_IDENTITY, dict(plan.identity))
        self._unfinished = deque(trial for trial in asked_trials(study) if trial.state == TrialState.RUNNING)

    def next(self) -> Sequence[Job]:
        """The next trial, alone, so that a free slot never waits for other trials."""
        while self._unfinished:
            job = self._job(Trial(self._study, self._unfinished.popleft()._trial_id))
            ended = job_status(self._plan.folder / job.folder)
            if ended not in ENDED:
                return [job]
            self.report(job, ended)  # it ended while no search was running
        if len(asked_trials(self._study)) >= self._plan.trial_count:
            return []
        return [self._job(self._study.ask())]

    def report(self, job: Job, status: str) -> None:
        """Record the result of a trial in the study."""
        cost = objective(job_report(self._plan.folder / job.folder)[1])
        if status == FINISHED and cost is not None and math.isfinite(cost):
            self._study.tell(job.number, cost)
        else:
            self._study.tell(job.number, state=TrialState.PRUNED if status == PRUNED else TrialState.FAIL)

    def _job(self, trial: Trial) -> Job:
        """The job of a trial; its values are chosen if no earlier call has chosen them."""
        overrides = [parameter.override(parameter.suggest(trial), short=True) for parameter in self._plan.space]
        if FOLDER not in trial.user_attrs:
            trial.set_user_attr(FOLDER, f"{trial.number}-{self._plan.name(overrides)}")
        chosen = overrides_of(self._frozen(trial.number), self._plan.space)
        return Job(trial.number, trial.user_attrs[FOLDER], (*self._plan.fixed, *chosen, trial_marker(trial.number)))

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]


def _holds_jobs(folder: Path) -> bool:
    """Whether there is a run in a sweep folder."""
    return any(job_status(job) is not None for job in folder.glob("[0-9]*"))
