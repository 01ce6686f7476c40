from __future__ import annotations

from dataclasses import replace

import numpy as np
from tables import NAMES, made_up, sped_up

from aidetect import fitting, heldout, splits

FAMILIES = ("suno", "udio", "yue", "musicgen")


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
