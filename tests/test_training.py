from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tables import made_up, with_twins

from aidetect import fitting, heldout, splits, stacking, training
from aidetect.detector import Detector
from aidetect.errors import OutputError, TrainingError
from aidetect.evaluation import auroc
from aidetect.labels import LabelledTrack
from aidetect.prevalence import error_rates
from aidetect.verdicts import wilson

FAST = tuple(r for r in fitting.RECIPES if r.name in ("peaks", "texture_net", "dynamics", "voice"))
FAMILIES = ("suno", "udio", "yue", "musicgen")


def test_what_can_be_learned_is_learned_and_chance_stays_chance() -> None:
    for strength, low, high in ((4.0, 0.9, 1.0), (0.0, 0.25, 0.75)):
        table = made_up(strength=strength)
        ai = table.column("label") == "ai"
        found = heldout.out_of_source(table, splits.folds_of(table), recipes=FAST)
        logits, _ = stacking.cross_fitted(found, stacking.Lesson.of(table, found, None))
        assert low <= auroc(logits, ai) <= high


def test_a_table_of_families_and_twins_makes_a_whole_detector() -> None:
    table = with_twins(made_up(generators=FAMILIES, strength=2.0))
    recipes = tuple(r for r in fitting.RECIPES if r.name in ("texture_net", "simulated", "dynamics"))
    detector = training.fit_detector(table, recipes=recipes)
    ai = table.column("label") == "ai"
    assert [e.name for e in detector.experts] == [r.name for r in recipes]
    assert detector.combiners["vocal"].weights["simulated"] > 0.0
    assert np.mean((detector.decide(table.views(), seconds=table.seconds())[0] > 0) == ai) > 0.9


def test_too_few_tracks_are_refused_in_words() -> None:
    with pytest.raises(TrainingError, match="at least"):
        training.fit_detector(made_up(tracks=10, sources=4))


def test_a_class_of_one_source_is_trained_with_a_warning() -> None:
    table = made_up(tracks=60, sources=2)
    with pytest.warns(UserWarning, match="1 source"):
        detector = training.fit_detector(table, recipes=FAST)
    assert detector.about["tracks"] == {"human": 30, "ai": 30}
    assert detector.about["metrics"]["human"] == 30
    assert error_rates(detector.about, seconds=90.0) == {}  # none of sources that it never saw


def test_a_model_states_its_rates_by_source_and_what_too_few_tracks_cannot_promise() -> None:
    with pytest.warns(UserWarning, match="80 human tracks of all lengths cannot promise"):
        detector = training.fit_detector(made_up(strength=2.0), recipes=FAST[1:2])
    for stated in (detector.about["metrics"], detector.about["metrics_by_length"]["long"]):
        assert (stated["human_sources"], stated["ai_sources"]) == (8, 8)
        assert stated["human_effective"] < stated["human"]
        assert stated["false_positives_high"] > wilson(stated["false_positives"] * 80, 80)[1]


def test_a_detector_of_a_fold_saw_no_source_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    table = made_up(tracks=80, sources=10)
    learned: list[tuple[object, set[str]]] = []

    def spy(*args: object) -> object:
        expert = fitting.fit_expert(*args)  # type: ignore[arg-type]
        learned.append((expert, set(table.column("source")[args[-1]].tolist())))
        return expert

    monkeypatch.setattr(heldout, "fit_expert", spy)
    monkeypatch.setattr(heldout, "usable", lambda recipes, table: FAST)
    detectors, fold_of_source = training.fold_detectors(table, folds=3)
    assert set(fold_of_source) == set(table.column("source").tolist())
    for number, detector in detectors.items():
        own = {source for source, fold in fold_of_source.items() if fold == number}
        for expert in detector.experts:
            (sources,) = (sources for known, sources in learned if known is expert)
            assert sources
            assert not sources & own


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(({"max_false_positive_rate": rate}, "between 0 and 1") for rate in (0.0, 1.0, 5.0, -1.0, float("nan"))),
        ({"augment": -1}, "augment"),
        ({"simulate": -1}, "simulate"),
    ],
)
def test_numbers_that_are_none_are_refused_before_anything_is_measured(
    options: dict[str, float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "table_of", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(ValueError, match=words):
        training.train([], **options)


@pytest.mark.parametrize("place", [".", "nowhere/own.model"])
def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_measured(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "table_of", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(OutputError, match=str(tmp_path / place)):
        training.train([], out=tmp_path / place)


def test_tracks_that_are_left_out_are_told(tmp_path: Path, song_path: Path) -> None:
    tracks = [LabelledTrack(tmp_path / "gone.mp3", "ai", "s1"), LabelledTrack(song_path, "human", "s2")]
    with pytest.warns(UserWarning, match=r"1 of 2 tracks left out.*gone\.mp3"), pytest.raises(TrainingError):
        training.train(tracks, augment=0, simulate=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("reached", [0.55, 0.75])
def test_a_model_that_tells_little_says_so_and_all_know_their_tracks_again(
    reached: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Detector((), None, {}, None, None, {"metrics": {"auroc": reached}})  # type: ignore[arg-type]
    monkeypatch.setattr(training, "fit_detector", lambda *_, **__: made)
    table = made_up(tracks=4)
    if reached < 0.6:
        with pytest.warns(UserWarning, match=r"AUROC 0\.55.*little"):
            detector = training.train(table)
    else:
        detector = training.train(table)
    assert detector.about["plain"] == table.digest()
