from __future__ import annotations

from dataclasses import replace

import families
import numpy as np
import pytest
from tables import made_up

from aidetect import fitting, training
from aidetect.dataset import FeatureTable

FAST = tuple(r for r in fitting.RECIPES if r.name in ("signatures", "dynamics", "voice"))


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    """40 tracks each of two versions of one system and of two others, of five sources each; udio has one."""
    made = made_up(tracks=320, strength=2.0)
    rows = [dict(row) for row in made.rows]
    for i, row in enumerate(rows):
        n = i // 2
        if row["label"] == "ai":
            row["generator"] = ("suno-v3", "suno-v5", "udio", "yue")[n % 4]
            row["source"] = row["generator"] + (str(n // 4 % 5) if row["generator"] != "udio" else "")
    return replace(made, rows=tuple(rows))


def test_every_source_is_looked_for_once_and_taught_by_the_others(table: FeatureTable) -> None:
    own, source = table.column("generator") == "yue", table.column("source")
    found = families.lessons(table, own)
    assert len(found) == 5
    assert (np.sum([test for _, test in found], axis=0) == own).all()
    for learn, test in found:
        assert learn.sum() == 20
        assert not learn[~own].any()
        assert not set(source[learn].tolist()) & set(source[test].tolist())


def test_tracks_of_all_sources_teach_and_hold_the_rest(table: FeatureTable) -> None:
    own, source = table.column("generator") == "yue", table.column("source")
    found = families.lessons(table, own, mixed=True, draws=2)
    assert len(found) == 2
    for learn, test in found:
        assert learn.sum() == test.sum() == 20
        assert ((learn ^ test) == own).all()
        assert set(source[learn].tolist()) & set(source[test].tolist())


def test_one_source_teaches_half_of_its_tracks_and_holds_the_rest(table: FeatureTable) -> None:
    own = table.column("generator") == "udio"
    found = families.lessons(table, own, draws=3)
    assert len(found) == 3
    for learn, test in found:
        assert learn.sum() == test.sum() == 20
        assert ((learn ^ test) == own).all()


def test_a_name_is_of_a_generator_or_else_of_a_family(table: FeatureTable) -> None:
    generator = table.column("generator")
    np.testing.assert_array_equal(families.of_name(table, "suno-v5"), generator == "suno-v5")
    np.testing.assert_array_equal(families.of_name(table, "suno"), np.char.startswith(generator, "suno"))
    np.testing.assert_array_equal(families.of_name(table, "udio"), generator == "udio")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_generator_is_left_out_with_its_kin(table: FeatureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = training.fit_detector(table, recipes=FAST)
    met: list[set[str]] = []

    def spy(detector: object, base: FeatureTable, *args: object, **kwargs: object) -> object:
        met.append(set(base.column("generator").tolist()))
        return detector

    monkeypatch.setattr(families, "with_addition", spy)
    suno, udio = families.additions(table, shipped=shipped, popular=("suno-v5", "udio"), draws=1)
    assert met == [{"human", "udio", "yue"}] * 6 + [{"human", "suno-v3", "suno-v5", "yue"}]
    assert len(suno["drawn_from_all"]["lessons"]) == 1
    assert "drawn_from_all" not in udio
    assert suno["left_out"] == ["suno-v3", "suno-v5"]
    assert [len(found["lessons"]) for found in (suno, udio)] == [5, 1]
    tested = [lesson["tested"] for lesson in suno["lessons"]]
    shares = [lesson["found_before"] / lesson["tested"] for lesson in suno["lessons"]]
    assert suno["found_before"] == pytest.approx(np.average(shares, weights=tested), abs=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_family_is_taught_under_one_name(table: FeatureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = training.fit_detector(table, recipes=FAST)
    taught: list[set[str]] = []

    def spy(detector: object, _: FeatureTable, new: FeatureTable, **__: object) -> object:
        taught.append(set(new.column("generator").tolist()))
        return detector

    monkeypatch.setattr(families, "with_addition", spy)
    (suno,) = families.additions(table, shipped=shipped, popular=("suno",), draws=1)
    assert taught == [{"suno"}] * 11
    assert suno["sources"] == 10
    assert sum(lesson["tested"] for lesson in suno["lessons"]) == 80


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_all_else_is_measured_before_and_after_on_the_same_tracks(table: FeatureTable) -> None:
    found = families.others(table, name="suno-v5", recipes=FAST)
    assert found["left_out"] == ["suno-v3", "suno-v5"]
    assert (found["taught"], found["people"], found["ai"]) == (20, 160, 80)
    assert min(found["before"], found["after"]) > 0.9
