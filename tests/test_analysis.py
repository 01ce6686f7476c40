from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aidetect.analysis import (
    GRID,
    GRID_STEP,
    centre_channel,
    decibels,
    fast_rate,
    flat_band,
    long_frames,
    middle,
    percentiles,
    short_frames,
    spectra_of,
    vertex,
    window_spectrum,
)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_a_steady_tone_stands_at_its_frequency_in_the_long_spectrum(rate: int) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(5 * rate) / rate
    x = (0.01 * rng.standard_normal(len(t)) + 0.05 * np.sin(2 * np.pi * 5_000.0 * t)).astype(np.float32)
    frames = long_frames(x, rate=rate)
    mean = frames.levels.mean(axis=0)
    assert frames.freqs[np.argmax(mean)] == pytest.approx(5_000.0, abs=GRID_STEP)
    assert np.diff(frames.freqs).mean() == pytest.approx(GRID_STEP, rel=0.03)


def test_long_spectrum_of_white_noise_is_flat_at_the_level_of_its_mean_power() -> None:
    x = np.random.default_rng(0).standard_normal(10 * 44_100).astype(np.float32)
    frames = long_frames(x, rate=44_100)
    # The mean of the logarithm of exponentially distributed power lies 2.51 dB below that of its mean.
    assert frames.levels.mean() == pytest.approx(-2.51, abs=0.1)


def test_levels_do_not_depend_on_gain() -> None:
    x = np.random.default_rng(1).standard_normal(3 * 44_100).astype(np.float32)
    loud, quiet = long_frames(x, rate=44_100), long_frames(0.01 * x, rate=44_100)
    np.testing.assert_allclose(loud.levels, quiet.levels, atol=0.01)


def test_pauses_are_left_out() -> None:
    x = np.random.default_rng(2).standard_normal(6 * 44_100).astype(np.float32)
    x[3 * 44_100 :] = 0.0
    whole, half = long_frames(x, rate=44_100), long_frames(x[: 3 * 44_100], rate=44_100)
    assert len(whole.levels) <= len(half.levels) + 2
    assert whole.times.max() < 3.3


def test_short_frames_of_equal_channels_have_no_side(song: np.ndarray) -> None:
    block = np.stack([song[0], song[0]])
    short = short_frames(block, centre_channel(block), rate=44_100)
    assert np.abs(short.side).max() < 1e-6
    assert short.mid.shape == short.power.shape == (len(short.times), len(short.freqs))
    np.testing.assert_allclose(short.power, np.abs(short.mid) ** 2, rtol=1e-3, atol=1e-9)


def test_centre_of_silence_is_none_and_of_opposed_channels_is_one_of_them(song: np.ndarray) -> None:
    assert centre_channel(np.zeros((2, 1000), np.float32)) is None
    block = np.stack([song[0], -song[0]])
    np.testing.assert_array_equal(centre_channel(block), song[0])
    opposed, left = (short_frames(b, centre_channel(b), rate=44_100) for b in (block, song[:1]))
    np.testing.assert_array_equal(opposed.mid, left.mid)


def test_decibels_have_a_floor() -> None:
    np.testing.assert_allclose(decibels(np.array([1.0, 0.1, 0.0]), 1e-3), [0.0, -10.0, -30.0])


def test_grid_spans_one_to_sixteen_kilohertz() -> None:
    assert GRID[0] == 1_000.0
    assert 15_997.0 < GRID[-1] < 16_000.0


@pytest.mark.parametrize("size", [1, 2, 7, 430])
def test_percentiles_agree_with_numpy(size: int) -> None:
    x = np.random.default_rng(size).standard_normal(size)
    shares = (0, 1, 10, 50, 98, 100)
    np.testing.assert_allclose(percentiles(x, *shares), np.percentile(x, shares), atol=1e-12)


def test_the_middle_is_in_the_middle_and_all_of_what_is_shorter() -> None:
    x = np.arange(1000, dtype=np.float32)
    np.testing.assert_array_equal(middle(x, rate=100, seconds=4.0), x[300:700])
    np.testing.assert_array_equal(middle(x, rate=100, seconds=40.0), x)


