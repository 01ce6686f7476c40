from __future__ import annotations

from dataclasses import replace

import pytest
from tables import made_up

from aidetect import splits

FAMILIES = ("suno", "udio", "yue", "musicgen")


def test_tracks_of_one_source_group_or_title_stay_together() -> None:
    table = made_up(tracks=40, sources=8)
    rows = [dict(row) for row in table.rows]
    rows[0]["group"] = rows[3]["group"] = "one song"
    rows[1]["title"], rows[6]["title"] = "Same", "same"
    rows[8]["title"] = rows[15]["title"] = "Untitled"
    groups = splits.split_groups(replace(table, rows=tuple(rows)))
    source = table.column("source")
    for name in set(source.tolist()):
        assert len(set(groups[source == name].tolist())) == 1
    assert groups[0] == groups[3]
    assert groups[1] == groups[6]


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    table = made_up()
    fold, groups = splits.folds_of(table), splits.split_groups(table)
    for group in set(groups.tolist()):
        assert len(set(fold[groups == group].tolist())) == 1
    assert set(fold.tolist()) == set(range(5))


def test_weights_balance_classes_and_tame_big_sources() -> None:
    table = made_up(tracks=100, sources=4)
    rows = [dict(row) for row in table.rows]
    for row in rows[:80]:
        row["source"], row["generator"] = ("big-ai", "suno") if row["label"] == "ai" else ("big", "human")
    weight = splits.row_weights(replace(table, rows=tuple(rows)))
    ai = table.column("label") == "ai"
    assert weight[ai].sum() == pytest.approx(weight[~ai].sum(), rel=1e-4)
    assert weight[0] < weight[80]
    assert weight[:80].sum() > weight[80:].sum()


def test_a_family_is_kept_out_together_with_the_sources_it_is_tested_beside() -> None:
    table = made_up(generators=FAMILIES)
    ai, source = table.column("label") == "ai", table.column("source")
    fold = splits.family_folds(table)
    assert fold is not None
    for name in FAMILIES:
        assert len(set(fold[ai & (table.column("generator") == name)].tolist())) == 1
    assert len(set(fold[ai].tolist())) == 4
    for name in set(source[~ai].tolist()):
        assert len(set(fold[~ai & (source == name)].tolist())) == 1
    assert splits.family_folds(made_up()) is None  # two families: too few to learn from
