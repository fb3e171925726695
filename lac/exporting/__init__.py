"""Exports trained policies: as ONNX, as one C file, or for ``torch.export``. Each is verified before it is kept."""

from lac.exporting.errors import ExportError
from lac.exporting.exporter import EXPORT_FOLDER, MANIFEST, Exported, Source, export_policy
from lac.exporting.onnx_file import missing_extra

__all__ = ["EXPORT_FOLDER", "MANIFEST", "ExportError", "Exported", "Source", "export_policy", "missing_extra"]
