from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve
from tables import made_up

from aidetect import evaluation, fitting, training
from aidetect.errors import TrainingError
from aidetect.labels import LabelledTrack
from aidetect.verdicts import Thresholds


def verdicts(p: np.ndarray) -> np.ndarray:
    """``ai`` from 0.8 on, ``human`` up to 0.3."""
    return Thresholds(ai=0.8, human=0.3).verdicts(
        p, seconds=np.full(len(p), 90.0), withheld=np.zeros(len(p), dtype=bool)
    )


@pytest.fixture(scope="module")
def predictions() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ai = np.arange(600) % 2 == 0
    return np.clip(0.3 * ai + 0.7 * rng.random(600), 0, 1).round(2).astype(np.float32), ai


def test_auroc_agrees_with_scikit_learn_ties_included(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    p, ai = predictions
    assert evaluation.auroc(p, ai) == pytest.approx(roc_auc_score(ai, p))
    assert np.isnan(evaluation.auroc(p[ai], ai[ai]))


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_rates_agree_with_scikit_learn(predictions: tuple[np.ndarray, np.ndarray], rate: float) -> None:
    p, ai = predictions
    fpr, tpr, _ = roc_curve(ai, p, drop_intermediate=False)
    assert evaluation.tpr_at(p, ai, rate) == pytest.approx(tpr[fpr <= rate].max(), abs=0.01)


def test_brier_score_of_balanced_classes_agrees_with_scikit_learn(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    p, ai = predictions
    assert evaluation.metrics(p, ai, verdicts(p)).brier == pytest.approx(brier_score_loss(ai, p), abs=1e-5)


def test_a_calibrated_prediction_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(40_000).astype(np.float32)
    ai = rng.random(40_000) < p
    assert evaluation.metrics(p, ai, verdicts(p)).calibration_error < 0.02
    assert evaluation.metrics(np.clip(p + 0.2, 0, 1), ai, verdicts(p)).calibration_error > 0.1


def test_shares_of_verdicts() -> None:
    p = np.array([0.9, 0.5, 0.1, 0.95, 0.2, 0.1, 0.5, 0.1], dtype=np.float32)
    ai = np.array([1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    m = evaluation.metrics(p, ai, verdicts(p))
    assert (m.found, m.missed) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert m.false_positives == pytest.approx(1 / 5)
    assert m.uncertain == pytest.approx(2 / 8)
    # Wilson's intervals of 1 in 5, and of 1 in 3 twice
    assert m.false_positives_high == pytest.approx(0.6245, abs=1e-3)
    assert (m.found_low, m.found_high) == (m.missed_low, m.missed_high)
    assert (m.missed_low, m.missed_high) == (pytest.approx(0.0615, abs=1e-3), pytest.approx(0.7923, abs=1e-3))


def test_where_a_verdict_is_withheld_it_is_uncertain() -> None:
    p = np.array([0.9, 0.9, 0.1], dtype=np.float32)
    given = Thresholds(ai=0.8, human=0.3).verdicts(p, seconds=np.full(3, 90.0), withheld=np.array([True, False, True]))
    assert given.tolist() == ["uncertain", "ai", "uncertain"]


def test_wilson_interval_of_nothing_is_everything() -> None:
    assert evaluation.wilson(0, 0) == (0.0, 1.0)
    assert evaluation.wilson(0, 100)[1] == pytest.approx(0.0370, abs=1e-3)


def test_cross_validation_tests_every_plain_row_once_and_slices_it() -> None:
    table = made_up()
    recipes = tuple(r for r in fitting.RECIPES if r.name in ("texture_net", "dynamics", "voice"))
    (found,) = evaluation.cross_validate(table, recipes=recipes)
    assert [row["id"] for row in found.rows] == [row["id"] for row in table.rows]
    assert set(found.by("generator")) == {"suno", "udio", "human"}
    assert found.by("generator")["suno"].human == found.overall.human
    assert {"compression", "shimmer", "vocals", "expert dynamics"} <= set(found.alone())
    assert found.to_dict()["overall"]["ai"] == 80


def test_altered_copies_are_learned_from_and_not_counted() -> None:
    from dataclasses import replace

    table = made_up()
    rows = tuple(dict(row, variant="aug1") if i % 4 > 1 else row for i, row in enumerate(table.rows))
    recipes = tuple(r for r in fitting.RECIPES if r.name == "texture_net")
    (found,) = evaluation.cross_validate(replace(table, rows=rows), recipes=recipes)
    assert len(found.rows) == 80
    detector = training.fit_detector(table, recipes=recipes)
    assert len(evaluation.evaluate(replace(table, rows=rows), detector=detector).rows) == 80


def test_too_few_sources_to_test_on_are_told() -> None:
    recipes = tuple(r for r in fitting.RECIPES if r.name == "texture_net")
    with pytest.raises(TrainingError, match="2 source"):
        evaluation.cross_validate(made_up(tracks=40, sources=4), recipes=recipes)
    (found,) = evaluation.cross_validate(made_up(tracks=40, sources=8), folds=10, recipes=recipes)
    assert set(found.fold.tolist()) == {0, 1, 2, 3}


def test_generators_are_known_where_enough_tracks_lie_in_other_folds() -> None:
    rows = tuple({"generator": name} for name in ("a", "a", "a", "a", "b", "b", "b", "human"))
    ai = np.array([True] * 7 + [False])
    fold = np.array([0, 1, 1, 1, 0, 1, 2, 0])
    found = evaluation.Evaluation(rows, ai, np.zeros(8, np.float32), {}, np.full(8, "uncertain"), fold)
    assert found.known_generators(least=3).tolist() == [True] + [False] * 7
    assert found.known_generators(least=2).tolist() == [True] + [False] * 3 + [True] * 3 + [False]


def test_generators_without_a_name_are_not_known() -> None:
    ai, fold = np.array([True] * 8 + [False]), np.arange(9) % 2
    rows = tuple({"generator": ""} for _ in ai)
    found = evaluation.Evaluation(rows, ai, np.zeros(9, np.float32), {}, np.full(9, "uncertain"), fold)
    assert not found.known_generators().any()
    assert not found.known_families().any()


def test_a_generator_whose_kin_was_met_is_known_by_family() -> None:
    rows = tuple({"generator": name} for name in ("musicgen-style", "musicgen", "vidmuse", "musicgen", "udio", "human"))
    ai = np.array([True] * 5 + [False])
    found = evaluation.Evaluation(
        rows, ai, np.zeros(6, np.float32), {}, np.full(6, "uncertain"), np.array([0, 1, 1, 1, 0, 0])
    )
    assert not found.known_generators(least=3).any()
    assert found.known_families(least=3).tolist() == [True] + [False] * 5


def made_evaluation(*, flagged: int = 6) -> evaluation.Evaluation:
    """100 people's tracks and as many of AI of ten sources each; those of people called AI are of the first."""
    rng = np.random.default_rng(0)
    ai = np.arange(200) >= 100
    rows = tuple({"source": f"{'ai' if ai[i] else 'human'} {i % 100 // 10}", "generator": ""} for i in range(200))
    p = np.where(ai, 0.6 + 0.4 * rng.random(200), 0.7 * rng.random(200)).astype(np.float32)
    verdict = np.where(ai & (p > 0.7) | (np.arange(200) < flagged), "ai", "human")
    return evaluation.Evaluation(rows, ai, p, {}, verdict, np.zeros(200, dtype=np.int64))


def test_bounds_know_that_tracks_of_a_source_err_together() -> None:
    m = made_evaluation().overall
    assert (m.flagged_sources, m.human_sources, m.ai_sources) == (1, 10, 10)
    assert m.false_positives_low < m.false_positives == pytest.approx(0.06)
    assert m.false_positives_high > 0.2 > evaluation.wilson(6, 100)[1]
    assert m.found_low < m.found < m.found_high
    assert m.human_effective < 30.0
    assert {"false_positives_low", "found_high", "flagged_sources"} <= set(m.to_dict())


def test_sources_drawn_again_tell_how_sure_figures_are() -> None:
    found = made_evaluation()
    ends = found.intervals(draws=300)
    assert ends == found.intervals(draws=300)
    low, high = ends["false_positives"]
    assert low == 0.0
    assert 0.15 < high < 0.3  # three times one source in ten
    for name in ("auroc", "tpr_at_1", "found"):
        assert ends[name][0] <= getattr(found.overall, name) <= ends[name][1]
        assert ends[name][0] < ends[name][1]


def test_one_class_alone_has_no_calibration() -> None:
    found = made_evaluation()
    for side in (found.ai, ~found.ai):
        m = found.over(side)
        assert np.isnan([m.brier, m.calibration_error, m.auroc]).all()
        assert m.to_dict()["calibration_error"] is None


def test_reliability_counts_every_track_in_its_bin() -> None:
    p = np.float32([0.05, 0.05, 0.05, 0.95, 0.95, 1.0])
    ai = np.array([False, False, True, True, True, False])
    low, high = evaluation.reliability(p, ai)
    assert low == (pytest.approx(0.05), pytest.approx(1 / 3), 3)
    assert high == (pytest.approx((2 * 0.95 + 1.0) / 3), pytest.approx(2 / 3), 3)
    error = evaluation.metrics(p, ai, verdicts(p)).calibration_error
    assert error == pytest.approx(0.5 * (1 / 3 - 0.05) + 0.5 * (0.9667 - 2 / 3), abs=1e-3)


def test_tracks_that_are_left_out_are_told(tmp_path: Path, song_path: Path) -> None:
    tracks = [LabelledTrack(tmp_path / "gone.mp3", "ai", "s1"), LabelledTrack(song_path, "human", "s2")]
    with pytest.warns(UserWarning, match=r"1 of 2 tracks left out.*gone\.mp3"):
        found = evaluation.evaluate(tracks)
    assert len(found.rows) == 1
