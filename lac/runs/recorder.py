"""Records a run: its folder, its status, its policies, and the loggers of its metrics."""

import math
import signal
import time
import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from lac.agents import Agent
from lac.evaluation.final_tests import FinalTests
from lac.evaluation.ranking import is_better
from lac.evaluation.yardsticks import DesignedTests
from lac.figures import learning_curve
from lac.files import is_for_want_of_space, overwrite_json, relative_to, shell_text, with_advice, write_json
from lac.loggers.console import ConsoleLogger
from lac.loggers.jsonl import read_metrics
from lac.loggers.metrics_files import MetricsFiles
from lac.loggers.wandb import WandbLogger
from lac.runs.checkpoints import Checkpoints
from lac.runs.ending import TRANSITION, HeldSignals, Interruption, add_notes, held_signals, run_steps, status_after
from lac.runs.exporting import export_run
from lac.runs.final_results import add_final_tests, add_yardstick, raise_if_removed
from lac.runs.folder import (
    FAILED,
    FINISHED,
    FROM_PYTHON,
    INTERRUPTED,
    LOG,
    METRICS,
    PICTURE,
    PRUNED,
    RUNNING,
    SUMMARY,
    UNMADE,
    RunError,
    claimed_folder,
    has_checkpoint,
    locked_run,
)
from lac.runs.forecast import Forecast
from lac.runs.provenance import provenance
from lac.runs.record_settings import RecordSettings
from lac.runs.results import flat, report_of
from lac.runs.resuming import Resumption
from lac.runs.saved_policies import SavedPolicies
from lac.runs.texts import conclusion, introduction
from lac.settings.training import LoopSettings
from lac.training.calling import CallbackError
from lac.training.plan import TrainingPlan
from lac.training.recording import Metrics, Training
from lac.training.stopping import Stop, StopKind

_KEPT = ("started", "final", "best", "warnings")
"""The parts of a summary with which a run goes on; the others are those of the process."""


