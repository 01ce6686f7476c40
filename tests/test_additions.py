from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tables import made_up

from aidetect import additions, fitting, training
from aidetect.analysis import GRID
from aidetect.dataset import FeatureTable, save_table
from aidetect.detector import Detector
from aidetect.errors import LabelsError, OutputError
from aidetect.prevalence import recalibrated

RECIPES = tuple(
    r for r in fitting.RECIPES if r.name in ("peaks", "lines", "texture_net", "signatures", "dynamics", "voice")
)


def newcomer(*, tracks: int, seed: int) -> FeatureTable:
    """Tracks of a generator with lines where no other has them, and nothing else to tell it by."""
    table = made_up(tracks=2 * tracks, strength=0.0, seed=seed).take(np.arange(2 * tracks) % 2 == 0)
    details = table.details.copy()
    details[:, np.arange(630, len(GRID) - 1, 90)] += np.int8(20)
    return replace(table, details=details, rows=tuple({**r, "generator": "new", "source": "added"} for r in table.rows))


def test_a_new_generator_is_learned_and_named() -> None:
    base = made_up(strength=2.0)
    before = training.fit_detector(base, recipes=RECIPES)
    after = additions.with_addition(before, base, newcomer(tracks=20, seed=1), generator="new")
    fresh = newcomer(tracks=20, seed=2)
    views = fresh.views()
    assert np.mean(before.decide(views, seconds=fresh.seconds())[0] > 0) < 0.6
    assert np.mean(after.decide(views, seconds=fresh.seconds())[0] > 0) > 0.9
    assert after.version.endswith("+new")
    assert after.about["additions"][-1]["tracks"] == 20
    known = base.views()
    ai = base.column("label") == "ai"
    assert np.mean((after.decide(known, seconds=base.seconds())[0] > 0) == ai) > 0.9


def test_an_addition_undoes_a_recalibration_in_words() -> None:
    base = made_up(strength=2.0)
    own = training.fit_detector(base, recipes=RECIPES[:3])
    scores = {"short": [], "long": np.linspace(0.0, 0.2, 150).tolist()}
    thresholds, note = recalibrated(own.thresholds, own.about, scores, rate=0.01)
    about = {**own.about, "version": f"{own.version}+recalibrated", "recalibration": note}
    tuned = replace(own, thresholds=thresholds, about=about)
    with pytest.warns(UserWarning, match="recalibrate again"):
        after = additions.with_addition(tuned, base, newcomer(tracks=8, seed=1), generator="new")
    assert after.thresholds == own.thresholds
    assert after.version == f"{own.version}+new"
    assert "recalibration" not in after.about


def test_an_addition_is_heard_only_beyond_people() -> None:
    base = made_up(strength=2.0)
    before = training.fit_detector(base, recipes=RECIPES)
    after = additions.with_addition(before, base, newcomer(tracks=20, seed=1), generator="new")
    name = "signature of new"
    fresh = newcomer(tracks=20, seed=2)
    evidence = after.decide(fresh.views(), seconds=fresh.seconds())[1][name]
    people = made_up(strength=2.0, seed=3).take(base.column("label") == "human")
    silent = after.decide(people.views(), seconds=people.seconds())[1][name]
    # Measured by 80 people's tracks: at most log(80 / 6), times the factor of the length.
    seconds = np.float32([90.0])
    vocal, instrumental = (float(after.combiners[kind].reliance(seconds)[0]) for kind in ("vocal", "instrumental"))
    most = np.log(80 / 6) * np.where(after.sings(fresh.views()), vocal, instrumental)
    np.testing.assert_allclose(evidence, most, rtol=0.1)
    assert np.quantile(silent, 0.9) < 0.1 * most.min()
    assert [e.name for e in after.experts].count(name) == 1
    again = additions.with_addition(after, base, newcomer(tracks=20, seed=1), generator="new")
    assert [e.name for e in again.experts].count(name) == 1


def test_evidence_of_an_addition_grows_with_the_people_it_is_measured_by() -> None:
    detector = Detector.load()
    rng = np.random.default_rng(0)
    given = []
    for count in (100, 1000):
        people = rng.standard_normal(count).astype(np.float32)
        combiner = additions.heard_by(detector.combiners, "signature of new", people)["vocal"]
        scores = {name: np.zeros(3, np.float32) for name in combiner.weights}
        scores["signature of new"] = np.array([0.0, people.max(), 9.0], np.float32)
        found = combiner.evidence(scores)["signature of new"]
        assert found[0] == pytest.approx(0.0, abs=1e-3)
        assert found[2] == pytest.approx(np.log(count / 6), rel=0.02)
        assert found[1] < found[2]
        given.append(found[2])
    assert given[1] - given[0] == pytest.approx(np.log(10.0), rel=0.02)
    few = additions.heard_by(detector.combiners, "signature of new", np.zeros(5, np.float32))["vocal"]
    assert few.weights["signature of new"] == 0.0


def test_a_taught_model_is_saved_and_read(tmp_path: Path) -> None:
    base = made_up(strength=2.0)
    before = training.fit_detector(base, recipes=RECIPES)
    after = additions.with_addition(before, base, newcomer(tracks=4, seed=1), generator="new")
    after.save(tmp_path / "taught.model")
    fresh = newcomer(tracks=8, seed=2)
    first, second = (
        d.decide(fresh.views(), seconds=fresh.seconds())[0] for d in (after, Detector.load(tmp_path / "taught.model"))
    )
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_model_is_taught_on_its_own_table_only(tmp_path: Path) -> None:
    base = made_up(strength=2.0)
    own = training.fit_detector(base, recipes=RECIPES)
    save_table(made_up(strength=2.0, seed=5), tmp_path / "other")
    with pytest.raises(LabelsError, match=r"other: the model .* was not trained on it"):
        additions.add_generator([], generator="new", detector=own, table=tmp_path / "other")
    with pytest.raises(LabelsError, match="comes with the library"):
        additions.add_generator([], generator="new", detector=own)


def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere" / "x.model"):
        with pytest.raises(OutputError, match=str(place)):
            additions.add_generator(tmp_path / "none", generator="new", detector=object(), out=place)
    with pytest.raises(ValueError, match="augment"):
        additions.add_generator(tmp_path / "none", generator="new", detector=object(), augment=-1)


def test_a_generator_taught_by_next_to_nothing_is_doubted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base = made_up(strength=2.0)
    save_table(base, tmp_path)
    before = training.fit_detector(base, recipes=RECIPES[:2])
    few = newcomer(tracks=3, seed=1)
    monkeypatch.setattr(additions, "table_of", lambda *_, **__: few)
    with pytest.warns(UserWarning, match=r"'new' is taught by 3 track\(s\) only"):
        additions.add_generator([], generator="new", detector=before, table=tmp_path)
