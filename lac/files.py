"""Atomic writing of files, and names of files as they are shown: relative paths, words of a shell."""

import errno
import glob
import hashlib
import json
import math
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_TEMPORARY = ".tmp"
_NO_SPACE = {
    getattr(errno, "EDQUOT", errno.ENOSPC): "the disk quota is used up",
    errno.ENOSPC: "the disk is full",  # the later one counts where a system has no quotas
    errno.EFBIG: "a file would be larger than the limit (ulimit -f)",
}


def relative_to_cwd(path: Path) -> Path:
    """A path relative to the working directory if it lies below it, otherwise unchanged."""
    return relative_to(path, Path.cwd())


def relative_to(path: Path, folder: Path) -> Path:
    """A path relative to a folder if it lies below it, otherwise unchanged."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; numbers that JSON does not have (NaN, infinity) become null."""
    write_bytes(path, (json_text(content, indent=2) + "\n").encode())


def overwrite_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in the place of one that is at least as long, which takes no space on a full disk.

    Raises:
        OSError: There is no such file.
    """
    text = json_text(content).encode()
    if len(text) > path.stat().st_size:
        raise OSError(f"{path} has no room for {len(text)} bytes")
    with path.open("r+b") as stream:
        stream.write(text)
        stream.truncate()


def json_text(content: Mapping[str, Any], indent: int | None = None) -> str:
    """Strict JSON; numbers that it does not have (NaN, infinity) become null."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    """The content with None in the place of numbers that are not finite."""
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_bytes(path: Path, content: bytes, is_durable: bool = False) -> None:
    """Write a file atomically: a crash leaves either the old content or all of ``content``.

    Args:
        path: The file.
        content: Its new content.
        is_durable: Whether it also has its name when the machine loses power after this call.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_temporary_files(path.parent, glob.escape(path.name))
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        if is_durable:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str | None:
    """The hash of a file in hexadecimal digits; None where there is none that can be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def is_for_want_of_space(error: BaseException | None) -> bool:
    """Whether an error says that there is no space for a file."""
    return space_advice(error, Path()) is not None


def space_advice(error: BaseException | None, folder: Path) -> str | None:
    """What to do where an error says that there is no space for a file; None for any other error.

    Args:
        error: The error.
        folder: The folder in which there is none, as it is shown.
    """
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return f"{_NO_SPACE[error.errno]}: free space for {folder}"
    return None


def with_advice(error: BaseException, folder: Path) -> str:
    """The message of an error, with :func:`space_advice` if there is any."""
    return "; ".join(filter(None, [str(error), space_advice(error, folder)]))


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk; where a system cannot, nothing happens."""
    if os.name == "nt":  # which opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporary_files(folder: Path, name: str = "*") -> None:
    """Remove what processes have left in a folder that were killed while they wrote a file there.

    Args:
        folder: The folder.
        name: Pattern of the names of those files.
    """
    for left in folder.glob(f".{name}.*{_TEMPORARY}"):
        if not _is_alive(left.name.removesuffix(_TEMPORARY).rpartition(".")[2]):
            left.unlink(missing_ok=True)


def _is_alive(pid: str) -> bool:
    """Whether a process with this id is running; true where that cannot be found out."""
    if os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True


def shell_text(words: Iterable[str | Path]) -> str:
    """Words as one line that a shell takes apart into the same words."""
    return " ".join(_shell_word(str(word)) for word in words)


def _shell_word(word: str) -> str:
    """A word for a shell; one with control characters, which would break the line, in the notation of bash and zsh."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character.isprintable() and character not in "\\'":
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
