from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aidetect.errors import TrainingError
from aidetect.prevalence import (
    Counted,
    Rates,
    error_rates,
    estimate_prevalence,
    own_thresholds,
    rates_of,
    recalibrated,
)
from aidetect.verdicts import Thresholds

OWN = Thresholds(ai=0.9, human=0.5, ai_short=0.99, human_short=0.3)
SHORT = {"found": 0.4, "ai": 700, "false_positives": 0.012, "false_positives_high": 0.03, "human": 410, "missed": 0.05}
LONG = {"found": 0.9, "ai": 590, "false_positives": 0.003, "false_positives_high": 0.01, "human": 710, "missed": 0.03}
POOLED = {"found": 0.64, "ai": 1290, "false_positives": 0.006, "human": 1120}
UP_TO_HALF, UP_TO_ONE = np.linspace(0.0, 0.5, 201).tolist(), np.linspace(0.0, 1.0, 201).tolist()
ABOUT = {
    "metrics": POOLED,
    "metrics_by_length": {"short": SHORT, "long": LONG},
    "ai_quantiles": [0.0, 1.0],
    "ai_quantiles_by_length": {"short": UP_TO_HALF, "long": UP_TO_ONE},
}


def tracks(n: int, highest: float) -> list[float]:
    return np.linspace(0.0, highest, n + 1)[1:].tolist()


def test_the_estimate_is_rogan_and_gladens() -> None:
    # (0.30 - 0.05) / (0.85 - 0.05)
    found = estimate_prevalence([Counted(300, 1000, Rates(0.85, 500, 0.05, 500))])
    assert found is not None
    assert found.flagged == 0.3
    assert found.share == pytest.approx(0.3125)
    assert found.low < found.share < found.high


def test_the_interval_is_lang_and_reiczigels() -> None:
    # By hand, n = 100, 20 flagged, 45 of 50 found, 2 of 100 wrongly flagged, z = 1.959964:
    # p' = (20 + 1.920729) / 103.841459 = 0.211098; Se' = 46 / 52 = 0.884615; Sp' = 99 / 102 = 0.970588;
    # P' = (p' + Sp' - 1) / (Se' + Sp' - 1) = 0.181686 / 0.855204 = 0.212448;
    # shift = 2 z^2 (P' Se' (1 - Se') / 52 - (1 - P') Sp' (1 - Sp') / 102) = 0.001510;
    # spread = sqrt(p' (1 - p') / 103.841459 + P'^2 Se' (1 - Se') / 52 + (1 - P')^2 Sp' (1 - Sp') / 102) / 0.855204
    #        = 0.050510; ends 0.213958 -+ 0.098998.
    found = estimate_prevalence([Counted(20, 100, Rates(0.9, 50, 0.02, 100))])
    assert found is not None
    assert found.low == pytest.approx(0.11496, abs=1e-5)
    assert found.high == pytest.approx(0.31296, abs=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5])
def test_the_interval_covers_the_truth(share: float) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        found = rng.binomial(200, 0.8) / 200
        wrong = rng.binomial(300, 0.01) / 300
        flagged = rng.binomial(1000, share * 0.8 + (1 - share) * 0.01)
        result = estimate_prevalence([Counted(int(flagged), 1000, Rates(found, 200, wrong, 300))])
        assert result is not None
        covered += result.low <= share <= result.high
    assert covered >= 930


def test_nothing_is_said_where_nothing_can_be() -> None:
    assert estimate_prevalence([]) is None
    assert estimate_prevalence([Counted(0, 0, Rates(0.8, 9, 0.0, 9))]) is None
    assert estimate_prevalence([Counted(1, 9, Rates(0.1, 9, 0.1, 9))]) is None
    assert estimate_prevalence([Counted(1, 9, Rates(0.8, 0, 0.1, 9))]) is None


@pytest.mark.parametrize("rates", [Rates(0.02, 100, 0.0, 10), Rates(1 / 98, 98, 0.0, 48), Rates(0.0, 9, 0.0, 9)])
def test_rates_of_too_few_tracks_tell_nothing(rates: Rates) -> None:
    # Adjusted for how few they are, sensitivity and specificity are together no better than chance.
    assert estimate_prevalence([Counted(4, 200, rates)]) is None
    telling = Counted(50, 100, Rates(0.9, 400, 0.01, 600))
    mixed = estimate_prevalence([telling, Counted(4, 200, rates)])
    assert mixed is not None
    assert mixed.low < mixed.share < mixed.high


