from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.terminal import bear_any_text, printable


@given(st.text())
def test_what_is_shown_can_be_written_and_steers_nothing(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()
    shown.encode("utf-8")


def test_letters_of_all_languages_stay() -> None:
    assert printable("Björk - 子守唄 [x].mp3") == "Björk - 子守唄 [x].mp3"
    assert (
        printable("\x1b[2J\n\udcff") == "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@given(st.text())
def test_a_narrow_stream_shows_plain_characters_of_the_same_length(encoding: str, text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    bear_any_text(stream)
    stream.write("██│子" + text)
    stream.flush()
    shown = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert shown.startswith("##|?")
    assert len(shown) == len(text) + 4


def test_a_stream_that_carries_everything_is_left_as_it_is() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    for kind in (stream, io.StringIO()):
        bear_any_text(kind)
    stream.write("█│·")
    stream.flush()
    assert stream.buffer.getvalue().decode() == "█│·"  # type: ignore[attr-defined]
