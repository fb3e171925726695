"""What a training from Python records, and where: the argument ``logger_kwargs``."""

from dataclasses import dataclass

from lac.settings.fields import Settings, setting
from lac.settings.rules import Flag, Text, Texts
from lac.settings.training import KeepSettings

_TEXT = Text(optional=True)


@dataclass(frozen=True, kw_only=True)
class CopySettings(Settings):
    """Copies of the metrics for other programs."""

    csv: bool = setting(False, Flag(), "copy metrics.jsonl to metrics.csv")
    tensorboard: bool = setting(
        False, Flag(), "copy it to tensorboard/, as events of TensorBoard (float32) over environment steps"
    )


@dataclass(frozen=True, kw_only=True)
class LoggerSettings(KeepSettings, CopySettings):
    """The entries of ``logger_kwargs``."""

    output_dir: str | None = setting(
        None, Text(is_path=True, optional=True), "run folder; null: a new one under outputs/"
    )
    exp_name: str | None = setting(None, _TEXT, "name of the run; null: that of the algorithm")
    quiet: bool = setting(False, Flag(), "print nothing on the console")
    verbose_vars: list[str] | None = setting(None, Texts(), "metrics that the console shows")
    use_wandb: bool = setting(False, Flag(), "log to Weights & Biases")
    wandb_project: str = setting("lac", Text(), "its project")
    wandb_group: str | None = setting(None, _TEXT, "group of runs there")
    wandb_job_type: str | None = setting(None, _TEXT, "type of job there")
    wandb_run_name: str | None = setting(None, _TEXT, "name of the run there; null: exp_name")
    save_checkpoints: bool = setting(False, Flag(), "keep the policy of every saved epoch")
    resume: str | None = setting(
        None,
        Text(is_path=True, optional=True),
        "run folder that goes on from its newest checkpoint, or auto: the last one interrupted in outputs/",
    )
