from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from aidetect.experts import Evidence
from aidetect.panel import bar, result_panel
from aidetect.result import Result

RESULT = Result(
    path="x.wav",
    probability=0.6,
    verdict="uncertain",
    families={"compression": -0.5, "shimmer": 1.2, "vocals": None},
    features={},
    reasons=(Evidence("crest_factor", -0.5, 12.0), Evidence("lines at 4-6 kHz", 1.2, float("nan"))),
    duration=61.0,
    sample_rate=44_100,
    channels=2,
    codec="mp3",
    model_version="m",
    thresholds={"ai": 0.9, "human": 0.2},
)


def drawn(result: Result) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(result_panel(result))
    return console.export_text()


def test_a_panel_says_who_why_and_what_was_heard() -> None:
    text = drawn(RESULT)
    for words in ("uncertain", "60 %", "abstains: nobody sings", "+1.20", "lines at 4-6 kHz", "1:01 min", "44.1 kHz"):
        assert words in text


def test_uncertain_is_put_down_to_overlap_only_where_it_is_that() -> None:
    withheld = replace(RESULT, probability=0.95, warnings=("unlike anything in training",))
    assert "overlap" in drawn(RESULT)
    assert "Between 20 % and 90 %" in drawn(RESULT)
    assert "overlap" not in drawn(withheld)
    assert "unlike anything in training" in drawn(withheld)


@pytest.mark.parametrize("text", ["\x1b[2Jx", "[bold red]x", "a\udcffb"])
def test_text_of_strangers_is_shown_and_not_obeyed(text: str) -> None:
    shown = drawn(replace(RESULT, path=text, model_version=text, warnings=(text,)))
    assert "\x1b" not in shown
    assert ("[bold red]" in shown) == ("[bold red]" in text)
    shown.encode()


def test_bars_grow_with_the_evidence_and_end() -> None:
    lengths = [bar(value).plain.count("█") for value in (0.0, 0.5, 3.0, 6.0, 60.0)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 0
    assert lengths[-1] == lengths[-2] == 12
    assert bar(-3.0).plain.index("█") < bar(-3.0).plain.index("│") < bar(3.0).plain.index("█")
    assert np.isclose(bar(-3.0).plain.count("█"), bar(3.0).plain.count("█"))
