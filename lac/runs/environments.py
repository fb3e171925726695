"""The environments of a test."""

from collections.abc import Callable

from lac.envs.factory import AnyEnv
from lac.runs.folder import RunError


def at_most(number: int, make: Callable[[], AnyEnv]) -> list[AnyEnv]:
    """That many environments, or fewer where some can exist only once: episodes are the same in fewer of them.

    Raises:
        RunError: Not even the first can be built.
        ValueError: Two are the same, in which one episode would disturb the other.
    """
    envs = [make()]
    while len(envs) < number:
        try:
            envs.append(make())
        except RunError:
            break
    if len({id(env.unwrapped) for env in envs}) < len(envs):
        raise ValueError("env_fn gives the same environment more than once; it must make a new one at each call")
    return envs
