"""What the tests of ``--help`` share."""


def described_names(text: str) -> set[str]:
    """The first word of each line that has a meaning beside it, or on the next line, further to the right."""
    lines = text.splitlines()
    names = set()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        words = line.split()
        if words and (len(words) > 1 or _indent(following) > _indent(line)):
            names.add(words[0])
    return names


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else 0
