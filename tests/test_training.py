from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from tables import NAMES, made_up, with_twins

from aidetect import fitting, training
from aidetect.errors import TrainingError
from aidetect.experts import Views

FAST = tuple(r for r in fitting.RECIPES if r.name in ("peaks", "texture_net", "dynamics", "voice"))


def test_tracks_of_one_source_group_or_title_stay_together() -> None:
    table = made_up(tracks=40, sources=8)
    rows = [dict(row) for row in table.rows]
    rows[0]["group"] = rows[3]["group"] = "one song"
    rows[1]["title"], rows[6]["title"] = "Same", "same"
    rows[8]["title"] = rows[15]["title"] = "Untitled"
    groups = training.split_groups(replace(table, rows=tuple(rows)))
    source = table.column("source")
    for name in set(source.tolist()):
        assert len(set(groups[source == name].tolist())) == 1
    assert groups[0] == groups[3]
    assert groups[1] == groups[6]


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    table = made_up()
    fold, groups = training.folds_of(table), training.split_groups(table)
    for group in set(groups.tolist()):
        assert len(set(fold[groups == group].tolist())) == 1
    assert set(fold.tolist()) == set(range(5))


def test_weights_balance_classes_and_tame_big_sources() -> None:
    table = made_up(tracks=100, sources=4)
    rows = [dict(row) for row in table.rows]
    for row in rows[:80]:
        row["source"], row["generator"] = ("big-ai", "suno") if row["label"] == "ai" else ("big", "human")
    weight = training.row_weights(replace(table, rows=tuple(rows)))
    ai = table.column("label") == "ai"
    assert weight[ai].sum() == pytest.approx(weight[~ai].sum(), rel=1e-4)
    assert weight[0] < weight[80]
    assert weight[:80].sum() > weight[80:].sum()


def test_flattened_trees_predict_like_the_model_they_come_from() -> None:
    table = made_up()
    views, ai = table.views(), table.column("label") == "ai"
    recipe = next(r for r in fitting.RECIPES if r.name == "texture")
    weight = np.ones(len(ai), np.float32)
    expert = fitting.fit_expert(recipe, table, views, weight, np.arange(len(ai)))
    columns = [NAMES.index(name) for name in expert.columns]
    model = GradientBoostingClassifier(
        n_estimators=500, learning_rate=0.035, max_depth=5, min_samples_leaf=12, subsample=0.6,
        max_features=min(12, len(columns)), random_state=0,
    ).fit(table.values[:, columns], ai)  # fmt: skip
    np.testing.assert_allclose(expert.score(views), model.decision_function(table.values[:, columns]), atol=1e-3)


def test_explanations_add_up_to_the_score() -> None:
    table = with_twins(made_up())
    views = table.views()
    one = Views(table.values[:1], table.details[:1], table.modulation[:1])
    rows, weight = np.arange(len(table)), np.ones(len(table), np.float32)
    for recipe in fitting.RECIPES:
        expert = fitting.fit_expert(recipe, table, views, weight, rows)
        total = sum(part.weight for part in expert.explain(one))
        at_mean = expert.bias if recipe.kind == "linear" else None
        if at_mean is not None:
            assert total + at_mean == pytest.approx(float(expert.score(one)[0]), abs=1e-3), recipe.name
        if recipe.kind == "trees":
            base = expert.bias + float(expert.value[expert.roots].sum())
            assert total + base == pytest.approx(float(expert.score(one)[0]), abs=1e-3), recipe.name


def test_what_can_be_learned_is_learned_and_chance_stays_chance() -> None:
    from aidetect.evaluation import auroc

    for strength, low, high in ((4.0, 0.9, 1.0), (0.0, 0.25, 0.75)):
        table = made_up(strength=strength)
        ai = table.column("label") == "ai"
        found = training.out_of_source(table, training.folds_of(table), recipes=FAST)
        logits, _ = training.cross_fitted(found, training.Lesson.of(table, found, None))
        assert low <= auroc(logits, ai) <= high


def test_a_missing_feature_counts_as_typical() -> None:
    table = made_up()
    views = table.views()
    rows, weight = np.arange(len(table)), np.ones(len(table), np.float32)
    for name in ("texture", "dynamics", "texture_net"):
        recipe = next(r for r in fitting.RECIPES if r.name == name)
        expert = fitting.fit_expert(recipe, table, views, weight, rows)
        gone = Views(np.full_like(table.values[:1], np.nan), table.details[:1], table.modulation[:1])
        assert abs(float(expert.score(gone)[0])) < np.abs(expert.score(views)).max()


def test_the_gate_learns_who_sings() -> None:
    table = made_up()
    gate = fitting.fit_gate(table, np.arange(len(table)))
    said = gate.score(table.views()) > 0
    assert (said == (table.column("vocals") == "yes")).mean() > 0.9


def test_combiner_never_turns_an_expert_against_itself() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(200) % 2 == 0
    scores = {
        "good": (2.0 * ai + rng.standard_normal(200)).astype(np.float32),
        "voice": rng.standard_normal(200).astype(np.float32),
        "inverse": (-1.0 * ai + rng.standard_normal(200)).astype(np.float32),
    }
    found = training.fit_combiners(scores, np.ones(200, bool), ai, np.ones(200, np.float32), seconds=np.full(200, 90.0))
    assert found["vocal"].weights["good"] > 0.5
    assert found["vocal"].weights["inverse"] == 0.0
    assert "voice" not in found["instrumental"].weights


