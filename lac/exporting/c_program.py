"""A C file as a program: compiled as strictly as it can be, and run on observations."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.exporting.errors import ExportError

FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

_SECONDS = 120
_MAIN = """\
#include <stdio.h>

void lac_policy(const {c_type} observation[{n}], {c_type} action[{m}]);

int main(int argc, char **argv)
{{
    {c_type} observation[{n}], action[{m}];
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
    FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;

    if (in == NULL || out == NULL) {{
        return 2;
    }}
    while (fread(observation, sizeof observation, 1, in) == 1) {{
        lac_policy(observation, action);
        if (fwrite(action, sizeof action, 1, out) != 1) {{
            return 3;
        }}
    }}
    return fclose(out) == 0 ? 0 : 3;
}}
"""


def find_compiler() -> str | None:
    """The C compiler: that in the variable ``CC``, else cc, gcc or clang; None where there is none."""
    names = [*os.environ.get("CC", "").split()[:1], "cc", "gcc", "clang"]
    return next((found for name in names if (found := shutil.which(name))), None)


def run_c(compiler: str, source: str, obs: npt.NDArray[np.float64], act_dim: int, c_type: str) -> npt.NDArray[Any]:
    """The actions ``[B, act_dim]`` that a compiled C file computes from observations ``[B, obs_dim]``.

    Raises:
        ExportError: It cannot be compiled without a warning, or the program fails.
    """
    dtype = np.float64 if c_type == "double" else np.float32
    with tempfile.TemporaryDirectory(prefix="lac-export-") as name:
        folder = Path(name)
        (folder / "policy.c").write_text(source, encoding="ascii")
        main = _MAIN.format(c_type=c_type, n=obs.shape[1], m=act_dim)
        (folder / "main.c").write_text(main, encoding="ascii")
        (folder / "in").write_bytes(obs.astype(dtype).tobytes())
        program = folder / "policy.exe"
        _call([compiler, *FLAGS, "policy.c", "main.c", "-o", str(program), "-lm"], folder, "be compiled")
        _call([str(program), "in", "out"], folder, "be run")
        actions = np.frombuffer((folder / "out").read_bytes(), dtype)
    if actions.size != len(obs) * act_dim:
        raise ExportError(f"the compiled policy made {actions.size} numbers of {len(obs)} observations")
    return actions.reshape(len(obs), act_dim)


def _call(command: list[str], folder: Path, what: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"the C file cannot {what}: {error}") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:500]
        raise ExportError(f"the C file cannot {what} (exit status {done.returncode}): {said}")
