from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tables import NAMES, made_up, sped_up

from aidetect import alignment, evaluation, fitting, heldout, splits, training
from aidetect.dataset import FeatureTable
from aidetect.errors import TrainingError

FAMILIES = ("suno", "udio", "yue", "musicgen")
FAST = tuple(r for r in fitting.RECIPES if r.name in ("dynamics", "voice"))


def dealt(source: Callable[[int, str], str], generator: Callable[[int], str]) -> FeatureTable:
    """Deal the n-th pair of tracks, one by people and one AI, to sources and generators."""
    table = made_up(tracks=160)
    rows = [dict(row) for row in table.rows]
    for i, row in enumerate(rows):
        row["source"] = source(i // 2, row["label"])
        row["generator"] = generator(i // 2) if row["label"] == "ai" else ""
    return replace(table, rows=tuple(rows))


def all_families(n: int) -> str:
    """In every source all of them."""
    return FAMILIES[n // 5 % 4]


ONE_SOURCE = dealt(lambda n, label: "only" if label == "ai" else f"h{n % 5}", all_families)
ALL_IN_EVERY_SOURCE = dealt(lambda n, label: f"{label}{n % 5}", all_families)
SHARED_BY_BOTH_CLASSES = dealt(lambda n, label: f"s{n % 5}", all_families)


@pytest.mark.parametrize("shared", ["source", "group", "title"])
def test_experts_of_a_fold_learn_nothing_of_its_family_nor_of_what_belongs_to_its_tracks(shared: str) -> None:
    table = made_up(generators=FAMILIES, tracks=320, sources=32)
    rows = [dict(row) for row in table.rows]
    other, one = (next(row for row in rows if row["generator"] == name) for name in ("suno", "udio"))
    one[shared] = one.get(shared) or "the same"
    other[shared] = one[shared]
    table = replace(table, rows=tuple(rows))
    own = table.column("generator") == "udio"
    kept_out = own | (table.column("source") == other["source"])
    values = table.values.copy()
    values[kept_out, NAMES.index("band_crest_2000_6000hz")] += 6.0
    recipes = tuple(r for r in fitting.RECIPES if r.name == "dynamics")
    found = [heldout.out_of_family(t, recipes=recipes) for t in (table, replace(table, values=values))]
    number = int(found[0].fold[own][0])
    for fold in range(4):
        first, second = (f.experts[fold][0].weights for f in found)
        assert np.array_equal(first, second) == (fold == number)


def test_tracks_are_scored_with_their_speed_undone() -> None:
    table = made_up(strength=3.0)
    ai, altered = table.column("label") == "ai", np.arange(len(table)) % 8 < 2
    table = replace(table, **{
        name: np.where(altered[:, None], getattr(sped_up(table, factor=1.03), name), getattr(table, name))
        for name in ("details", "modulation")
    })  # fmt: skip
    recipes = [r for r in fitting.RECIPES if r.name in ("lines", "peaks", "signatures")]
    found = heldout.out_of_source(table, splits.folds_of(table), recipes=recipes)
    assert np.median(found.scores["lines"][ai & altered]) > 0.5 * np.median(found.scores["lines"][ai & ~altered]) > 0.0


def test_what_looks_generated_at_a_doubted_speed_only_gets_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    table, recipes = made_up(), [r for r in fitting.RECIPES if r.name == "signatures"]
    monkeypatch.setattr(
        alignment, "likely_speeds", lambda v, _: (np.full(len(v), 1.03), np.linspace(0.0, 28.0, len(v)))
    )
    found = heldout.out_of_source(table, splits.folds_of(table), recipes=recipes)
    assert 0.1 < found.doubted.mean() < 0.25  # from 9 to 14 of 28
    high, low = np.full(len(table), 0.6, dtype=np.float32), np.full(len(table), 0.4, dtype=np.float32)
    np.testing.assert_array_equal(found.withheld(table, high), found.doubted | found.withheld(table, low))
    assert (found.doubted & ~found.withheld(table, low)).any()


@pytest.mark.parametrize("table", [ONE_SOURCE, ALL_IN_EVERY_SOURCE, SHARED_BY_BOTH_CLASSES])
@pytest.mark.filterwarnings("ignore:a class comes from 1 source")
def test_families_that_cannot_be_left_out_with_their_sources_are_told_and_the_rest_is_trained(
    table: FeatureTable,
) -> None:
    with pytest.warns(UserWarning, match="known generators only"):
        detector = training.fit_detector(table, recipes=FAST)
    assert detector.about["generators"] == sorted(FAMILIES)


@pytest.mark.parametrize("table", [ALL_IN_EVERY_SOURCE, SHARED_BY_BOTH_CLASSES])
def test_families_that_cannot_be_left_out_with_their_sources_do_not_keep_from_cross_validation(
    table: FeatureTable,
) -> None:
    with pytest.warns(UserWarning, match="known generators only"):
        (found,) = evaluation.cross_validate(table, recipes=FAST)
    assert found.overall.ai == 80


def test_one_source_of_all_generators_is_refused_by_cross_validation_in_words() -> None:
    with pytest.raises(TrainingError, match="1 source"):
        evaluation.cross_validate(ONE_SOURCE, recipes=FAST)


def test_a_family_found_in_all_sources_is_not_predicted_and_the_others_are() -> None:
    own = ("suno", "suno", "udio", "yue", "noise2music")  # of every source, and one that all have
    table = dealt(lambda n, label: f"{label}{n % 5}", lambda n: "musicgen" if n % 4 == 0 else own[n % 5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = heldout.out_of_family(table, recipes=FAST)
    generator = table.column("generator")
    assert set(found.fold[generator == "musicgen"].tolist()) == {-1}
    assert (found.fold[~np.isin(generator, ["musicgen", ""])] >= 0).all()
    assert set(found.experts) == set(found.known) == set(found.fold.tolist()) - {-1}


def test_a_fold_that_holds_all_of_a_class_is_told_in_words() -> None:
    table = made_up(tracks=40)
    with pytest.raises(TrainingError, match="none labelled 'human'"):
        heldout.out_of_source(table, (table.column("label") == "ai").astype(np.int64), recipes=FAST)
