from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from tables import NAMES, made_up, with_twins

from aidetect import fitting
from aidetect.evaluation import auroc
from aidetect.experts import Views

FAMILIES = ("suno", "udio", "yue", "musicgen")


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


def test_simulated_decoders_teach_without_any_generator() -> None:
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
