"""What can be set: type, default, allowed values and meaning, in one place."""
