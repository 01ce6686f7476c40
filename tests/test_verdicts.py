from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import beta

from aidetect.verdicts import (
    BRIEF,
    SHORT,
    Thresholds,
    choose_thresholds,
    cross_verdicts,
    design_effect,
    rate_interval,
    wilson,
)


def predictions(n: int, *, seed: int = 0, gap: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Half AI; log-odds `gap` apart with unit spread."""
    ai = np.arange(n) % 2 == 0
    logit = gap * (ai - 0.5) + np.random.default_rng(seed).standard_normal(n)
    return (1 / (1 + np.exp(-2 * logit))).astype(np.float32), ai


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_thresholds_keep_their_bounds(rate: float) -> None:
    p, ai = predictions(1000)
    long = np.full(1000, 90.0)
    limits = choose_thresholds(p, ai, long, max_false_positive_rate=rate, max_miss_rate=rate)
    verdict = limits.verdicts(p, seconds=long, withheld=np.zeros(1000, dtype=bool))
    assert (verdict[~ai] == "ai").mean() <= rate
    assert (verdict[ai] == "human").mean() <= rate
    assert limits.human <= limits.ai


@pytest.mark.parametrize("seconds", [90.0, 10.0])
def test_fresh_tracks_keep_the_bound_more_often_than_a_bare_count_would(seconds: float) -> None:
    lengths = np.full(1000, seconds)
    lengths[:200] = 100.0 - seconds  # enough for limits of their own
    kept = 0
    for seed in range(60):
        p, ai = predictions(1000, seed=seed)
        limits = choose_thresholds(p, ai, lengths, max_false_positive_rate=0.05)
        fresh, truth = predictions(40_000, seed=1000 + seed)
        kept += np.mean(fresh[~truth] >= limits.limits(seconds)[0]) <= 0.05
    assert kept >= 57  # 99 % are promised; 60 tries leave 95 %


def test_short_tracks_have_limits_of_their_own() -> None:
    p, ai = predictions(2000, gap=4.0)
    seconds = np.where(np.arange(2000) < 1000, 90.0, 10.0)
    worse, _ = predictions(2000, seed=1, gap=1.0)
    limits = choose_thresholds(np.where(seconds < SHORT, worse, p), ai, seconds)
    assert limits.limits(10.0)[0] > limits.limits(90.0)[0]
    between = 0.5 * (limits.ai + limits.ai_short)
    assert limits.verdict(between, seconds=SHORT) == "ai"
    assert limits.verdict(between, seconds=SHORT - 0.1) == "uncertain"


def test_a_threshold_falls_evenly_in_log_odds_with_the_logarithm_of_length() -> None:
    limits = Thresholds(ai=0.9, human=0.5, ai_short=0.99, human_short=0.4, falls_from=BRIEF)
    assert limits.limits(5.0) == limits.limits(BRIEF) == (0.99, 0.4)
    odds = np.array([limits.limits(s)[0] / (1.0 - limits.limits(s)[0]) for s in (BRIEF, 2.0 * BRIEF, 4.0 * BRIEF)])
    np.testing.assert_allclose(odds, (99.0, np.sqrt(99.0 * 9.0), 9.0), rtol=1e-9)
    assert limits.limits(2.0 * BRIEF)[1] == 0.4
    assert Thresholds(ai=0.9, human=0.5, ai_short=0.99).limits(SHORT - 0.1)[0] == 0.99


def worse_where_brief() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks of 90, 30 and 10 s, the last of which are harder to tell."""
    seconds = np.repeat([90.0, 30.0, 10.0], 1000)
    (good, ai), (bad, _) = predictions(3000, gap=5.0), predictions(3000, gap=2.0, seed=1)
    return np.where(seconds == 10.0, bad, good), ai, seconds


def test_the_threshold_falls_where_people_keep_the_bound_even_so() -> None:
    p, ai, seconds = worse_where_brief()
    limits = choose_thresholds(p, ai, seconds)
    assert limits.falls_from == BRIEF
    assert limits.ai < limits.limits(30.0)[0] < limits.ai_short
    given = limits.verdicts(p, seconds=seconds, withheld=np.zeros(3000, dtype=bool))
    assert (given[~ai & (seconds < SHORT)] == "ai").mean() <= 0.01
    flat = Thresholds(limits.ai, limits.human, limits.ai_short, limits.human_short)
    stepped = flat.verdicts(p, seconds=seconds, withheld=np.zeros(3000, dtype=bool))
    middle = ai & (seconds == 30.0)
    assert (given[middle] == "ai").mean() > (stepped[middle] == "ai").mean() + 0.03


def test_the_threshold_does_not_fall_where_people_break_the_bound_by_it_or_too_few_tell() -> None:
    p, ai, seconds = worse_where_brief()
    limits = choose_thresholds(p, ai, seconds)
    high = np.flatnonzero(~ai & (seconds == 30.0))[:30]
    raised = p.copy()
    raised[high] = 0.5 * (limits.limits(30.0)[0] + limits.ai_short)
    assert choose_thresholds(raised, ai, seconds).falls_from == SHORT
    few = (seconds != 30.0) | (np.arange(3000) < 1098)  # 49 human tracks of 30 s
    assert choose_thresholds(p[few], ai[few], seconds[few]).falls_from == SHORT
    longer = np.where(seconds == 90.0, 10.0, np.where(seconds == 10.0, 90.0, seconds))
    assert choose_thresholds(p, ai, longer).falls_from == SHORT  # nothing to fall to: long ones are harder


def test_people_without_a_verdict_set_no_threshold() -> None:
    p, ai = predictions(1000)
    long, silent = np.full(1000, 90.0), np.zeros(1000, dtype=bool)
    silent[np.argsort(np.where(ai, 0.0, p))[-20:]] = True  # twenty of people's with the highest scores
    plain, lower = choose_thresholds(p, ai, long), choose_thresholds(p, ai, long, withheld=silent)
    assert lower.ai < plain.ai
    assert lower.human == pytest.approx(min(plain.human, lower.ai))
    assert choose_thresholds(p, ai, long, withheld=silent & ai) == plain
    fold = np.arange(1000) % 5
    verdict = cross_verdicts(p, ai, long, fold, counted=np.ones(1000, dtype=bool), withheld=silent)
    assert (verdict[silent] == "uncertain").all()
    assert (verdict[ai] == "ai").mean() > (plain.verdicts(p, seconds=long, withheld=silent)[ai] == "ai").mean()


def test_where_short_tracks_are_few_all_lengths_share_their_limits() -> None:
    p, ai = predictions(1000)
    limits = choose_thresholds(p, ai, np.where(np.arange(1000) < 40, 10.0, 90.0))
    whole = choose_thresholds(p, ai, np.full(1000, 90.0))
    assert limits.limits(10.0) == whole.limits(10.0)


@pytest.mark.parametrize(("people", "beyond"), [(268, 0), (721, 0), (722, 1), (890, 1), (891, 2)])
def test_of_so_many_people_so_few_lie_beyond_the_limit(people: int, beyond: int) -> None:
    p = np.concatenate([np.linspace(0.0, 0.9, people), np.linspace(0.05, 0.95, people)]).astype(np.float32)
    ai = np.arange(2 * people) >= people
    limits = choose_thresholds(p, ai, np.full(2 * people, 90.0))
    assert (p[~ai] >= limits.ai).sum() == beyond
    assert wilson(beyond, people, z=1.6449)[1] <= 0.01


def test_few_people_leave_the_limit_above_all_of_them() -> None:
    p, ai = predictions(60)
    with pytest.warns(UserWarning, match="cannot promise"):
        limits = choose_thresholds(p, ai, np.full(60, 90.0))
    assert limits.ai > p[~ai].max()


def test_people_who_are_all_but_surely_machines_still_set_the_limit() -> None:
    p = np.concatenate([np.linspace(0.0, 0.4, 970), np.full(30, 0.99999), np.full(1000, 0.99)]).astype(np.float32)
    ai = np.arange(2000) >= 1000
    limits = choose_thresholds(p, ai, np.full(2000, 90.0))
    assert (p[~ai] >= limits.ai).sum() <= 10


@pytest.mark.parametrize(("count", "total"), [(0, 20), (3, 50), (10, 1117), (500, 1000)])
def test_wilson_lies_near_the_exact_interval(count: int, total: int) -> None:
    low, high = wilson(count, total)
    exact_high = beta.ppf(0.975, count + 1, total - count)
    assert high == pytest.approx(exact_high, abs=0.03)
    assert low <= count / total <= high


def clusters(rng: np.random.Generator, *, groups: int, size: int, rate: float, likeness: float) -> np.ndarray:
    """Flags, shape (groups, size): with the probability `likeness` a source's tracks are all alike."""
    alike = rng.random((groups, 1)) < likeness
    return np.where(alike, rng.random((groups, 1)) < rate, rng.random((groups, size)) < rate)


@pytest.mark.parametrize("likeness", [0.0, 0.5])
def test_an_interval_by_sources_holds_the_true_rate(likeness: float) -> None:
    rng, sources = np.random.default_rng(0), np.repeat(np.arange(100), 8).astype(str)
    kept, bare = 0, 0
    for _ in range(200):
        flags = clusters(rng, groups=100, size=8, rate=0.05, likeness=likeness).ravel()
        low, high = rate_interval(flags, sources)
        kept += low <= 0.05 <= high
        low, high = wilson(int(flags.sum()), len(flags))
        bare += low <= 0.05 <= high
    assert kept >= 180  # 95 % are promised; 200 tries leave 91 %
    if likeness:
        assert bare < 160


def test_the_design_effect_is_that_of_rao_and_scott() -> None:
    flags = np.array([True] * 4 + [False] * 4 + [True] * 4 + [False] * 4)
    sources = np.repeat(list("abcd"), 4)
    assert design_effect(flags, sources) == pytest.approx(5.0)  # alike within sources: their size, * 4/3 * 15/16
    many = np.random.default_rng(0).random(4000) < 0.1
    assert design_effect(many, np.arange(4000).astype(str)) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("flagged", [0, 1, 2])
def test_where_few_sources_are_flagged_an_interval_is_cautious(flagged: int) -> None:
    flags = np.arange(700) % 350 == 0
    flags &= np.cumsum(flags) <= flagged
    sources = (np.arange(700) // 7).astype(str)
    low, high = rate_interval(flags, sources)
    share = flagged / 700
    assert low <= share < wilson(flagged, 700)[1] < high < 0.04
    assert design_effect(flags, sources) >= 2.0
    assert design_effect(~flags, sources) == pytest.approx(design_effect(flags, sources))


def test_one_source_says_little_and_none_nothing() -> None:
    assert rate_interval(np.zeros(0, dtype=bool), np.zeros(0, dtype=str)) == (0.0, 1.0)
    assert rate_interval(np.zeros(100, dtype=bool), np.full(100, "a"))[1] > 0.5
    every = np.arange(10).astype(str)
    assert rate_interval(np.zeros(10, dtype=bool), every) == pytest.approx(wilson(0, 10))


@pytest.mark.parametrize("seconds", [90.0, 10.0])
def test_a_bound_that_cannot_be_promised_is_told(seconds: float) -> None:
    least, other = 268, 100.0 - seconds
    for humans in (least - 1, least):
        p, ai = predictions(2 * humans + 2000)
        lengths = np.where(np.arange(len(p)) < 2 * humans, seconds, other)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            choose_thresholds(p, ai, lengths)
        assert len(told) == (humans < least)
        if told:
            assert f"{humans} human tracks" in str(told[0].message)
            assert f"at least {least} are needed" in str(told[0].message)


def test_a_bound_for_all_lengths_is_doubted_once_and_other_folds_in_silence() -> None:
    p, ai = predictions(60)
    with pytest.warns(UserWarning, match=r"30 human tracks of all lengths .* 95 %.* 268 are needed") as told:
        choose_thresholds(p, ai, np.full(60, 90.0))
    assert len(told) == 1
    none = np.zeros(60, dtype=bool)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_verdicts(p, ai, np.full(60, 90.0), np.arange(60) // 30, counted=~none, withheld=none)
