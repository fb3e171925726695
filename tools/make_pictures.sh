#!/usr/bin/env bash
# Makes the pictures and the table of the README anew: 225 runs and a report of stability, about three hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
out=outputs/pictures
python scripts/train.py -m env=oscillator,van_der_pol,pendulum_stabilise,ducted_fan,single_track_car,ex3_ekf algo=lac,latc,sac \
    "seed=range(4000,4010)" wandb.mode=disabled hydra/launcher=joblib hydra.sweep.dir=$out/compare/ten-seeds
python scripts/train.py -m env=oscillator_complicated,cartpole_cost,two_link algo=lac,latc,sac \
    "seed=range(4000,4005)" wandb.mode=disabled hydra/launcher=joblib hydra.sweep.dir=$out/compare/five-seeds
python scripts/report.py runs=$out/compare output=$out/report
cp $out/report/comparison.png docs/pictures/comparison.png
python scripts/train.py env=van_der_pol seed=4000 wandb.mode=disabled hydra.run.dir=$out/van_der_pol
python scripts/certify.py run_dir=$out/van_der_pol
cp $out/van_der_pol/stability/phase_portrait.png docs/pictures/stability.png
