"""The trials of a search: asked for each free slot, run, told, and continued after whatever ended the search."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from lac.runs.folder import FAILED, FINISHED, PRUNED, RUNNING, mark_failed, read_summary, status
from lac.sweeps.queue import archive_attempt, clear_stop_request, is_stopped, request_stop
from lac.sweeps.search.result import FOLDER, Plan, asked_trials, overrides_of
from lac.sweeps.seeds import objective

_OVERRIDES = "overrides"
_ENDED = {FINISHED: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL}
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_END = 30.0

Launch = Callable[[Sequence[str], str, int], object]


class Search:
    """A search that is worked on by this process alone.

    Args:
        plan: What is searched.
        study: The study; it is continued if it has trials.
        launch: Runs one job, given its overrides, the name of its folder and its number, and returns when it has
            ended; called from several threads at once if there are several slots.
        say: Takes what the user should know.

    Raises:
        ValueError: The study holds trials of another search.
    """

    def __init__(self, plan: Plan, study: Study, launch: Launch, say: Callable[[str], None]) -> None:
        self._plan, self._study, self._launch_job, self._say = plan, study, launch, say
        self._asking = threading.Lock()
        self._errors: list[BaseException] = []
        self._killed: list[int] = []
        identity = [*plan.identity, *(str(parameter) for parameter in plan.space)]
        other = study.user_attrs.get(_OVERRIDES, identity)
        if other != identity:
            raise ValueError(f"the study {study.study_name!r} holds trials of another search: {' '.join(other)}")
        study.set_user_attr(_OVERRIDES, identity)
        self._begun = deque(trial.number for trial in asked_trials(self._study) if trial.state == TrialState.RUNNING)

    def run(self, slots: int) -> None:
        """Run what is missing; one trial's end, whatever it is, does not keep others from running.

        Raises:
            Exception: The launcher itself does not work.
        """
        clear_stop_request(self._plan.folder)
        if slots == 1:
            self._work()
        else:
            self._work_in_threads(slots)
        # A launcher's dead worker takes those beside it along: which one it was shows when each runs by itself.
        for number in self._killed:
            if is_stopped(self._plan.folder):
                break
            if not self._run(number) and not is_stopped(self._plan.folder):
                mark_failed(self._run_folder(number), "its process was killed, twice")
                self._tell(number)

    def is_busy(self) -> bool:
        """Whether a trial is running, here or elsewhere."""
        running = [trial for trial in asked_trials(self._study) if trial.state == TrialState.RUNNING]
        return any(
            FOLDER in trial.user_attrs and status(self._run_folder(trial.number)) == RUNNING for trial in running
        )

    def _work_in_threads(self, slots: int) -> None:
        threads = [threading.Thread(target=self._work_and_keep_error, daemon=True) for _ in range(slots)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            # Ctrl-C and SIGTERM come here; jobs end themselves when they see it.
            request_stop(self._plan.folder)
            deadline = time.monotonic() + _SECONDS_TO_END
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            raise
        if self._errors:
            raise self._errors[0]

    def _work_and_keep_error(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._errors.append(error)

    def _work(self) -> None:
        """Fill one slot until nothing is left to do."""
        while (number := self._next()) is not None:
            if not self._run(number):
                self._killed.append(number)

    def _next(self) -> int | None:
        with self._asking:
            if self._errors or is_stopped(self._plan.folder):
                return None
            if self._begun:
                return self._asked(self._begun.popleft())
            if len(asked_trials(self._study)) >= self._plan.wanted:
                return None
            return self._asked(None)

    def _asked(self, number: int | None) -> int:
        """Ask a trial, or what is missing of one that was being asked when the search ended."""
        trial = self._study.ask() if number is None else Trial(self._study, self._trial(number)._trial_id)
        overrides = [parameter.override(parameter.suggest(trial), short=True) for parameter in self._plan.space]
        if FOLDER not in trial.user_attrs:
            trial.set_user_attr(FOLDER, f"{trial.number}-{self._plan.name(overrides)}")
        return trial.number

    def _trial(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _run_folder(self, number: int) -> Path:
        return self._plan.folder / str(self._trial(number).user_attrs[FOLDER])

    def _run(self, number: int) -> bool:
        """Run a trial and tell how it ended; False if its process was killed, or the search is stopped."""
        folder = self._run_folder(number)
        if status(folder) not in {*_ENDED, RUNNING}:
            if status(folder) is not None:
                archive_attempt(self._plan.folder, folder.name)
            self._launch(number, folder)
        # Jobs of a cluster outlive a search that was killed.
        while status(folder) == RUNNING and not is_stopped(self._plan.folder):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return self._tell(number)

    def _launch(self, number: int, folder: Path) -> None:
        overrides = [*self._plan.fixed, *overrides_of(self._trial(number), self._plan.space)]
        for is_last in (False, True):
            try:
                self._launch_job(overrides, folder.name, number)
                return
            except Exception as error:
                lines = str(error).strip().splitlines() or [""]
                self._say(f"trial {number}: the launcher ended with {type(error).__name__}: {lines[0]}")
                if status(folder) is not None:
                    return
                if is_last:
                    raise  # the launcher itself does not work

    def _tell(self, number: int) -> bool:
        folder = self._run_folder(number)
        ended = status(folder)
        if ended not in _ENDED:
            return False
        cost = objective(read_summary(folder).get("final", {}))
        if ended == FINISHED and cost is not None and math.isfinite(cost):
            self._study.tell(number, cost)
        else:
            self._study.tell(number, state=TrialState.PRUNED if ended == PRUNED else TrialState.FAIL)
        return True
