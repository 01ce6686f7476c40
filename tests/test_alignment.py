from __future__ import annotations

import numpy as np
import pytest
from conftest import music

from aidetect import shimmer, transforms
from aidetect.alignment import LEAST_FIT, curve, likely_speeds, speeds
from aidetect.analysis import GRID
from aidetect.experts import LinearExpert, Views
from aidetect.extraction import describe_features, extract_array
from aidetect.modulation import RATES

SPEEDS = (0.94, 0.97, 0.995, 1.005, 1.03, 1.06, 1.122)
LINES = np.arange(1_000.0, 16_000.0, 86.13)  # Hz


def of_details(details: np.ndarray, heights: np.ndarray | None = None) -> Views:
    """Views of tracks of which nothing but the spectrum, and the envelope's lines, are known."""
    details = np.atleast_2d(details)
    if heights is None:
        heights = np.zeros((len(details), len(RATES)), dtype=np.int8)
    empty = np.full((len(details), len(describe_features())), np.nan, dtype=np.float32)
    return Views(empty, shimmer.quantise(details.astype(np.float32)), np.atleast_2d(heights))


def knows(lines: np.ndarray, *, axis: np.ndarray = GRID, view: str = "levelled") -> LinearExpert:
    """An expert that has learned lines at some places of an axis, and a little noise besides."""
    weights = 0.01 * np.random.default_rng(3).standard_normal(len(axis))
    weights[np.round((lines - axis[0]) / (axis[1] - axis[0])).astype(int)] += 0.2
    flat = np.zeros(len(axis), dtype=np.float32)
    return LinearExpert(view, "shimmer", view, (), flat, flat + 1, weights.astype(np.float32), 0.0)


def spectrum(lines: np.ndarray, *, seed: int, height: float = 2.0) -> np.ndarray:
    """Fine structure in dB: noise of one decibel, and lines two steps of the axis wide."""
    found = np.random.default_rng(seed).standard_normal(len(GRID))
    for line in lines[(lines > GRID[0]) & (lines < GRID[-1])]:
        found += height * np.maximum(0.0, 1.0 - np.abs(GRID - line) / 2.7)
    return found


@pytest.mark.parametrize("factor", SPEEDS)
def test_the_speed_of_known_lines_is_found_within_a_hertz_at_ten_thousand(factor: float) -> None:
    found = speeds(of_details(spectrum(LINES * factor, seed=0)), [knows(LINES)], least_fit=5.0)
    assert found[0] == pytest.approx(factor, rel=8e-5)


def test_lines_where_they_belong_are_left_alone() -> None:
    views = of_details(np.stack([spectrum(LINES, seed=0), spectrum(LINES * 1.0002, seed=1)]))
    np.testing.assert_array_equal(speeds(views, [knows(LINES)]), 1.0)


def test_noise_fits_at_no_speed() -> None:
    views = of_details(np.stack([spectrum(LINES[:0], seed=seed) for seed in range(100)]))
    assert (speeds(views, [knows(LINES)]) == 1.0).all()
    assert np.median(likely_speeds(views, [knows(LINES)])[1]) < 0.6 * LEAST_FIT


def test_silence_and_no_experts_fit_at_no_speed() -> None:
    views = of_details(np.full((2, len(GRID)), np.nan))
    assert (speeds(views, [knows(LINES)], least_fit=1.0) == 1.0).all()
    assert (speeds(views, [], least_fit=1.0) == 1.0).all()
    assert len(speeds(of_details(np.zeros((0, len(GRID)))), [knows(LINES)])) == 0


def test_spectrum_and_envelope_must_agree() -> None:
    rates = np.arange(129.2, 1_600.0, 43.07)
    heights = np.zeros(len(RATES), dtype=np.int8)
    heights[np.round((rates * 1.03 - RATES[0]) / 0.5).astype(int)] = 8
    experts = [knows(LINES), knows(rates, axis=RATES, view="modulation")]
    faint = spectrum(LINES * 1.03, seed=0, height=1.0)
    both, one = (likely_speeds(of_details(faint, h), experts) for h in (heights, None))
    assert both[0][0] == pytest.approx(1.03, rel=4e-4)
    assert both[1][0] > one[1][0] + 2.0


