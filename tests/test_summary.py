from __future__ import annotations

import numpy as np
import pytest

from aidetect.prevalence import recalibrated
from aidetect.summary import Summary
from aidetect.verdicts import Thresholds

SHORT = {"found": 0.5, "ai": 700, "false_positives": 0.02, "human": 410}
LONG = {"found": 0.93, "ai": 590, "false_positives": 0.006, "human": 710}
POOLED = {"found": 0.7, "ai": 1290, "false_positives": 0.011, "human": 1120}


def counted(*, long: tuple[int, int], short: tuple[int, int] = (0, 0)) -> Summary:
    """A summary of so many flagged tracks of so many."""
    summary = Summary()
    for seconds, (flagged, total) in ((200.0, long), (20.0, short)):
        for number in range(total):
            verdict = "ai" if number < flagged else "human"
            summary.add({"error": None, "verdict": verdict, "probability": 0.5, "duration": seconds})
    return summary


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


def test_a_threshold_of_ones_own_corrects_by_its_own_rates_in_an_older_model() -> None:
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


def test_rates_are_those_of_the_lengths_at_hand() -> None:
    about = {"metrics": POOLED, "metrics_by_length": {"short": SHORT, "long": LONG}}
    songs = counted(long=(47, 100)).prevalence(about)
    assert songs is not None
    assert songs.share == pytest.approx((0.47 - 0.006) / (0.93 - 0.006))
    mixed = counted(long=(45, 75), short=(5, 25)).prevalence(about)
    assert mixed is not None
    long, short = (0.6 - 0.006) / (0.93 - 0.006), (0.2 - 0.02) / (0.5 - 0.02)
    assert mixed.share == pytest.approx(0.75 * long + 0.25 * short)


def test_rates_of_all_lengths_stand_in_for_those_that_are_missing() -> None:
    summary = counted(long=(30, 60), short=(10, 40))
    wanted = (0.4 - 0.011) / (0.7 - 0.011)
    plain = summary.prevalence({"metrics": POOLED})
    assert plain is not None
    assert plain.share == pytest.approx(wanted)
    assert plain == counted(long=(40, 100)).prevalence({"metrics": POOLED})  # as sure as of one length
    assert summary.prevalence({"metrics": POOLED, "metrics_by_length": {}}) == plain
    assert counted(long=(0, 0), short=(40, 100)).prevalence(
        {"metrics": POOLED, "metrics_by_length": {"long": LONG}}
    ) == counted(long=(40, 100)).prevalence({"metrics": POOLED})


def test_tracks_of_unknown_length_count_as_short() -> None:
    summary = Summary()
    for seconds in (None, float("nan"), 59.9, 60.0):
        summary.add({"error": None, "verdict": "human", "probability": 0.1, "duration": seconds})
    summary.add({"error": None, "verdict": "human", "probability": 0.1})
    assert summary.lengths == {"short": 4, "long": 1}


def test_no_share_is_estimated_from_few_tracks() -> None:
    about = {"metrics": POOLED}
    few = counted(long=(10, 49))
    assert few.prevalence(about) is None
    assert any("49 scored tracks are too few, 50 are needed" in line for line in few.lines(about))
    assert not any("too few" in line for line in counted(long=(10, 50)).lines(about))
    assert not any("too few" in line for line in Summary().lines(about))


@pytest.mark.parametrize("about", [{"metrics": POOLED, "unseen_sources": False}, {"metrics": POOLED | {"found": 0.0}}])
def test_a_model_whose_rates_allow_no_estimate_says_so(about: dict[str, object]) -> None:
    summary = counted(long=(10, 60))
    assert summary.prevalence(about) is None
    assert any("states no error rates that allow one" in line for line in summary.lines(about))


