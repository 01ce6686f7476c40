from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from tables import NAMES, made_up

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
    expert = fitting.fit_expert(recipe, views, ai, weight, np.arange(len(ai)))
    columns = [NAMES.index(name) for name in expert.columns]
    model = GradientBoostingClassifier(
        n_estimators=250, learning_rate=0.07, max_depth=5, min_samples_leaf=12, subsample=0.6,
        max_features=min(12, len(columns)), random_state=0,
    ).fit(table.values[:, columns], ai)  # fmt: skip
    np.testing.assert_allclose(expert.score(views), model.decision_function(table.values[:, columns]), atol=1e-3)


def test_explanations_add_up_to_the_score() -> None:
    table = made_up()
    views, ai = table.views(), table.column("label") == "ai"
    one = Views(table.values[:1], table.details[:1], table.modulation[:1])
    rows, weight = np.arange(len(ai)), np.ones(len(ai), np.float32)
    for recipe in fitting.RECIPES:
        expert = fitting.fit_expert(recipe, views, ai, weight, rows)
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
        logits, _ = training.cross_fitted(found, ai, training.row_weights(table))
        assert low <= auroc(logits, ai) <= high


def test_a_missing_feature_counts_as_typical() -> None:
    table = made_up()
    views, ai = table.views(), table.column("label") == "ai"
    rows, weight = np.arange(len(ai)), np.ones(len(ai), np.float32)
    for name in ("texture", "dynamics", "texture_net"):
        recipe = next(r for r in fitting.RECIPES if r.name == name)
        expert = fitting.fit_expert(recipe, views, ai, weight, rows)
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
    found = training.fit_combiners(scores, np.ones(200, bool), ai, np.ones(200, np.float32))
    assert found["vocal"].weights["good"] > 0.5
    assert found["vocal"].weights["inverse"] == 0.0
    assert "voice" not in found["instrumental"].weights


def test_too_few_tracks_are_refused_in_words() -> None:
    with pytest.raises(TrainingError, match="at least"):
        training.fit_detector(made_up(tracks=10, sources=4))


def test_a_class_of_one_source_is_trained_with_a_warning() -> None:
    table = made_up(tracks=60, sources=2)
    with pytest.warns(UserWarning, match="1 source"):
        detector = training.fit_detector(table, recipes=FAST)
    assert detector.about["tracks"] == {"human": 30, "ai": 30}