@pytest.mark.parametrize("seconds", [0.0058, 0.0929])
def test_spectra_of_a_tone_peak_at_its_frequency(seconds: float) -> None:
    rate = 44_100
    x = np.sin(2.0 * np.pi * 5_000.0 * np.arange(rate) / rate).astype(np.float32)
    spectra, freqs = spectra_of(x, rate=rate, seconds=seconds)
    assert spectra.shape[1] == len(freqs)
    assert freqs[1] == pytest.approx(1.0 / seconds, rel=0.05)
    assert abs(freqs[np.argmax(np.abs(spectra).mean(axis=0))] - 5_000.0) <= freqs[1] / 2
    assert len(spectra) == pytest.approx(2.0 * freqs[1], abs=2)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000]),
    st.floats(3.0, 5.0),  # in less, a hundred hertz of noise differ by chance
    st.floats(-1.0, 1.0),
    st.floats(400.0, 1_500.0),
    st.floats(1_900.0, 4_000.0),
    st.floats(1.05, 3.0),
)
@example(8_000, 4.0, 0.0, 400.0, 3_600.0, 1.05)
@example(44_100, 4.0, -1.0, 1_000.0, 4_000.0, 1.1)
def test_a_flat_band_is_flat_within_and_empty_outside(
    rate: int, seconds: float, slope: float, low: float, high: float, over: float
) -> None:
    n = round(seconds * rate)
    y = np.random.default_rng(0).standard_normal(n)
    colour = np.fft.rfft(y) * np.maximum(np.arange(n // 2 + 1), 1.0) ** slope
    window = window_spectrum(np.fft.irfft(colour, n).astype(np.float32), rate=rate)
    high = min(high, 0.49 * rate)
    wanted = over * (high - low) + 50.0
    wave = flat_band(window, low=low, high=high, over=8.0, rate=wanted)
    assert len(wave) == pytest.approx(wanted * seconds, abs=2)
    assert wave.dtype == np.complex64
    power = np.abs(np.fft.fft(wave * np.hanning(len(wave)))) ** 2
    freqs = (np.arange(len(wave)) * wanted / len(wave) - low) % wanted + low  # what was folded down, up again
    bands = [power[(freqs >= f) & (freqs < f + 100.0)].mean() for f in np.arange(low + 20.0, high - 120.0, 100.0)]
    assert bands == pytest.approx([np.mean(bands)] * len(bands), rel=0.4)
    assert power[(freqs > high + 20.0) & (freqs < low + wanted - 20.0)].max(initial=0.0) < 1e-3 * np.mean(bands)


def test_nothing_is_left_of_a_band_that_ends_below_its_lower_edge() -> None:
    window = window_spectrum(np.random.default_rng(0).standard_normal(40_000).astype(np.float32), rate=8_000)
    assert not flat_band(window, low=400.0, high=350.0, over=8.0, rate=6_000.0).any()


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [2.0, 7.77, 10.0])
def test_a_fast_rate_is_little_above_the_least(rate: int, seconds: float) -> None:
    window = window_spectrum(np.zeros(round(rate * seconds), dtype=np.float32), rate=rate)
    found = fast_rate(window, 6_000.0)
    assert 6_000.0 <= found < 6_100.0
    size = round(found / window.step)
    assert size * window.step == pytest.approx(found)
    for prime in (2, 3, 5, 7, 11):
        while size % prime == 0:
            size //= prime
    assert size == 1


@pytest.mark.parametrize("shift", [-0.5, -0.2, 0.0, 0.4])
def test_the_vertex_of_a_parabola_is_its_highest_value(shift: float) -> None:
    left, top, right = (3.0 - 2.0 * (np.array([k]) - shift) ** 2 for k in (-1, 0, 1))
    assert vertex(left, top, right)[0] == pytest.approx(3.0)
    assert vertex(top, top, top)[0] == top[0]
