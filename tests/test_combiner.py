from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.combiner import EXTREME, Combiner, combine, log_length, probability_of, soft_clip

NAMES = ("lines", "voice")


def combiner(**others: float) -> Combiner:
    """Both experts weigh one half, between 0 and 4."""
    every = {name: 0.5 for name in NAMES}
    return Combiner(
        weights=every,
        floors=dict.fromkeys(NAMES, 0.0),
        ceilings=dict.fromkeys(NAMES, 4.0),
        widths=dict.fromkeys(NAMES, 0.1),
        centres=dict.fromkeys(NAMES, 1.0),
        **{"bias": 0.2, "certainty": 1.0, "growth": 0.25, **others},
    )


@given(st.floats(-50, 50), st.floats(0.05, 2.0))
def test_a_score_is_bent_between_its_limits(score: float, width: float) -> None:
    found = float(soft_clip(np.float32([score]), low=-1.0, high=3.0, width=width)[0])
    assert -1e-9 <= found <= 4.0 + 1e-9
    assert found == pytest.approx(np.clip(score + 1.0, 0.0, 4.0), abs=0.7 * width)  # log 2 at the bends


def test_evidence_grows_with_the_length_between_four_seconds_and_two_minutes() -> None:
    seconds = np.float32([1.0, 4.0, 30.0, 135.0, 4000.0])
    np.testing.assert_allclose(log_length(seconds), np.log([4 / 30, 4 / 30, 1.0, 4.5, 4.5]), atol=1e-6)
    factor = combiner().reliance(seconds)
    np.testing.assert_allclose(factor, 1.0 + 0.25 * log_length(seconds), atol=1e-6)
    assert combiner(certainty=0.1, growth=1.0).reliance(np.float32([5.0]))[0] == pytest.approx(0.05)  # never turned


def test_parts_and_bias_add_up_and_who_is_not_asked_abstains() -> None:
    vocal, instrumental = combiner(), combiner(bias=-0.3)
    instrumental = Combiner(**{**vars(instrumental), "weights": {"lines": 0.5}})
    scores = {name: np.float32([2.0, 2.0]) for name in NAMES}
    sings, seconds = np.array([True, False]), np.float32([30.0, 60.0])
    both = {"vocal": vocal, "instrumental": instrumental}
    logits, evidence = combine(scores, sings, both, seconds=seconds)
    factors = [float(c.reliance(seconds[i : i + 1])[0]) for i, c in enumerate((vocal, instrumental))]
    assert np.isnan(evidence["voice"][1])
    assert logits[0] == pytest.approx(evidence["lines"][0] + evidence["voice"][0] + 0.2 * factors[0], abs=1e-6)
    assert logits[1] == pytest.approx(evidence["lines"][1] - 0.3 * factors[1], abs=1e-6)
    assert evidence["lines"][0] == pytest.approx(0.5 * (2.0 - 1.0), abs=1e-3)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_a_gain_tells_what_a_move_was_worth(start: float, end: float) -> None:
    asked = combiner()
    before, after = (
        float(asked.evidence(dict.fromkeys(NAMES, np.float32([score])))["lines"][0]) for score in (start, end)
    )
    moved = asked.gain("lines", start, end) * (end - start)
    assert moved == pytest.approx(after - before, abs=0.02)


def test_probabilities_are_those_of_log_odds_and_never_certain() -> None:
    logits = np.float32([-1e6, -2.0, 0.0, 2.0, 1e6])
    expected = 1.0 / (1.0 + np.exp(-np.clip(logits, -EXTREME, EXTREME)))
    np.testing.assert_allclose(probability_of(logits), expected, rtol=1e-5)
