"""The error of an export."""


class ExportError(ValueError):
    """A policy that cannot be exported; the message is one sentence that says what to do."""
