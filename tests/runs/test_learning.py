"""Learning for real; minutes, so only with ``-m slow``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1001, 1002])
def test_the_main_job_solves_the_oscillator(seed: int, tmp_path: Path) -> None:
    train = [sys.executable, "scripts/train.py", "env=oscillator", "algo.alpha3=0.1", f"seed={seed}"]
    subprocess.run([*train, f"hydra.run.dir={tmp_path}", "wandb.mode=disabled"], cwd=ROOT, timeout=300, check=True)
    subprocess.run([sys.executable, "scripts/evaluate.py", f"run_dir={tmp_path}"], cwd=ROOT, timeout=100, check=True)
    result = json.loads((tmp_path / "evaluation.json").read_text())
    # A hand-written controller has 103 +- 56 on 100 resets.
    assert result["cost_mean"] <= 130
    assert result["ep_len_mean"] == 400
    assert result["death_rate"] == 0
