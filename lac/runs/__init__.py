"""What a run leaves in its folder, and how it is read: ``runs.load(folder)`` and ``runs.scan(folders)``."""

from lac.runs.folder import RunError
from lac.runs.loading import Run, load
from lac.runs.records import read_records, record, write_records
from lac.runs.scanning import LeftOut, scan

__all__ = ["LeftOut", "Run", "RunError", "load", "read_records", "record", "scan", "write_records"]
