from __future__ import annotations

import pytest

from aidetect.summary import Summary


def test_tracks_are_counted_and_their_share_corrected() -> None:
    summary = Summary()
    for number in range(100):
        verdict = "ai" if number < 20 else "human"
        summary.add({"error": None, "verdict": verdict, "probability": 0.95 if number < 20 else 0.05, "path": "x"})
    summary.add({"error": "x: broken", "verdict": None, "probability": None, "path": "x"})
    about = {"metrics": {"found": 0.8, "ai": 500, "false_positives": 0.0, "human": 500}}
    text = "\n".join(summary.lines(about, slowest=[("y", 2.0)]))
    assert "101 files: 20 ai, 80 human, 0 uncertain, 1 failed" in text
    assert "share of AI 25.0%" in text
    assert "x: broken" in text
    assert "2.0 s  y" in text
    assert summary.prevalence({"metrics": {}}) is None


def test_a_threshold_of_ones_own_corrects_by_its_own_rates() -> None:
    summary = Summary()
    for number in range(100):
        summary.add({"error": None, "verdict": "ai" if number < 30 else "human", "probability": 0.5, "path": "x"})
    about = {
        "metrics": {"found": 0.8, "ai": 500, "false_positives": 0.0, "human": 500},
        "recalibration": {"tracks": 199, "max_false_positive_rate": 0.1, "threshold": 0.9, "recall": 0.6},
    }
    found = summary.prevalence(about)
    assert found is not None
    assert found.share == pytest.approx((0.3 - 0.1) / (0.6 - 0.1))
    fewer = summary.prevalence({**about, "recalibration": {**about["recalibration"], "tracks": 20}})
    assert fewer is not None
    assert fewer.high - fewer.low > found.high - found.low  # as many tracks as the threshold was set by
    assert summary.prevalence({**about, "recalibration": {**about["recalibration"], "recall": None}}) is None
