"""Environment variables in configs, ``${oc.env:NAME}``: resolved only where the user has typed the name.

A config is a file that others may have written, and its resolved values go to the run folder and to W&B, where a
password in a variable must not get to. The command line is the user's own.
"""

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError
from omegaconf.resolvers import oc


def resolve_typed_variables_only(arguments: Sequence[str]) -> None:
    """Let ``oc.env`` resolve the variables that a command line names, and no others, from now on in this process."""
    typed = {name for text in arguments for name in re.findall(r"oc\.env:\s*[\"']?(\w+)", text)}

    def variable(name: str, *default: Any) -> str | None:
        if name not in typed:
            raise InterpolationResolutionError(
                f"a config file asks for the environment variable {name}, which is taken from the command line only; "
                f"write the value into the file, or type KEY='${{oc.env:{name}}}'"
            )
        return oc.env(name, *default)

    OmegaConf.register_new_resolver("oc.env", variable, replace=True)
