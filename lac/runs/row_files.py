"""The transitions of a replay buffer on disk: files that only grow, which all checkpoints share.

A checkpoint names the files, how many rows of each are its own, and their checksums. The next one appends what was
stored since, so its cost does not depend on the size of the buffer, and what an older one names stays as it was.
"""

import hashlib
import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lac.buffers import ReplayBuffer
from lac.files import sync_folder
from lac.runs.state_file import DamagedError

_BYTES_OF_FILE = 2**24
_FLOAT = np.dtype("<f4")
_PREFIX, _SUFFIX = "rows-", ".f32"
_BLOCK = 2**20

Rows = npt.NDArray[np.float32]


class RowFiles:
    """The files of rows in a folder.

    Args:
        folder: The folder.
        description: What :meth:`append` returned for the checkpoint from which to continue; None begins.

    Raises:
        DamagedError: Rows that the description names are missing or changed.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any] | None = None) -> None:
        self._folder = folder
        self._files: list[dict[str, int | str]] = [dict(file) for file in (description or {"files": []})["files"]]
        self._digest = hashlib.sha256()
        self._width = description["width"] if description else 0
        for file in self._files:
            self._digest = self._checked(file)

    def append(self, buffer: ReplayBuffer) -> dict[str, Any]:
        """Append what a buffer has stored since the last call; returns the description of all that it holds.

        Raises:
            OSError: It cannot be written; the files before this call are as good as ever.
        """
        parts = buffer.rows_from(max(self._end(), buffer.oldest))
        if self._end() < buffer.oldest:  # what lies between was overwritten in the buffer
            self._begin_file(buffer.oldest)
        for part in parts:
            self._width = part.shape[1]
            per_file = max(1, _BYTES_OF_FILE // (_FLOAT.itemsize * self._width))
            start = 0
            while start < len(part):
                room = per_file - int(self._files[-1]["rows"]) if self._files else 0
                if room == 0:
                    self._begin_file(self._end())
                    room = per_file
                self._write(part[start : start + room])
                start += room
        self._files = [file for file in self._files if _end(file) > buffer.oldest]
        return {"width": self._width, "oldest": buffer.oldest, "files": [dict(file) for file in self._files]}

    def rows(self, oldest: int) -> list[Rows]:
        """The rows from the number ``oldest`` on, ``[n, columns]`` each; read from disk when they are used."""
        found = []
        for file in self._files:
            shape = (int(file["rows"]), self._width)
            rows = np.memmap(self._path(file), _FLOAT, "r", shape=shape)
            found.append(rows[max(0, oldest - int(file["first"])) :])
        return found

    def remove_before(self, oldest: int) -> None:
        """Remove the files that hold only rows with lower numbers than ``oldest``, or none that is known here."""
        starts = sorted(int(path.stem.removeprefix(_PREFIX)) for path in self._folder.glob(f"{_PREFIX}*{_SUFFIX}"))
        for start, following in pairwise([*starts, self._end() + 1]):
            if following <= oldest or start > self._end():
                self._path({"first": start}).unlink(missing_ok=True)

    def _end(self) -> int:
        return _end(self._files[-1]) if self._files else 0

    def _begin_file(self, first: int) -> None:
        self._files.append({"first": first, "rows": 0, "sha256": ""})
        self._digest = hashlib.sha256()

    def _write(self, rows: Rows) -> None:
        file, content = self._files[-1], np.ascontiguousarray(rows, _FLOAT).tobytes()
        path = self._path(file)
        is_new = not path.exists()
        with path.open("w+b" if is_new else "r+b") as stream:
            stream.seek(int(file["rows"]) * self._width * _FLOAT.itemsize)
            stream.write(content)
            stream.truncate()  # a process that was killed may have left more
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            sync_folder(self._folder)
        self._digest.update(content)
        file["rows"], file["sha256"] = int(file["rows"]) + len(rows), self._digest.hexdigest()

    def _checked(self, file: Mapping[str, Any]) -> "hashlib._Hash":
        """The running checksum of a file.

        Raises:
            DamagedError: It is not that of the description.
        """
        path, left = self._path(file), file["rows"] * self._width * _FLOAT.itemsize
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                while left and (block := stream.read(min(left, _BLOCK))):
                    digest.update(block)
                    left -= len(block)
        except OSError as error:
            raise DamagedError(f"{path.name} cannot be read: {error.strerror}") from error
        if left:
            raise DamagedError(f"{path.name} is torn: {left} bytes are missing")
        if digest.hexdigest() != file["sha256"]:
            raise DamagedError(f"{path.name} is damaged: its checksum differs")
        return digest

    def _path(self, file: Mapping[str, Any]) -> Path:
        return self._folder / f"{_PREFIX}{int(file['first']):012d}{_SUFFIX}"


def _end(file: Mapping[str, Any]) -> int:
    return int(file["first"]) + int(file["rows"])