def test_parts_are_corrected_by_their_own_rates_and_their_doubts_add_up() -> None:
    long, short = Counted(285, 300, Rates(0.95, 400, 0.01, 600)), Counted(5, 100, Rates(0.5, 200, 0.02, 300))
    found = estimate_prevalence([long, short])
    parts = [estimate_prevalence([part]) for part in (long, short)]
    assert found is not None
    assert found.flagged == pytest.approx(290 / 400)
    assert found.share == pytest.approx(0.75 * 1.0 + 0.25 * (0.05 - 0.02) / (0.5 - 0.02))
    # square-and-add (Zou, Donner 2008), where neither interval was cut off
    middle = Counted(150, 300, long.rates)
    both, alone, other = (estimate_prevalence(x) for x in ([middle, short], [middle], [short]))
    assert both is not None and alone is not None and other is not None and all(parts)
    spread = np.hypot(0.75 * (alone.high - alone.share), 0.25 * (other.high - other.share))
    assert both.high - both.share == pytest.approx(spread)


def test_a_part_that_tells_nothing_widens_the_interval_only() -> None:
    telling, mute = Counted(50, 100, Rates(0.9, 400, 0.01, 600)), Counted(0, 100, Rates(0.0, 400, 0.01, 600))
    alone, found = estimate_prevalence([telling]), estimate_prevalence([telling, mute])
    assert alone is not None and found is not None
    assert found.share == alone.share
    assert found.flagged == 0.25
    assert found.low < 0.5 * alone.share and found.high > 0.5 * alone.share + 0.5


def test_error_rates_are_those_of_the_length_or_else_of_all() -> None:
    short = {"false_positives": 0.02, "false_positives_high": 0.04, "missed": 0.05, "missed_high": 0.07, "found": 0.5}
    pooled = {"false_positives": 0.01, "false_positives_high": 0.02, "missed": None, "auroc": 0.9}
    about = {"metrics": pooled, "metrics_by_length": {"short": short}}
    assert error_rates(about, seconds=59.0) == {k: v for k, v in short.items() if k != "found"}
    assert error_rates(about, seconds=60.0) == {"false_positives": 0.01, "false_positives_high": 0.02}
    own = about | {"recalibration": {"max_false_positive_rate": 0.05}}
    # a model of an older version, with one threshold for all lengths
    assert error_rates(own, seconds=59.0) == {
        "false_positives": 0.05, "false_positives_high": 0.05, "missed": 0.05, "missed_high": 0.07
    }  # fmt: skip


@pytest.mark.parametrize("about", [{}, {"metrics": 3}, {"metrics": {"missed": "many"}}, {"metrics_by_length": [1]}])
def test_no_error_rates_are_stated_where_a_model_states_none(about: dict[str, object]) -> None:
    assert error_rates(about, seconds=float("nan")) == {}


def test_a_length_without_tracks_keeps_the_models_threshold_and_rates() -> None:
    thresholds, note = recalibrated(OWN, ABOUT, {"short": [], "long": tracks(150, 0.2)}, rate=0.01)
    about = ABOUT | {"recalibration": note}
    assert thresholds.limits(60.0) == pytest.approx((0.2, 0.2))
    assert thresholds.limits(59.0) == OWN.limits(59.0)
    assert error_rates(about, seconds=59.0) == error_rates(ABOUT, seconds=59.0)
    assert rates_of(about, "short") == rates_of(ABOUT, "short") == Rates(0.4, 700.0, 0.012, 410.0)
    rates = error_rates(about, seconds=60.0)
    assert rates["bound"] == 0.01
    assert rates["false_positives"] == pytest.approx(1 / 151)
    assert rates["false_positives_high"] == pytest.approx(1.0 - 0.025 ** (1 / 150))
    assert rates["missed"] == 0.03
    assert rates_of(about, "long") == Rates(pytest.approx(0.8, abs=0.01), 590.0, pytest.approx(1 / 151), 150.0)


def test_recalibrated_thresholds_of_short_tracks_do_not_fall_with_their_length() -> None:
    falling = replace(OWN, falls_from=15.0)
    long = {"short": [], "long": tracks(150, 0.2)}
    thresholds, note = recalibrated(falling, ABOUT, long, rate=0.01)
    assert thresholds.limits(59.0) == falling.limits(15.0)
    assert note["lengths"]["short"]["recall"] == pytest.approx(
        0.0, abs=0.01
    )  # AI tracks from 0.99 on, not some from less
    assert recalibrated(OWN, ABOUT, long, rate=0.01)[1]["lengths"]["short"]["recall"] == SHORT["found"]
    assert own_thresholds(thresholds, {"recalibration": note}) == falling


