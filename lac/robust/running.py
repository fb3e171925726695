"""All tests of a study, in this process or in several, one after the other and each once."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache

from tqdm import tqdm

from lac.devices import limited_threads
from lac.evaluation.rollouts import Policy
from lac.robust.grids import Grid, Variant, variants
from lac.robust.measuring import Episode, measure
from lac.robust.subjects import Subject

_WORTH_PROCESSES = 10.0  # seconds of work for one process: the others take a few to start
_POLICIES = 4  # that a process keeps at a time; tests are sorted by policy


@dataclass(frozen=True)
class Study:
    """Policies, and the variants that each is tested in.

    Attributes:
        subjects: The policies under test, all in the same environment.
        grids: The grids; the nominal case comes in addition.
        seeds: Reset seeds of the episodes of each test.
        steps: Length of an episode, also beyond its time limit; None is that limit.
    """

    subjects: Sequence[Subject]
    grids: Sequence[Grid]
    seeds: Sequence[int]
    steps: int | None

    @property
    def variants(self) -> list[Variant]:
        """The nominal case, and every point of the grids."""
        return variants(self.grids)


@dataclass(frozen=True)
class Outcome:
    """The episodes of a test, or why there are none.

    Attributes:
        subject: Number of the policy in its study.
        variant: Number of the variant.
        episodes: One for each reset seed.
        failure: What the environment or the policy raised, as a sentence.
    """

    subject: int
    variant: int
    episodes: Sequence[Episode]
    failure: str | None = None


Test = tuple[int, int]
"""Numbers of a policy and of a variant."""


def outcomes(study: Study, tests: Sequence[Test], workers: int | None, num_done: int = 0) -> Iterator[Outcome]:
    """Make tests; each outcome comes as soon as it is there, in whatever order.

    What a test gives depends on nothing but the policy, the variant and the reset seeds.

    Args:
        study: The study.
        tests: Those of its tests that are to be made.
        workers: Number of processes, of one thread each; None: one for each core, if the work is worth them.
        num_done: Number of tests that were made before, for the progress bar.
    """
    with tqdm(
        total=len(tests) + num_done, initial=num_done, unit="test", leave=False, dynamic_ncols=True, disable=None
    ) as bar:
        for outcome in _all_outcomes(study, tests, workers):
            bar.update()
            yield outcome


def _all_outcomes(study: Study, tests: Sequence[Test], workers: int | None) -> Iterator[Outcome]:
    here = _Here(study)
    first, rest = (tests[:1], tests[1:]) if workers is None else ([], tests)
    start = time.perf_counter()
    yield from here.outcomes(first)
    estimate = (time.perf_counter() - start) * len(rest)
    number = workers if workers is not None else _cores() if estimate > _WORTH_PROCESSES else 1
    if min(number, len(rest)) > 1:
        yield from _outcomes_of_processes(study, rest, min(number, len(rest)))
    else:
        yield from here.outcomes(rest)


class _Here:
    """Tests in this process."""

    def __init__(self, study: Study) -> None:
        self._study, self._variants = study, study.variants
        self._policy = lru_cache(_POLICIES)(lambda number: study.subjects[number].load())

    def outcomes(self, tests: Sequence[Test]) -> Iterator[Outcome]:
        for test in tests:
            with limited_threads():
                outcome = self.outcome(test)
            yield outcome

    def outcome(self, test: Test) -> Outcome:
        number, variant = test
        study = self._study
        try:
            policy: Policy = self._policy(number)
            episodes = measure(study.subjects[number], policy, self._variants[variant], study.seeds, study.steps)
        except Exception as error:  # whatever the code of an environment raises, or a damaged policy
            text = " ".join(str(error).split())
            return Outcome(number, variant, [], f"{type(error).__name__}: {text}")
        return Outcome(number, variant, episodes)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcomes_of_processes(study: Study, tests: Sequence[Test], number: int) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")  # a fork would copy the threads of torch in any state
    with ProcessPoolExecutor(number, context, _begin_worker, (study,)) as pool:
        try:
            with _interrupts_ignored():  # by the processes that begin here, too, before they can ignore them themselves
                futures = [pool.submit(_outcome_in_worker, test) for test in tests]
            for future in as_completed(futures):
                yield future.result()
        finally:  # on Ctrl-C, the tests that have begun are waited for
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C within the block, where this thread can decide that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_WORKER: list[_Here] = []
_THREADS = ExitStack()


def _begin_worker(study: Study) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _THREADS.enter_context(limited_threads())
    _WORKER.append(_Here(study))


def _end_with_parent() -> None:
    """End this process, which would wait for tests for ever, when the one that started it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome_in_worker(test: Test) -> Outcome:
    return _WORKER[0].outcome(test)
