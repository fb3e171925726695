"""Records a run: its folder, its status, its policies, and the loggers of its metrics."""

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from lac.agents import Agent
from lac.agents.policy_files import BEST, FINAL, policy_path
from lac.envs.checks import OffendingTransitionError
from lac.evaluation.final_tests import FinalTests
from lac.figures import learning_curve
from lac.files import overwrite_json, relative_to, shell_text, write_bytes, write_json
from lac.loggers.console import ConsoleLogger
from lac.loggers.jsonl import JsonlLogger, read_metrics
from lac.loggers.wandb import WandbLogger, WandbSettings
from lac.runs.ending import HeldSignals, held_signals, run_steps
from lac.runs.exporting import export_run
from lac.runs.folder import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    LOG,
    METRICS,
    PICTURE,
    PRUNED,
    RUNNING,
    SUMMARY,
    RunError,
    claimed_folder,
)
from lac.runs.forecast import Forecast
from lac.runs.provenance import provenance
from lac.runs.results import TITLES, acting_as, figures, flat, is_better, planned_tests
from lac.training.divergence import DivergenceError, has_finite_weights
from lac.training.plan import TrainingPlan
from lac.training.stopping import Stop, StopKind
from lac.training.trainer import Metrics

TRANSITION = "offending_transition.json"

_REPORTED = ("epoch", "env_steps", "updates", "test/cost_mean", "test/cost_std", "test/ep_len_mean", "test/death_rate")
_SETTLING = ("test/settled", "test/settling_steps")


@dataclass(frozen=True)
class RecordSettings:
    """What is recorded of a run, and where.

    Attributes:
        run_dir: The run folder; it must not contain a run yet.
        title: Name of the run in summaries and figures.
        config: The resolved configuration, for W&B.
        save_freq: Number of epochs between two saved policies.
        keep_policies: Whether to keep each saved policy under the name of its epoch.
        quiet: Whether to print nothing on the console.
        columns: Metrics of the console's table; None selects the default columns.
        unused: Settings that have no effect, each with the reason; printed at the start.
        next_steps: Commands that are printed at the end.
        wandb: Mode, project and labels on Weights & Biases.
        start_dir: Paths are shown relative to this folder.
        should_prune: Called with the report of each epoch; true ends the run as pruned.
        export: Whether to export the final policy when the run has finished.
    """

    run_dir: Path
    title: str
    config: Mapping[str, Any] = field(default_factory=dict)
    save_freq: int = 1
    keep_policies: bool = False
    quiet: bool = False
    columns: Sequence[str] | None = None
    unused: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    wandb: WandbSettings = field(default_factory=WandbSettings)
    start_dir: Path = field(default_factory=Path.cwd)
    should_prune: Callable[[Mapping[str, float]], bool] | None = None
    export: bool = False


