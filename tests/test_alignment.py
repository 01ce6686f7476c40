from __future__ import annotations

import numpy as np
import pytest
from conftest import music

from aidetect import alignment, shimmer, transforms
from aidetect.alignment import LEAST_FIT, curves, filter_spectra, fits, likely_speeds, speeds
from aidetect.analysis import GRID
from aidetect.experts import SignaturesExpert, Views
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


def knows(*generators: np.ndarray) -> SignaturesExpert:
    """An expert that has learned the lines of some generators, and a little noise besides."""
    width, rng = len(GRID) + len(RATES), np.random.default_rng(3)
    filters = np.zeros((width, len(generators)), dtype=np.float32)
    for i, lines in enumerate(generators):
        filters[: len(GRID), i] = 0.01 * rng.standard_normal(len(GRID))
        filters[np.round((lines - GRID[0]) / (GRID[1] - GRID[0])).astype(int), i] += 0.2
    names, flat = tuple(f"g{i}" for i in range(len(generators))), np.zeros(width, dtype=np.float32)
    offsets = np.zeros((3, len(generators)), dtype=np.float32)
    return SignaturesExpert("signatures", "shimmer", (), names, flat, flat + 1, filters, offsets, 4.0)


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


def test_the_signature_that_fits_best_tells_the_speed() -> None:
    others = [np.arange(start, 16_000.0, spacing) for start, spacing in ((1_010.0, 101.3), (1_200.0, 125.0))]
    alone, among = knows(LINES), knows(others[0], LINES, others[1])
    views = of_details(spectrum(LINES * 1.03, seed=0))
    assert speeds(views, [among])[0] == pytest.approx(1.03, rel=8e-5)
    np.testing.assert_array_equal(fits(views, [among, alone]) >= fits(views, [alone]), True)
    assert speeds(views, [knows(others[0]), alone])[0] == pytest.approx(1.03, rel=8e-5)


def test_filters_are_transformed_once_however_many_experts_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(alignment, "filter_spectra", lambda filters: made.append(1) or filter_spectra(filters))
    views = of_details(spectrum(LINES * 1.03, seed=0))
    experts = [knows(LINES + 3.0 * i) for i in range(6)]
    for _ in range(3):
        speeds(views, experts)
    assert len(made) == len(experts)


def test_a_curve_is_the_fit_of_the_stretched_spectrum() -> None:
    rng = np.random.default_rng(0)
    axis = GRID.astype(np.float64)
    x = np.convolve(rng.standard_normal(len(axis)), [0.3, 0.4, 0.3], "same").astype(np.float32)
    filters = knows(axis[5:-5:30], axis[9:-5:47]).filters[: len(GRID)]
    found = next(curves(x[None], filter_spectra(filters)))
    middle = len(found[0]) // 2
    for shift in (-800, -33, 0, 100, 801):
        stretched = np.interp(axis * np.exp(1.5e-4 * shift), axis, x, left=0.0, right=0.0)
        for curve, direct in zip(found, stretched @ filters, strict=True):
            assert curve[middle + shift] == pytest.approx(direct, abs=float(0.15 * curve.std()))


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