def test_an_expert_is_heard_between_what_people_and_what_generators_score() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(400) % 2 == 0
    scores = {"one": (4.0 * ai + rng.standard_normal(400)).astype(np.float32)}
    combiner = training.fit_combiners(
        scores, np.ones(400, bool), ai, np.ones(400, np.float32), seconds=np.full(400, 90.0)
    )["vocal"]

    def evidence(*at: float) -> np.ndarray:
        return combiner.evidence({"one": np.array(at, dtype=np.float32)})["one"]

    assert np.ptp(evidence(-8.0, -2.0)) < 0.01
    assert np.ptp(evidence(7.0, 20.0)) < 0.01
    rise = np.diff(evidence(0.0, 1.0, 2.0, 3.0, 4.0))
    assert (rise > 0.3).all()
    for start, end in ((-4.0, 2.0), (3.0, -1.0), (2.5, 2.5), (6.0, 12.0)):
        rise = float(np.diff(evidence(start - 0.01, end + 0.01))[0])
        assert combiner.gain("one", start, end) * (end - start + 0.02) == pytest.approx(rise, rel=0.05, abs=0.02)


def test_short_tracks_count_less_where_they_tell_less() -> None:
    rng = np.random.default_rng(0)
    ai, seconds = np.arange(2000) % 2 == 0, np.tile([10.0, 10.0, 120.0, 120.0], 500).astype(np.float32)
    told = np.where(seconds > 60.0, 3.0, 0.3) * (ai - 0.5) + rng.standard_normal(2000)
    weight, sings = np.ones(2000, np.float32), np.zeros(2000, bool)
    combiner = training.fit_combiners({"one": told.astype(np.float32)}, sings, ai, weight, seconds=seconds)["vocal"]
    short, long, longer = combiner.reliance(np.array([10.0, 120.0, 3600.0], dtype=np.float32))
    assert 0.0 < short < 0.7 * long
    assert longer == pytest.approx(long, rel=0.05)


def test_length_alone_is_no_evidence() -> None:
    from aidetect.detector import combine

    rng = np.random.default_rng(0)
    ai = np.arange(1000) % 2 == 0
    seconds = np.where(rng.random(1000) < np.where(ai, 0.9, 0.1), 10.0, 120.0).astype(np.float32)
    scores, sings = {"one": rng.standard_normal(1000).astype(np.float32)}, np.zeros(1000, bool)
    combiners = training.fit_combiners(scores, sings, ai, np.ones(1000, np.float32), seconds=seconds)
    logits, _ = combine(scores, sings, combiners, seconds=seconds)
    assert np.abs(logits).max() < 0.3  # a probability between 0.43 and 0.57


FAMILIES = ("suno", "udio", "yue", "musicgen")


def test_a_family_is_kept_out_together_with_the_sources_it_is_tested_beside() -> None:
    table = made_up(generators=FAMILIES)
    ai, source = table.column("label") == "ai", table.column("source")
    fold = training.family_folds(table)
    assert fold is not None
    for name in FAMILIES:
        assert len(set(fold[ai & (table.column("generator") == name)].tolist())) == 1
    assert len(set(fold[ai].tolist())) == 4
    for name in set(source[~ai].tolist()):
        assert len(set(fold[~ai & (source == name)].tolist())) == 1
    assert training.family_folds(made_up()) is None  # two families: too few to learn from


def test_experts_of_a_fold_learn_nothing_of_its_family_nor_of_other_tracks_of_its_sources() -> None:
    table = made_up(generators=FAMILIES, tracks=320, sources=32)
    rows = [dict(row) for row in table.rows]
    other = next(i for i, row in enumerate(rows) if row["generator"] == "suno")
    rows[other]["source"] = next(row["source"] for row in rows if row["generator"] == "udio")
    table = replace(table, rows=tuple(rows))
    own = table.column("generator") == "udio"
    kept_out = own | (np.arange(len(table)) == other)
    values = table.values.copy()
    values[kept_out, NAMES.index("band_crest_2000_6000hz")] += 6.0
    recipes = tuple(r for r in fitting.RECIPES if r.name == "dynamics")
    found = [training.out_of_family(t, recipes=recipes) for t in (table, replace(table, values=values))]
    number = int(found[0].fold[own][0])
    for fold in range(4):
        first, second = (f.experts[fold][0].weights for f in found)
        assert np.array_equal(first, second) == (fold == number)


def test_simulated_decoders_teach_without_any_generator() -> None:
    from aidetect.evaluation import auroc

    table = with_twins(made_up(strength=0.0, generators=FAMILIES))
    ai = table.column("label") == "ai"
    recipe = next(r for r in fitting.RECIPES if r.simulated)
    people = np.flatnonzero(~ai)
    expert = fitting.fit_expert(recipe, table, table.views(), np.ones(len(ai), np.float32), people)
    assert auroc(expert.score(table.views()), ai) > 0.9
    assert recipe not in fitting.usable(fitting.RECIPES, made_up())


def test_twins_of_sources_kept_out_are_kept_out() -> None:
    table = with_twins(made_up(strength=0.0))
    assert table.twins is not None
    recipe = next(r for r in fitting.RECIPES if r.simulated)
    ai, weight = table.column("label") == "ai", np.ones(len(table), np.float32)
    kept = np.flatnonzero(table.column("source") != "s1")
    other = table.twins.values.copy()
    other[table.twins.column("source") == "s1"] = 99.0
    changed = replace(table, twins=replace(table.twins, values=other))
    first, second = (fitting.fit_expert(recipe, t, t.views(), weight, kept) for t in (table, changed))
    np.testing.assert_array_equal(first.score(table.views())[ai], second.score(table.views())[ai])


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
