"""Run folders as a report reads them, without a training."""

import json

from lac.runs.folder import FINISHED


def change_summary(folder, **changes):
    summary = json.loads((folder / "summary.json").read_text()) | changes
    (folder / "summary.json").write_text(json.dumps(summary))


def a_run(folder, seed, cost, alpha3=0.1, status=FINISHED, algo="lac", env=None, **evaluation):
    folder.mkdir(parents=True)
    named = {"name": "oscillator", "id": "x"} | (env or {})
    config = {"env": named, "algo": {"name": algo, "alpha3": alpha3}, "seed": seed}
    (folder / "config.yaml").write_text(json.dumps(config))
    rows = [
        {"env_steps": steps, "test/cost_mean": factor * cost, "test/death_rate": 0.0, "test/ep_len_mean": 400.0}
        for steps, factor in ((100, 3.0), (200, 1.0))
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    final = {"cost_mean": cost, "death_rate": 0.5, "ep_len_mean": 400.0}
    (folder / "summary.json").write_text(json.dumps({"status": status, "final": final}))
    if evaluation:
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