@pytest.mark.parametrize("view", ["peaks", "levelled", "modulation"])
def test_a_curve_is_the_expert_s_score_of_the_stretched_view(view: str) -> None:
    rng = np.random.default_rng(0)
    axis = (RATES if view == "modulation" else GRID).astype(np.float64)
    x = np.convolve(rng.standard_normal(len(axis)), [0.3, 0.4, 0.3], "same").astype(np.float32)
    expert = knows(axis[5:-5:30], axis=axis, view=view)
    found = curve(x[None], expert)[0]
    middle = len(found) // 2
    for shift in (-800, -33, 0, 100, 801):
        places = axis * np.exp(1.5e-4 * shift)
        direct = np.interp(places, axis, x, left=0.0, right=0.0) @ expert.weights
        assert found[middle + shift] == pytest.approx(direct, abs=float(0.15 * found.std()))


def test_undoing_a_speed_gives_back_the_views() -> None:
    factor = np.float32([1.0, 1.03, 0.97])
    made = [spectrum(LINES, seed=0), spectrum(LINES * 1.03, seed=1), spectrum(LINES * 0.97, seed=2)]
    views = of_details(np.stack(made), np.tile((np.arange(len(RATES)) % 9).astype(np.int8), (3, 1)))
    undone = views.undone(factor)
    expert = knows(LINES)
    moved, straight = expert.score(views), expert.score(undone)
    own = expert.score(of_details(spectrum(LINES, seed=1)))[0]
    assert straight[0] == moved[0]
    assert (moved[1:] < 0.5 * own).all()
    np.testing.assert_allclose(straight[1:], own, rtol=0.15)
    for view in ("peaks", "levelled", "modulation"):
        assert np.isfinite(undone.get(view)).all()
        np.testing.assert_array_equal(undone.get(view)[0], views.get(view)[0])
    # A place of the original lies 3 % higher in what was sped up: nothing is known above 16 kHz / 1.03.
    assert (undone.get("levelled")[1, GRID[-1] < GRID * 1.03] == 0.0).all()
    assert undone.get("modulation")[1, 200] == pytest.approx(
        np.interp(RATES[200] * 1.03, RATES, views.get("modulation")[1]), abs=1e-4
    )
    assert views.undone(np.ones(3, dtype=np.float32)) is views


def test_some_tracks_of_views_are_views_of_those_tracks() -> None:
    views = of_details(np.stack([spectrum(LINES, seed=seed) for seed in range(4)]))
    views.get("levelled")
    for some in (views.take(np.array([2, 0])), views.take(np.array([False, True, False, True]))):
        assert len(some) == 2
        again = Views(some.values, some._details, some._modulation)
        for view in ("peaks", "levelled", "modulation"):
            np.testing.assert_array_equal(some.get(view), again.get(view))


@pytest.mark.parametrize("factor", [0.97, 1.06])
def test_a_track_with_lines_is_aligned_after_its_speed_was_changed(factor: float) -> None:
    rate = 44_100
    y = music(seconds=12.0, rate=rate)
    t = np.arange(y.shape[-1]) / rate
    for line in LINES[20:160]:
        y += np.float32(2e-4) * np.sin(2.0 * np.pi * line * t).astype(np.float32)
    plain, altered = (extract_array(*transforms.speed(y, rate, factor=f)) for f in (1.0, factor))
    views = of_details(shimmer.restore(altered.details), altered.modulation)
    expert = knows(LINES[20:160])
    found = speeds(views, [expert])
    assert found[0] == pytest.approx(factor, rel=3e-4)
    own = expert.score(of_details(shimmer.restore(plain.details)))[0]
    assert expert.score(views)[0] < 0.4 * own
    assert expert.score(views.undone(found))[0] > 0.8 * own