def test_what_few_tracks_of_a_length_show_may_raise_its_threshold_only() -> None:
    few = {"short": [0.9999] * 5, "long": tracks(150, 0.2)}
    thresholds, note = recalibrated(OWN, ABOUT, few, rate=0.01)
    assert thresholds.limits(59.0)[0] > 0.9999
    assert note["lengths"]["short"]["recall"] == 0.0
    assert "false_positives" not in note["lengths"]["short"]
    assert thresholds.limits(60.0)[0] == pytest.approx(0.2)


def test_lengths_with_enough_tracks_have_thresholds_and_rates_of_their_own() -> None:
    thresholds, note = recalibrated(OWN, ABOUT, {"short": tracks(99, 0.25), "long": tracks(250, 0.5)}, rate=0.01)
    assert thresholds.limits(59.0)[0] == pytest.approx(0.25)
    assert thresholds.limits(60.0)[0] == pytest.approx(0.5 * 249 / 250)  # the second highest: one may lie above
    about = ABOUT | {"recalibration": note}
    short, long = (rates_of(about, name) for name in ("short", "long"))
    assert (short.found, long.found) == pytest.approx((0.5, 0.5), abs=0.01)  # of AI tracks of each length
    assert (short.ai_tracks, short.human_tracks, long.ai_tracks, long.human_tracks) == (700.0, 99.0, 590.0, 250.0)
    assert (short.false_positives, long.false_positives) == pytest.approx((1 / 100, 2 / 251))


def test_older_models_know_the_recall_of_all_lengths_only() -> None:
    older = {name: value for name, value in ABOUT.items() if name != "ai_quantiles_by_length"}
    _, note = recalibrated(OWN, older, {"short": tracks(99, 0.25), "long": tracks(99, 0.25)}, rate=0.01)
    assert [note["lengths"][name]["recall"] for name in ("short", "long")] == [0.5, 0.5]
    _, note = recalibrated(OWN, {}, {"short": tracks(99, 0.25), "long": []}, rate=0.01)
    assert note["lengths"]["short"]["recall"] is None
    with pytest.raises((KeyError, TypeError)):
        rates_of({"recalibration": note}, "short")


def test_no_recall_is_stated_that_was_measured_on_sources_of_training() -> None:
    about = ABOUT | {"unseen_sources": False}
    _, note = recalibrated(OWN, about, {"short": [], "long": tracks(150, 0.2)}, rate=0.01)
    assert [note["lengths"][name]["recall"] for name in ("short", "long")] == [None, None]
    assert error_rates(about, seconds=60.0) == {}


def test_error_rates_of_a_note_that_is_none_are_the_models_own() -> None:
    about = ABOUT | {"recalibration": {"max_false_positive_rate": 0.1, "lengths": {"long": 3}}}
    assert error_rates(about, seconds=60.0) == error_rates(ABOUT, seconds=60.0)


def test_a_second_recalibration_starts_from_the_models_own_thresholds() -> None:
    first, note = recalibrated(OWN, ABOUT, {"short": [], "long": tracks(150, 0.2)}, rate=0.01)
    about = ABOUT | {"recalibration": note}
    second, _ = recalibrated(first, about, {"short": tracks(150, 0.2), "long": []}, rate=0.01)
    assert second.limits(60.0) == OWN.limits(60.0)


def test_tracks_of_two_lengths_do_not_make_up_for_each_other() -> None:
    with pytest.raises(TrainingError, match=r"196 different human tracks \(98 under 60 s, 98 longer\).* least 99"):
        recalibrated(OWN, ABOUT, {"short": tracks(98, 0.2), "long": tracks(98, 0.2)}, rate=0.01)


@pytest.mark.parametrize("n", [99, 198, 500])
def test_the_stated_upper_end_holds_for_the_rate_of_the_tracks_at_hand(n: int) -> None:
    rng = np.random.default_rng(0)
    kept, rates = 0, []
    for _ in range(1000):
        thresholds, note = recalibrated(OWN, ABOUT, {"short": [], "long": rng.random(n).tolist()}, rate=0.01)
        rates.append(1.0 - thresholds.ai)
        kept += rates[-1] <= note["lengths"]["long"]["false_positives_high"]
    assert 0.96 <= kept / 1000 <= 0.99
    assert np.mean(rates) == pytest.approx(note["lengths"]["long"]["false_positives"], rel=0.1)
    assert np.mean(np.array(rates) > 0.01) > 0.1  # the bound itself is kept on average only


def test_effective_numbers_of_tracks_are_used_where_they_are_stated() -> None:
    stated = LONG | {"ai_effective": 120.5, "human_effective": 90.0}
    assert rates_of({"metrics": stated}, "long") == Rates(0.9, 120.5, 0.003, 90.0)
