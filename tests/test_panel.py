from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from aidetect.evaluation import Evaluation
from aidetect.experts import Evidence
from aidetect.panel import bar, evaluation_tables, result_panel
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
    start=-0.75,
    error_rates={"false_positives": 0.006, "false_positives_high": 0.0144, "missed": 0.044, "missed_high": 0.061},
)


def drawn(result: Result) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(result_panel(result))
    return console.export_text()


def said(result: Result) -> str:
    """The words of a panel without lines and breaks."""
    return " ".join(drawn(result).replace("│", " ").split())


def test_a_panel_says_who_why_and_what_was_heard() -> None:
    text = drawn(RESULT)
    for words in ("uncertain", "60 %", "no singing was found", "+1.20", "lines at 4-6 kHz", "1:01 min", "44.1 kHz"):
        assert words in text
    assert "compared with a typical track" in text


def test_evidence_starts_from_what_is_said_before_it() -> None:
    rows = [line for line in drawn(RESULT).splitlines() if line.count("│") == 3]
    names = [row.split("│")[1].strip().split("  ")[0] for row in rows]
    assert names == ["before any evidence", "compression", "shimmer"]
    assert "-0.75" in rows[0]
    assert len({row.index("│", 1) for row in rows}) == 1  # one line down the middle


def test_a_family_without_weight_is_told_to_count_for_nothing() -> None:
    text = said(replace(RESULT, families={"compression": -0.5, "shimmer": 1.2, "vocals": 0.0}))
    assert "vocals measured, not counted" in text
    assert "+0.00" not in text


def test_a_verdict_says_how_often_it_is_wrong() -> None:
    ai, human = (replace(RESULT, verdict=verdict) for verdict in ("ai", "human"))
    assert "no proof: of people's tracks of this length about 0.6 % (perhaps up to 1.4 %) get this verdict" in said(ai)
    assert "no proof: of AI tracks of this length about 4.4 % (perhaps up to 6.1 %) get this verdict" in said(human)
    older = replace(human, error_rates={"missed": 0.044})
    assert "no proof: of AI tracks of this length about 4.4 % get this verdict" in said(older)
    none = replace(ai, error_rates={"false_positives": 0.0, "false_positives_high": 0.005})
    assert "of this length none (perhaps up to 0.5 %)" in said(none)
    own = replace(ai, error_rates={"false_positives": 0.02, "false_positives_high": 0.02})
    assert "like those of the recalibration up to 2.0 %" in said(own)  # by a model of an older version
    for verdict in ("ai", "human"):
        assert "This is statistical evidence, no proof. See README." in said(
            replace(RESULT, verdict=verdict, error_rates={})
        )


def test_a_recalibrated_model_tells_whether_it_measured_this_length() -> None:
    measured = {"false_positives": 0.0066, "false_positives_high": 0.0243, "bound": 0.01, "missed": 0.044}
    tuned = replace(RESULT, verdict="ai", model_version="aidetect-7+recalibrated")
    assert (
        "of people's tracks like those of the recalibration and of this length about 0.7 % (perhaps up to 2.4 %) get it"
    ) in said(replace(tuned, error_rates=measured))
    assert (
        "sources that the model never saw, before the recalibration, which had too few tracks of this length. See"
    ) in said(tuned)
    assert "recalibration" not in said(replace(RESULT, verdict="ai"))


def test_rates_from_before_an_addition_are_told_to_be_so() -> None:
    taught = replace(RESULT, model_version="aidetect-9+one+two")
    for verdict in ("ai", "human"):
        words = said(replace(taught, verdict=verdict))
        assert "sources that the model never saw, before the addition of one and two" in words
        assert "addition" not in said(replace(RESULT, verdict=verdict))


def test_a_resemblance_is_no_accusation() -> None:
    alike = replace(RESULT, reasons=(Evidence("signature of [bold]", 2.0, float("nan")),))
    assert "resembles signature of [bold]" in said(alike)
    assert "does not show that this generator was used" in said(alike)
    unlike = replace(RESULT, reasons=(Evidence("signature of any known generator", -2.0, float("nan")),))
    assert "resembles no known signature" in said(unlike)
    for other in (unlike, RESULT):
        assert "does not show that this generator was used" not in said(other)


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.5, "50 %"),
        (0.99, "99 %"),
        (0.9962, "99.6 %"),
        (0.99999, "over 99.9 %"),
        (0.004, "0.4 %"),
        (1e-5, "below 0.1 %"),
    ],
)
def test_probabilities_near_the_ends_have_decimals(probability: float, shown: str) -> None:
    withheld = replace(RESULT, probability=probability, withheld=True)
    assert f"Probability {shown} that" in said(withheld)


@pytest.mark.parametrize(
    ("probability", "upper", "shown"),
    [
        (0.9958, 0.9973, ("99.6 %", "99.7 %")),
        (0.9962, 0.9964, ("99.62 %", "99.64 %")),
        (0.902, 0.904, ("90.2 %", "90.4 %")),
        (0.9995, 0.9999, ("99.95 %", "99.99 %")),
    ],
)
def test_a_probability_and_its_threshold_are_told_apart(
    probability: float, upper: float, shown: tuple[str, str]
) -> None:
    text = said(replace(RESULT, probability=probability, thresholds={"ai": upper, "human": 0.26}))
    assert f"Probability {shown[0]} that" in text
    assert f"and {shown[1]} people's music" in text


def test_uncertain_is_put_down_to_overlap_only_where_it_is_that() -> None:
    withheld = replace(RESULT, probability=0.95, warnings=("unlike anything in training",))
    assert "overlap" in drawn(RESULT)
    assert "Between 20 % and 90 %" in drawn(RESULT)
    assert "overlap" not in drawn(withheld)
    assert "unlike anything in training" in drawn(withheld)
    within = replace(withheld, probability=0.6, withheld=True)
    assert "overlap" not in drawn(within)
    assert "unlike anything in training" in drawn(within)


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


def test_people_are_no_generator() -> None:
    ai = np.arange(20) >= 10
    rows = tuple({"generator": "g" if a else "", "codec": "mp3" if a else ""} for a in ai)
    p = np.linspace(0.0, 1.0, 20, dtype=np.float32)
    found = Evaluation(rows, ai, p, {}, np.full(20, "uncertain"), np.zeros(20, dtype=np.int64))
    by_generator, by_codec = (table.columns[0]._cells for table in evaluation_tables(found)[-2:])
    assert [str(name) for name in by_generator] == ["g"]
    assert [str(name) for name in by_codec] == ["mp3", "unknown"]
