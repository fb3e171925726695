"""A workspace on Weights & Biases with panels for these algorithms; the only module that imports wandb-workspaces."""

from collections.abc import Callable
from typing import Any

import wandb
from wandb_workspaces import expr
from wandb_workspaces import workspaces as ws
from wandb_workspaces.reports import v2 as wr

COST, EARLY_TERMINATIONS = "test/cost_mean", "test/death_rate"


def build(env_id: str, group_by: str, project: str, entity: str | None) -> ws.Workspace:
    """The workspace of one environment, since a mean over the costs of several environments has no meaning.

    Args:
        env_id: Gymnasium id; runs on other environments are left out.
        group_by: Config key whose values are compared, such as ``algo.name``. Each gets a line, the mean of its
            runs, in a band of one standard deviation.
        project: Project of the runs.
        entity: User or team of the project; None if the workspace is written to a file only.
    """

    def lines(title: str, *metrics: str, log_y: bool = False, key: str = group_by) -> wr.LinePlot:
        return wr.LinePlot(
            title=title,
            x="env_steps",
            y=list(metrics),
            log_y=log_y or None,
            groupby=wr.Config(key),
            groupby_aggfunc="mean",
            groupby_rangefunc="stddev",
            max_runs_to_show=100,
        )

    return ws.Workspace(
        name=f"lac: {env_id}",
        entity=entity or "",
        project=project,
        auto_generate_panels=False,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in _sections(lines).items()],
        settings=ws.WorkspaceSettings(x_axis="env_steps", max_runs=100),
        runset_settings=ws.RunsetSettings(
            # W&B keeps the config key env.id as env.value.id; of the places that name one, filters alone ask for that.
            filters=expr.And(expr.Config("env.value.id") == env_id),
            groupby=[expr.Config(group_by)],
        ),
    )


def _sections(lines: Callable[..., wr.LinePlot]) -> dict[str, list[Any]]:
    """The panels of each section; ``lines`` draws a metric of the runs in groups."""
    return {
        "Control": [
            lines("Test cost", COST, log_y=True),
            lines("Early terminations", EARLY_TERMINATIONS),
            lines("Length of test episodes", "test/ep_len_mean"),
            lines("Training cost", "train/cost_mean", log_y=True),
        ],
        "Stability": [
            lines("Lyapunov multiplier labda", "train/labda"),
            lines("Drift: mean of L(s', a') - L(s, a) + alpha3 c", "train/decrease"),
            lines("Mean of L", "train/l_mean", log_y=True),
            lines("Critic loss", "train/critic_loss", log_y=True),
        ],
        "Exploration": [
            lines("Temperature alpha", "train/alpha", log_y=True),
            lines("Entropy", "train/entropy"),
            lines("Actor loss", "train/actor_loss"),
        ],
        "Learning rates": [lines(f"Learning rate of {name}", f"lr/{name}") for name in _RATES],
        "Speed": [
            lines("Environment steps per second", "time/steps_per_second"),
            lines("Updates per second", "time/updates_per_second"),
            lines("Seconds", "time/seconds"),
        ],
        "Sweep over alpha3": [
            lines("Test cost for each alpha3", COST, log_y=True, key="algo.alpha3"),
            wr.ScatterPlot(title="Final test cost", x=wr.Config("algo.alpha3"), y=wr.SummaryMetric(COST), log_y=True),
            wr.ScatterPlot(
                title="Final early terminations", x=wr.Config("algo.alpha3"), y=wr.SummaryMetric(EARLY_TERMINATIONS)
            ),
            wr.ParallelCoordinatesPlot(title="alpha3, seed, final test cost, early terminations", columns=_columns()),
        ],
    }


_RATES = ("actor", "critic", "alpha", "labda")


def _columns() -> list[wr.ParallelCoordinatesPlotColumn]:
    metrics = (
        wr.Config("algo.alpha3"),
        wr.Config("seed"),
        wr.SummaryMetric(COST),
        wr.SummaryMetric(EARLY_TERMINATIONS),
    )
    return [wr.ParallelCoordinatesPlotColumn(metric=metric) for metric in metrics]


def serialised(workspace: ws.Workspace) -> dict[str, Any]:
    """A workspace as plain data, in the form in which it is sent to W&B."""
    view = workspace._to_model()  # the library offers no public name for it
    spec: dict[str, Any] = view.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"name": workspace.name, "entity": workspace.entity, "project": workspace.project, "spec": spec}


def publish(workspace: ws.Workspace) -> str:
    """Save a workspace on W&B as a new view and return its URL; your default entity is used unless it has one."""
    if not workspace.entity:
        workspace.entity = wandb.Api().default_entity
    url: str = workspace.save().url
    return url
