"""What a run leaves in its folder, and how it is read: ``runs.load(folder)`` and ``runs.scan(folders)``."""

from lac.runs.folder import RunError
from lac.runs.loading import Run, load
from lac.runs.scanning import LeftOut, scan

__all__ = ["LeftOut", "Run", "RunError", "load", "scan"]