@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.5, 0.5), (0.9, 0.05), (0.05, 0.9)])
@pytest.mark.parametrize("short", [25, 250])
def test_the_interval_covers_the_share_whatever_tracks_of_either_length_have(
    shares: tuple[float, float], short: int
) -> None:
    true = dict(zip(("short", "long"), shares, strict=True))
    totals = {"short": short, "long": 500 - short}
    share = sum(true[name] * totals[name] / 500 for name in true)
    rng = np.random.default_rng(0)
    covered, draws = 0, 400
    for _ in range(draws):
        measured = {
            name: {
                "found": rng.binomial(m["ai"], m["found"]) / m["ai"],
                "false_positives": rng.binomial(m["human"], m["false_positives"]) / m["human"],
                "ai": m["ai"],
                "human": m["human"],
            }
            for name, m in (("short", SHORT), ("long", LONG))
        }
        flagged = {
            name: int(rng.binomial(totals[name], true[name] * m["found"] + (1.0 - true[name]) * m["false_positives"]))
            for name, m in (("short", SHORT), ("long", LONG))
        }
        summary = counted(**{name: (flagged[name], totals[name]) for name in totals})
        found = summary.prevalence({"metrics": POOLED, "metrics_by_length": measured})
        assert found is not None
        covered += found.low <= share <= found.high
    assert covered >= 0.93 * draws


@pytest.mark.parametrize("length", ["long", "short"])
@pytest.mark.parametrize("share", [0.05, 0.6])
def test_the_interval_covers_the_share_after_a_recalibration(share: float, length: str) -> None:
    rng = np.random.default_rng(0)
    places = {"long": (-4.0, 5.2), "short": (-2.5, 3.2)}  # AI tracks are found more often where they are long

    def drawn(name: str, ai: bool, n: int) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-rng.normal(places[name][ai], 2.4, n)))

    covered, draws = 0, 200
    for _ in range(draws):
        ai = {name: drawn(name, True, 600) for name in places}
        about = {
            "metrics": {"ai": 1200},
            "metrics_by_length": {name: {"ai": 600} for name in places},
            "ai_quantiles": np.quantile(np.concatenate(list(ai.values())), np.linspace(0.0, 1.0, 201)),
            "ai_quantiles_by_length": {
                name: np.quantile(found, np.linspace(0.0, 1.0, 201)).tolist() for name, found in ai.items()
            },
        }
        own = {name: drawn(name, False, 150).tolist() for name in places}
        _, note = recalibrated(Thresholds(0.9, 0.5, 0.99, 0.3), about, own, rate=0.01)
        limit = note["lengths"][length]["threshold"]
        number = int(rng.binomial(500, share))
        scores = np.concatenate([drawn(length, True, number), drawn(length, False, 500 - number)])
        cases = {"long": (0, 0), "short": (0, 0)} | {length: (int((scores >= limit).sum()), 500)}
        found = counted(**cases).prevalence(about | {"recalibration": note})
        assert found is not None
        covered += found.low <= share <= found.high
    assert covered >= 0.91 * draws


def test_lengths_that_a_recalibration_did_not_measure_are_told() -> None:
    about = {"metrics": POOLED, "metrics_by_length": {"short": SHORT, "long": LONG}, "ai_quantiles": [0.0, 1.0]}
    long = np.linspace(0.0, 0.2, 150).tolist()
    _, note = recalibrated(Thresholds(0.9, 0.5, 0.99, 0.3), about, {"short": [], "long": long}, rate=0.01)
    own = about | {"recalibration": note}
    words = "recalibrated with too few tracks under 60 s: for these the rates are its own"
    assert words in "\n".join(counted(long=(20, 50), short=(5, 50)).lines(own))
    assert "too few tracks" not in "\n".join(counted(long=(20, 50)).lines(own))
    assert "too few tracks" not in "\n".join(counted(long=(20, 50), short=(5, 50)).lines(about))
    short = counted(long=(0, 0), short=(20, 50))
    assert short.prevalence(own) == short.prevalence(about)
