"""What a policy can be exported as."""

from lac.settings.policies import PolicyName
from lac.settings.rules import Choice

EXPORT_FORMATS = ("onnx", "c", "pt2")
"""The formats; each is the suffix of its files, too."""
DEFAULT_FORMAT = "c"
"""The format that needs no extra, neither to write nor to run."""
C_TYPES = ("double", "float")
"""The number types of a C file."""

EXPORT_FORMAT = Choice(EXPORT_FORMATS, optional=True)
C_TYPE = Choice(C_TYPES)
POLICY = PolicyName()
