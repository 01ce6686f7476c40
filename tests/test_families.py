from __future__ import annotations

from dataclasses import replace

import families
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


def test_no_source_teaches_and_is_looked_for(table: FeatureTable) -> None:
    own, source = table.column("generator") == "yue", table.column("source")
    for seed in range(5):
        learn, test = families.draw(table, own, seed=seed)
        assert learn.sum() == 20
        assert test.any()
        assert not (learn | test)[~own].any()
        assert not set(source[learn].tolist()) & set(source[test].tolist())


def test_one_source_teaches_half_of_its_tracks_and_holds_the_rest(table: FeatureTable) -> None:
    own = table.column("generator") == "udio"
    learn, test = families.draw(table, own, seed=0)
    assert learn.sum() == test.sum() == 20
    assert not (learn & test).any()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_generator_is_left_out_with_its_kin(table: FeatureTable, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = training.fit_detector(table, recipes=FAST)
    met: list[set[str]] = []

    def spy(detector: object, base: FeatureTable, *args: object, **kwargs: object) -> object:
        met.append(set(base.column("generator").tolist()))
        return detector

    monkeypatch.setattr(families, "with_addition", spy)
    suno, udio = families.additions(table, shipped=shipped, popular=("suno-v5", "udio"), draws=1)
    assert met == [{"human", "udio", "yue"}, {"human", "suno-v3", "suno-v5", "yue"}]
    assert suno["left_out"] == ["suno-v3", "suno-v5"]
    assert (suno["tested_on"], suno["sources"]) == ("other sources", 5)
    assert udio["tested_on"] == "the only source, which also taught"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_all_else_is_measured_before_and_after_on_the_same_tracks(table: FeatureTable) -> None:
    found = families.others(table, name="suno-v5", recipes=FAST)
    assert found["left_out"] == ["suno-v3", "suno-v5"]
    assert (found["taught"], found["people"], found["ai"]) == (20, 160, 80)
    assert min(found["before"], found["after"]) > 0.9
