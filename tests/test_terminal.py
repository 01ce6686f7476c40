from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aidetect.terminal import printable


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
