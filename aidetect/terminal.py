"""Text for a terminal: names and messages from strangers are shown and not obeyed."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """Replace what is no printable character, such as control sequences and bytes of a name that are no UTF-8."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