class RunRecorder:
    """Records one run; a context manager, which records how the run ended.

    Args:
        settings: What is recorded, and where.
        resumption: What the run continues from; None begins one.
        deviations: Sentences about why it does not continue with the same bits.

    Raises:
        FileExistsError: The run folder already contains a run, or another process is writing one.
    """

    def __init__(
        self, settings: RecordSettings, resumption: Resumption | None = None, deviations: Sequence[str] = ()
    ) -> None:
        self._settings, self._resumption, self._deviations = settings, resumption, deviations
        self._dir = settings.run_dir.absolute()  # environments may change the working directory
        self._lock = claimed_folder(self._dir) if resumption is None else locked_run(self._dir)
        record = {} if resumption is None else resumption.record
        self._console = ConsoleLogger(self._dir / LOG, settings.quiet, settings.columns)
        wandb_id = None if resumption is None else resumption.wandb_id
        self._wandb = WandbLogger(settings.wandb, self._dir, settings.config, self._console.warn, wandb_id)
        repaired = None if resumption is None else resumption.restore_metrics()
        self._metrics = MetricsFiles(self._dir / METRICS, record.get("metrics_bytes", 0), settings.copies)
        checkpoint = None if resumption is None else resumption.checkpoint
        self._checkpoints = Checkpoints(self._dir, settings.keep_checkpoints, settings.checkpoint_seconds, checkpoint)
        self._policies = SavedPolicies(self._dir, settings)
        self._interruption = Interruption()
        self._agent: Agent | None = None
        self._forecast: Forecast | None = None
        self._picture: Path | None = None
        self._stop: Stop | None = None
        self._started = time.time() - record.get("seconds", 0.0)
        self._summary: dict[str, Any] = {
            "status": RUNNING,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            **record.get("summary", {}),
        }
        if repaired is not None:
            self.warn(repaired)

    def __enter__(self) -> Self:
        return self

    def start(self, agent: Agent, plan: TrainingPlan, engine: str) -> None:
        """Record the start of the training."""
        self._agent, self._forecast = agent, Forecast(plan.loop)
        self._policies.begin(plan.loop, 0 if self._resumption is None else self._resumption.env_steps)
        self._wandb.start()
        self._summary |= {"seed": plan.seed, "wandb": self._wandb.description, **provenance()}
        if self._settings.is_from_python:
            self._summary |= {FROM_PYTHON: True, UNMADE: self._settings.unmade_environment}
        if self._resumption is not None:
            self._resume(self._resumption)
        self._write_summary()
        places = {"results": str(self._shown(self._dir)), "W&B": f"{self._wandb.mode} ({self._wandb.reason})"}
        if self._settings.unused:
            places["unused:"] = "; ".join(self._settings.unused)
        self._console.info("\n".join(introduction(self._settings.title, agent, plan, engine, places)))
        if self._resumption is not None:
            self._say_from_where(self._resumption)
        self._console.start(plan.loop.total_steps)
        self._interruption.begin()

    def _resume(self, resumption: Resumption) -> None:
        """Bring what lies beside the checkpoint to its state."""
        resumption.restore_best_policy()
        for row in read_metrics(self._dir / METRICS):  # W&B leaves out what it has
            self._wandb.log({name: math.nan if value is None else value for name, value in row.items()})
        entry = resumption.entry(self._deviations)
        self._summary["resumptions"] = [*resumption.summary.get("resumptions", []), entry]

    def _say_from_where(self, resumption: Resumption) -> None:
        self._console.info("\n".join(resumption.lines))
        for deviation in self._summary["resumptions"][-1]["deviations"]:
            self.warn(f"the run does not continue with the same bits: {deviation}")

    def warn(self, text: str) -> None:
        """Print a warning, and repeat it at the end and in the summary: the epochs between may be many."""
        self._console.warn(text)
        if text not in self._summary.setdefault("warnings", []):  # a run that continues may give it again
            self._summary["warnings"].append(text)

    def progress(self, env_steps: int, values: Mapping[str, float]) -> None:
        """Show that the run has reached ``env_steps``."""
        self._console.progress(env_steps, values)

    def epoch(self, metrics: Metrics, agent: Agent) -> Stop | None:
        """Record an epoch; returns the reason if the run has to end now.

        Raises:
            FileNotFoundError: The run folder has been removed.
        """
        raise_if_removed(self._dir)
        self._metrics.log(metrics)
        self._wandb.log(metrics)
        self._console.log(metrics)
        left = self._forecast.after(metrics) if self._forecast is not None else None
        if left is not None:
            self._console.info(left)
        report = self._summary["final"] = report_of(metrics)
        if "cost_mean" in report and is_better(report, self._summary.get("best")):
            self._summary["best"] = report
            self._policies.save_best(agent)
        self._policies.save_of_epoch(agent, int(metrics["epoch"]))
        self._write_summary()
        if self._settings.should_prune is not None and self._settings.should_prune(report):
            self._stop = Stop(StopKind.PRUNED)
        return self._stop

    def between_steps(self, training: Training) -> None:
        """Write a checkpoint if one is due, if the training is complete, or if a signal asks the process to end."""
        is_last = training.is_complete
        if not (is_last or self._interruption.is_pending or self._checkpoints.is_due):
            return
        try:
            self._checkpoints.write(training, self._record)
        except CallbackError:
            raise
        except Exception as error:  # a full disk, or a user's module with a state that cannot be written
            reason = with_advice(error, self._shown(self._dir))
            self.warn(f"a checkpoint could not be written ({reason}); the run goes on without it")
        if is_last:
            self._interruption.end_and_deliver()  # the tests that follow can be done again
        elif self._interruption.is_pending:
            self._interruption.deliver()

    def _record(self) -> dict[str, Any]:
        """The state of what this object records, for a checkpoint."""
        self._metrics.sync()
        self._policies.sync()
        return {
            "summary": {name: self._summary[name] for name in _KEPT if name in self._summary},
            "seconds": time.time() - self._started,
            "metrics_bytes": self._metrics.position,
            "metrics": np.frombuffer(zlib.compress(self._metrics.content, level=1), np.uint8),
            "best_policy": self._policies.best_bytes() if "best" in self._summary else None,
            "wandb": {"id": self._wandb.description["id"], "labels": asdict(self._settings.wandb)},
        }

    def stopped(self, reason: str, loop: LoopSettings) -> None:
        """Record why the training has stopped early, and with which settings."""
        self._summary["stopped"] = {"reason": reason, "stop_below": loop.stop_below, "patience": loop.patience}

    def trained(
        self, agent: Agent, test: Callable[[bool], FinalTests], yardstick: Callable[[], DesignedTests | None]
    ) -> None:
        """Test the final and the best policy and the designed controller; the agent stays as it is."""
        self._console.begin("testing the final policy")
        for warning in add_final_tests(self._summary, self._dir, self._policies, agent, test):
            self.warn(warning)
        for warning in add_yardstick(self._summary, yardstick):
            self.warn(warning)

    @property
    def final(self) -> dict[str, float]:
        """The report of the last epoch; without costs if there were no test episodes."""
        return dict(self._summary.get("final", {}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pending = self._interruption.end()
        with held_signals(is_ending=status_after(error) == INTERRUPTED) as held:
            if pending is not None:
                signal.raise_signal(pending)
            status = PRUNED if error is None and self._stop is not None else status_after(error)
            self._summary |= {"status": status, "wall_time": round(time.time() - self._started, 2)}
            if error is not None and status == FAILED:
                self._summary["error"] = "".join(traceback.format_exception(error))
                self._summary["had_no_space"] = is_for_want_of_space(error)
            shown = self._shown(self._dir)
            steps: dict[str, Callable[[], object]] = {
                "the summary": self._write_end,
                "the progress bar": self._console.stop,
                "what to do": lambda: add_notes(error, self._dir, shown, self._settings.to_continue),
                "the policy": lambda: self._save_last(error),
                "the export": self._export,
                "the file of metrics": self._metrics.close,
                "the picture": self._draw,
                "W&B": lambda: self._finish_wandb(held),
                "the summary with W&B's address": self._write_end,
                "the conclusion": self._conclude,
                "the log": self._console.close,
                "the lock": self._lock.release,
            }
            run_steps(steps, self._console.warn)

    def _write_summary(self) -> None:
        write_json(self._dir / SUMMARY, self._summary)

    def _write_end(self) -> None:
        """Write the summary, on a full disk in the place of the last one: nothing else shows how the run ended."""
        if self._agent is None and (self._resumption is not None or self._summary["status"] == INTERRUPTED):
            return  # nothing has begun: what was there before stays as it was
        try:
            self._write_summary()
        except OSError:
            last_line = self._summary.get("error", "").strip().rpartition("\n")[2]
            overwrite_json(self._dir / SUMMARY, self._summary | ({"error": last_line} if last_line else {}))

    def _save_last(self, error: BaseException | None) -> None:
        if self._agent is not None:
            self._policies.save_final(self._agent, error)

    def _export(self) -> None:
        """Export the final policy of a finished run; one that fails is a warning, since the policy itself is saved."""
        if not (self._settings.export and self._summary["status"] == FINISHED):
            return
        try:
            exported = export_run(self._dir)
        except RunError as error:
            self.warn(f"the export failed: {error}")
            return
        self._console.info(f"exported {self._shown(exported.file)}")
        if exported.note is not None:
            self._console.info(f"  note       {exported.note}")

    def _draw(self) -> None:
        rows = read_metrics(self._dir / METRICS)
        if rows:
            learning_curve(rows, self._dir / PICTURE, self._settings.title, self._summary)
            self._picture = self._dir / PICTURE

    def _finish_wandb(self, held: HeldSignals) -> None:
        is_success = self._summary["status"] in {FINISHED, PRUNED}
        policies, exit_code = self._dir / "policy", 0 if is_success else 1
        self._wandb.finish(flat(self._summary), self._picture, policies, exit_code, held.is_impatient)
        self._summary["wandb"] = self._wandb.description

    def _conclude(self) -> None:
        self._console.info("\n".join(self._conclusion()))
        if "error" in self._summary:
            self._console.debug(self._summary["error"])

    def _shown(self, path: Path) -> Path:
        """A path as it is shown: relative to the folder in which the command was typed, if it lies below it."""
        return relative_to(path, self._settings.start_dir)

    def _conclusion(self) -> list[str]:
        status, found = self._summary["status"], {"transition": self._dir / TRANSITION, "picture": self._picture}
        files = {name: str(self._shown(path)) for name, path in found.items() if path is not None and path.exists()}
        next_steps = list(self._settings.next_steps) if status == FINISHED else []
        if status == FINISHED and self._wandb.offline_folder is not None:
            next_steps.append(shell_text(["wandb", "sync", self._shown(self._wandb.offline_folder)]))
        if status == INTERRUPTED and self._settings.to_continue and has_checkpoint(self._dir):
            next_steps.append(self._settings.to_continue)
        return conclusion(self._summary, files, next_steps)
