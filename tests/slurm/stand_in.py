#!/usr/bin/env python3
"""What submitit needs of Slurm, without Slurm: ``sbatch``, ``srun``, ``sacct``, ``scancel``, by the name of this file.

Jobs start at once on this machine; the folder of this file keeps their process numbers and states.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.argv[0]).parent


def sbatch(script: str) -> None:
    """Start a job for each element of the array."""
    lines = re.findall(r"^#SBATCH --([\w-]+)=(.*)$", Path(script).read_text(), re.MULTILINE)
    options = {name: shlex.split(value)[0] for name, value in lines}
    number = str(100 + len(list(FOLDER.glob("*.job"))))
    (FOLDER / f"{number}.job").touch()
    elements = [str(i) for i in indices(options["array"])] if "array" in options else [None]
    for element in elements:
        name = number if element is None else f"{number}_{element}"
        output = options["output"].replace("%A_%a", name).replace("%j", name)
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        environment = {"SLURM_JOB_ID": name, "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"}
        environment |= {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here", "JOB_NAME": name}
        if element is not None:
            environment |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": element}
        state = FOLDER / f"{name}.state"
        with Path(output).open("a") as log:
            job = subprocess.Popen(
                ["sh", "-c", 'bash "$1"; echo $? >"$2"', "sh", script, str(state)],
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (FOLDER / f"{name}.pid").write_text(str(job.pid))
    print(f"Submitted batch job {number}")


def indices(array: str) -> range:
    """The elements of ``0-3%4``."""
    first, last = array.partition("%")[0].split("-")
    return range(int(first), int(last) + 1)


def srun(*arguments: str) -> None:
    """Run a command as this process, with its output in the file that it names."""
    words = list(arguments)
    while words[0].startswith("--"):
        if words.pop(0) == "--output":
            file = words.pop(0).replace("%A_%a", os.environ["JOB_NAME"]).replace("%j", os.environ["JOB_NAME"])
            log = os.open(file.replace("%t", "0"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
    os.execvp(words[0], words)


def sacct(*_arguments: str) -> None:
    """Print the states of all jobs."""
    print("JobID|State|NodeList")
    for file in FOLDER.glob("*.pid"):
        state = file.with_suffix(".state")
        end = state.read_text().strip() if state.exists() else ""
        print(f"{file.stem}|{'RUNNING' if not end else 'COMPLETED' if end == '0' else 'FAILED'}|here")


def scancel(number: str) -> None:
    """Ask the processes of a job to end."""
    for file in FOLDER.glob(f"{number}*.pid"):
        os.killpg(int(file.read_text()), signal.SIGTERM)


{"sbatch": sbatch, "srun": srun, "sacct": sacct, "scancel": scancel}[Path(sys.argv[0]).name](*sys.argv[1:])
