from __future__ import annotations

import numpy as np
import pytest

from aidetect.prevalence import Rates, error_rates, estimate_prevalence, weighted


def test_the_estimate_is_rogan_and_gladens() -> None:
    # (0.30 - 0.05) / (0.85 - 0.05)
    found = estimate_prevalence(300, 1000, found=0.85, ai_tracks=500, false_positives=0.05, human_tracks=500)
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
    found = estimate_prevalence(20, 100, found=0.9, ai_tracks=50, false_positives=0.02, human_tracks=100)
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
        result = estimate_prevalence(
            int(flagged), 1000, found=found, ai_tracks=200, false_positives=wrong, human_tracks=300
        )
        assert result is not None
        covered += result.low <= share <= result.high
    assert covered >= 930


def test_nothing_is_said_where_nothing_can_be() -> None:
    assert estimate_prevalence(0, 0, found=0.8, ai_tracks=9, false_positives=0.0, human_tracks=9) is None
    assert estimate_prevalence(1, 9, found=0.1, ai_tracks=9, false_positives=0.1, human_tracks=9) is None


def test_rates_of_a_mixture_are_as_sure_as_its_parts_allow() -> None:
    found = weighted([(0.75, Rates(0.9, 300.0, 0.01, 600.0)), (0.25, Rates(0.5, 100.0, 0.03, 200.0))])
    assert found.found == pytest.approx(0.8)
    assert found.false_positives == pytest.approx(0.015)
    # 1 / (0.5625 / 300 + 0.0625 / 100) = 400: in proportion to their numbers, parts are as good as one set
    assert found.ai_tracks == pytest.approx(400.0)
    assert found.human_tracks == pytest.approx(800.0)
    assert weighted([(1.0, Rates(0.9, 300.0, 0.01, 600.0))]) == Rates(0.9, 300.0, 0.01, 600.0)
    assert weighted([(1.0, Rates(0.9, 0.0, 0.01, 600.0))]).ai_tracks == 0.0


def test_error_rates_are_those_of_the_length_or_else_of_all() -> None:
    short = {"false_positives": 0.02, "false_positives_high": 0.04, "missed": 0.05, "found": 0.5}
    pooled = {"false_positives": 0.01, "false_positives_high": 0.02, "missed": None, "auroc": 0.9}
    about = {"metrics": pooled, "metrics_by_length": {"short": short}}
    assert error_rates(about, seconds=59.0) == {k: v for k, v in short.items() if k != "found"}
    assert error_rates(about, seconds=60.0) == {"false_positives": 0.01, "false_positives_high": 0.02}
    own = about | {"recalibration": {"max_false_positive_rate": 0.05}}
    assert error_rates(own, seconds=59.0) == {"false_positives": 0.05, "false_positives_high": 0.05, "missed": 0.05}


@pytest.mark.parametrize("about", [{}, {"metrics": 3}, {"metrics": {"missed": "many"}}, {"metrics_by_length": [1]}])
def test_no_error_rates_are_stated_where_a_model_states_none(about: dict[str, object]) -> None:
    assert error_rates(about, seconds=float("nan")) == {}
