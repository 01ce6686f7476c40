"""Text for a terminal: names and messages from strangers are shown and not obeyed."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
from typing import IO, Any, TextIO

__all__ = ["bear_any_text", "hush", "printable"]

_PLAIN = {"█": "#", "│": "|", "·": "-", "–": "-", "—": "-", "’": "'"}  # noqa: RUF001 - what panels are drawn with
_ERRORS = "aidetect.plain"


def printable(text: str) -> str:
    """Replace what is no printable character, such as control sequences and bytes of a name that are no UTF-8."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def bear_any_text(stream: TextIO) -> None:
    """Let a stream of a narrow encoding, such as cp1252, show plain characters for those that it cannot carry."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_ERRORS)


def hush(stream: IO[Any]) -> None:
    """Let what waits in the buffer of an output go nowhere, so that Python has nothing to say about it at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _plainly)
