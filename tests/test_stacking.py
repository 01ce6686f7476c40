from __future__ import annotations

import numpy as np
import pytest
from tables import made_up

from aidetect import stacking
from aidetect.combiner import combine
from aidetect.heldout import HeldOut


def test_combiner_never_turns_an_expert_against_itself() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(200) % 2 == 0
    scores = {
        "good": (2.0 * ai + rng.standard_normal(200)).astype(np.float32),
        "voice": rng.standard_normal(200).astype(np.float32),
        "inverse": (-1.0 * ai + rng.standard_normal(200)).astype(np.float32),
    }
    found = stacking.fit_combiners(scores, np.ones(200, bool), ai, np.ones(200, np.float32), seconds=np.full(200, 90.0))
    assert found["vocal"].weights["good"] > 0.5
    assert found["vocal"].weights["inverse"] == 0.0
    assert "voice" not in found["instrumental"].weights


def test_an_expert_is_heard_between_what_most_and_what_hardly_any_people_score() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(400) % 2 == 0
    scores = {"one": (4.0 * ai + rng.standard_normal(400)).astype(np.float32)}
    combiner = stacking.fit_combiners(
        scores, np.ones(400, bool), ai, np.ones(400, np.float32), seconds=np.full(400, 90.0)
    )["vocal"]

    def evidence(*at: float) -> np.ndarray:
        return combiner.evidence({"one": np.array(at, dtype=np.float32)})["one"]

    assert np.ptp(evidence(-8.0, -2.0)) < 0.01
    assert np.ptp(evidence(5.0, 20.0)) < 0.01  # one in 200 of people's tracks reaches about 2.6
    rise = np.diff(evidence(0.0, 1.0, 2.0))
    assert (rise > 0.3).all()
    for start, end in ((-4.0, 2.0), (3.0, -1.0), (2.5, 2.5), (6.0, 12.0)):
        rise = float(np.diff(evidence(start - 0.01, end + 0.01))[0])
        assert combiner.gain("one", start, end) * (end - start + 0.02) == pytest.approx(rise, rel=0.05, abs=0.02)


def test_an_expert_that_abstains_speaks_for_neither_side() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(400) % 2 == 0
    told = (3.0 * ai + rng.standard_normal(400)).astype(np.float32)
    other = (2.0 * ai + rng.standard_normal(400)).astype(np.float32)
    sings, ones, seconds = np.ones(400, bool), np.ones(400, np.float32), np.full(400, 90.0, np.float32)
    mute = np.arange(400) % 3 == 0
    scores = {"one": np.where(mute, np.float32(np.nan), told), "other": other}
    combiners = stacking.fit_combiners(scores, sings, ai, ones, seconds=seconds)
    heard = stacking.fit_combiners(
        {k: v[~mute] for k, v in scores.items()}, *(x[~mute] for x in (sings, ai, ones)), seconds=seconds[~mute]
    )
    assert combiners["vocal"].floors["one"] == pytest.approx(heard["vocal"].floors["one"])
    assert combiners["vocal"].centres["one"] == pytest.approx(heard["vocal"].centres["one"])
    assert combiners["vocal"].weights["one"] == pytest.approx(heard["vocal"].weights["one"], rel=0.2)
    logits, evidence = combine(scores, sings, combiners, seconds=seconds)
    assert np.isnan(evidence["one"]).tolist() == mute.tolist()
    alone = combiners["vocal"]
    np.testing.assert_allclose(
        logits[mute], alone.reliance(seconds[mute]) * (alone.evidence(scores)["other"] + alone.bias)[mute], rtol=1e-4
    )


def test_short_tracks_count_less_where_they_tell_less() -> None:
    rng = np.random.default_rng(0)
    ai, seconds = np.arange(2000) % 2 == 0, np.tile([10.0, 10.0, 120.0, 120.0], 500).astype(np.float32)
    told = np.where(seconds > 60.0, 3.0, 0.3) * (ai - 0.5) + rng.standard_normal(2000)
    weight, sings = np.ones(2000, np.float32), np.zeros(2000, bool)
    combiner = stacking.fit_combiners({"one": told.astype(np.float32)}, sings, ai, weight, seconds=seconds)["vocal"]
    short, long, longer = combiner.reliance(np.array([10.0, 120.0, 3600.0], dtype=np.float32))
    assert 0.0 < short < 0.7 * long
    assert longer == pytest.approx(long, rel=0.05)


def test_length_alone_is_no_evidence() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(1000) % 2 == 0
    seconds = np.where(rng.random(1000) < np.where(ai, 0.9, 0.1), 10.0, 120.0).astype(np.float32)
    scores, sings = {"one": rng.standard_normal(1000).astype(np.float32)}, np.zeros(1000, bool)
    combiners = stacking.fit_combiners(scores, sings, ai, np.ones(1000, np.float32), seconds=seconds)
    logits, _ = combine(scores, sings, combiners, seconds=seconds)
    assert np.abs(logits).max() < 0.3  # a probability between 0.43 and 0.57


def test_tracks_that_no_family_fold_predicts_teach_nothing() -> None:
    table = made_up(tracks=160, strength=1.0)
    rng, ai = np.random.default_rng(0), table.column("label") == "ai"
    score = (1.5 * ai + rng.standard_normal(160)).astype(np.float32)
    sings, fold = np.ones(160, dtype=bool), np.arange(160) // 32
    known = HeldOut({"one": score}, sings, fold)
    left = np.where(ai & (np.arange(160) < 80), -1, fold)

    def taught(of_unpredicted: float) -> stacking.Combiner:
        own = np.where(left >= 0, score, np.float32(of_unpredicted))
        lesson = stacking.Lesson.of(table, known, HeldOut({"one": own}, sings, left))
        weight = lesson.parts[1][1]
        assert weight[ai].sum() == pytest.approx(weight[~ai].sum(), rel=1e-5)
        return lesson.combiners(np.ones(160, dtype=bool))["vocal"]

    assert taught(0.0) == taught(-50.0)
