#!/usr/bin/env bash
# Makes the pictures of the README anew, and the tables in it and in docs/results.md: from the results in docs/results, and from one run with a report of stability.
set -euo pipefail
cd "$(dirname "$0")/.."
out=outputs/pictures
files=$(printf ',%s' docs/results/*.jsonl)
python scripts/report.py "runs=[${files:1}]" output=$out/report
cp $out/report/comparison.png docs/pictures/comparison.png
python scripts/train.py env=van_der_pol seed=4000 wandb.mode=disabled hydra.run.dir=$out/van_der_pol
python scripts/certify.py run_dir=$out/van_der_pol
cp $out/van_der_pol/stability/phase_portrait.png docs/pictures/stability.png
python tools/results_table.py