class RunRecorder:
    """Records one run; a context manager, which records how the run ended.

    Raises:
        FileExistsError: The run folder already contains a run, or another process is writing one.
    """

    def __init__(self, settings: RecordSettings) -> None:
        self._settings = settings
        self._dir = settings.run_dir.absolute()  # environments may change the working directory
        self._lock = claimed_folder(self._dir)
        self._console = ConsoleLogger(self._dir / LOG, settings.quiet, settings.columns)
        self._wandb = WandbLogger(settings.wandb, self._dir, settings.config, self._console.warn)
        self._metrics = JsonlLogger(self._dir / METRICS)
        self._agent: Agent | None = None
        self._forecast: Forecast | None = None
        self._picture: Path | None = None
        self._stop: Stop | None = None
        self._started = time.time()
        self._summary: dict[str, Any] = {
            "status": RUNNING,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def __enter__(self) -> Self:
        return self

    def start(self, agent: Agent, plan: TrainingPlan, engine: str) -> None:
        """Record the start of the training."""
        self._agent, self._forecast = agent, Forecast(plan.loop)
        self._wandb.start()
        self._summary |= {"seed": plan.seed, "wandb": self._wandb.description, **provenance()}
        self._write_summary()
        self._console.info(self._introduction(agent, plan, engine))
        self._console.start(plan.loop.total_steps)

    def warn(self, text: str) -> None:
        """Print a warning, and repeat it at the end and in the summary: the epochs between may be many."""
        self._console.warn(text)
        self._summary.setdefault("warnings", []).append(text)

    def progress(self, env_steps: int, values: Mapping[str, float]) -> None:
        """Show that the run has reached ``env_steps``."""
        self._console.progress(env_steps, values)

    def epoch(self, metrics: Metrics, agent: Agent) -> Stop | None:
        """Record an epoch; returns the reason if the run has to end now.

        Raises:
            FileNotFoundError: The run folder has been removed.
        """
        self._raise_if_removed()
        self._metrics.log(metrics)
        self._wandb.log(metrics)
        self._console.log(metrics)
        left = self._forecast.after(metrics) if self._forecast is not None else None
        if left is not None:
            self._console.info(left)
        report = {name.removeprefix("test/"): metrics[name] for name in (*_REPORTED, *_SETTLING) if name in metrics}
        self._summary["final"] = report
        if "cost_mean" in report and is_better(report, self._summary.get("best")):
            self._summary["best"] = report
            agent.save(policy_path(self._dir, BEST))
        epoch = int(metrics["epoch"])
        if epoch % self._settings.save_freq == 0:
            agent.save(policy_path(self._dir, FINAL))
            if self._settings.keep_policies:
                agent.save(policy_path(self._dir, f"epoch-{epoch:04d}"))
        self._write_summary()
        if self._settings.should_prune is not None and self._settings.should_prune(report):
            self._stop = Stop(StopKind.PRUNED)
        return self._stop

    def trained(self, agent: Agent, test: Callable[[bool], FinalTests]) -> None:
        """Test the final and the best policy on many resets, and the final one for longer; the agent stays as it is."""
        self._raise_if_removed()
        self._console.begin("testing the final policy")
        self._summary["final"] |= (tests := test(True)).usual
        if tests.long_failure is None:
            self._summary["final_long"] = tests.long
        else:
            self.warn(tests.long_failure)
        self._raise_if_removed()
        final, best = self._summary["final"], self._summary["best"]
        if best["epoch"] != final["epoch"]:
            with acting_as(agent, policy_path(self._dir, BEST)):
                best |= test(False).usual
        if best["epoch"] == final["epoch"] or is_better(final, best):  # few resets had flattered the other one
            self._summary["best"] = dict(final)
            agent.save(policy_path(self._dir, BEST))

    def _raise_if_removed(self) -> None:
        if not (self._dir / METRICS).exists():
            raise FileNotFoundError(f"{self._dir} was removed while the run was writing to it")

    @property
    def final(self) -> dict[str, float]:
        """The report of the last epoch; without costs if there were no test episodes."""
        return dict(self._summary.get("final", {}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with held_signals(is_ending=_status(error) == INTERRUPTED) as held:
            status = PRUNED if error is None and self._stop is not None else _status(error)
            self._summary |= {"status": status, "wall_time": round(time.time() - self._started, 2)}
            if error is not None and status == FAILED:
                self._summary["error"] = "".join(traceback.format_exception(error))
            steps: dict[str, Callable[[], object]] = {
                "the summary": self._write_end,
                "the progress bar": self._console.stop,
                "the offending transition": lambda: self._write_transition(error),
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
        try:
            self._write_summary()
        except OSError:
            last_line = self._summary.get("error", "").strip().rpartition("\n")[2]
            overwrite_json(self._dir / SUMMARY, self._summary | ({"error": last_line} if last_line else {}))

    def _write_transition(self, error: BaseException | None) -> None:
        if isinstance(error, OffendingTransitionError):
            # With NaN and Infinity where they are, in the notation of Python's json.
            write_bytes(self._dir / TRANSITION, json.dumps(error.transition, indent=2).encode())
            error.add_note(f"The transition is in {self._shown(self._dir / TRANSITION)}")

    def _save_last(self, error: BaseException | None) -> None:
        """Save the policy, unless it has diverged: it must not replace the last good one."""
        if self._agent is not None and not isinstance(error, DivergenceError) and has_finite_weights(self._agent):
            self._agent.save(policy_path(self._dir, FINAL))

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
            learning_curve(rows, self._dir / PICTURE, self._settings.title, self._summary.get("final"))
            self._picture = self._dir / PICTURE

    def _finish_wandb(self, held: HeldSignals) -> None:
        is_success = self._summary["status"] in {FINISHED, PRUNED}
        policies, exit_code = self._dir / "policy", 0 if is_success else 1
        self._wandb.finish(flat(self._summary), self._picture, policies, exit_code, held.is_impatient)
        self._summary["wandb"] = self._wandb.description

    def _conclude(self) -> None:
        self._console.info(self._conclusion())
        if "error" in self._summary:
            self._console.debug(self._summary["error"])

    def _shown(self, path: Path) -> Path:
        """A path as it is shown: relative to the folder in which the command was typed, if it lies below it."""
        return relative_to(path, self._settings.start_dir)

    def _introduction(self, agent: Agent, plan: TrainingPlan, engine: str) -> str:
        loop, horizon_length = plan.loop, plan.algorithm.horizon
        n_weights = sum(p.numel() for p in agent.ac.parameters())
        threads = torch.get_num_threads()
        plural = "s" if threads > 1 else ""
        members = f"{plan.num_envs} environments; " if plan.num_envs > 1 else ""
        horizon = f"horizon {horizon_length}" if horizon_length else "infinite horizon"
        lines = [
            f"{self._settings.title}  (lac {version('lac')})",
            f"  networks   {n_weights} weights on {agent.device} ({engine}), {threads} thread{plural}",
            f"  training   {loop.epochs} epochs of {loop.steps_per_epoch} steps; "
            f"{loop.steps_per_update} updates of batch {loop.batch_size} every {loop.update_every} steps "
            f"from step {loop.update_after} on; {members}{horizon}; seed {plan.seed}",
            f"  budget     {loop.total_steps} steps, {loop.total_updates} updates; how long is said after the first",
            *(f"  tests      {sentence}" for sentence in planned_tests(loop)),
            f"  results    {self._shown(self._dir)}",
            f"  W&B        {self._wandb.mode} ({self._wandb.reason})",
        ]
        if loop.update_after > loop.total_steps:
            lines.append(f"  note       the agent is not updated: the run ends before update_after={loop.update_after}")
        if self._settings.unused:
            lines.append(f"  unused:    {'; '.join(self._settings.unused)}")
        return "\n".join(lines)

    def _conclusion(self) -> str:
        status = self._summary["status"]
        lines = [f"{status} after {self._summary['wall_time']:.1f} s"]
        if status == FAILED:
            lines.append(f"  error      {self._summary['error'].strip().splitlines()[-1]}")
        if (self._dir / TRANSITION).exists():
            lines.append(f"  transition {self._shown(self._dir / TRANSITION)}")
        for name in TITLES:
            report = self._summary.get(name, {})
            if "cost_mean" in report:
                lines.append(f"  {TITLES[name]:<10} {figures(report)}")
        lines += [f"  warning    {text}" for text in self._summary.get("warnings", ())]
        if self._picture is not None:
            lines.append(f"  picture    {self._shown(self._picture)}")
        next_steps = list(self._settings.next_steps)
        if self._wandb.offline_folder is not None:
            next_steps.append(shell_text(["wandb", "sync", self._shown(self._wandb.offline_folder)]))
        if status == FINISHED and next_steps:
            lines += ["next:", *(f"  {command}" for command in next_steps)]
        return "\n".join(lines)


def _status(error: BaseException | None) -> str:
    return FINISHED if error is None else FAILED if isinstance(error, Exception) else INTERRUPTED
