from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect import shimmer
from aidetect.analysis import GRID, GRID_STEP, centre_channel, short_frames
from aidetect.demo import strided_decoder, tune
from aidetect.extraction import extract_array


def spectrum(*, teeth: float | None = None, height: float = 4.0, noise: float = 0.4, seed: int = 0) -> np.ndarray:
    """A falling spectrum with some noise and, if wanted, a comb of the given spacing in Hz."""
    rng = np.random.default_rng(seed)
    s = -20.0 * np.log10(GRID / 1000.0) + noise * rng.standard_normal(len(GRID))
    if teeth is not None:
        for f in np.arange(teeth, 16_000, teeth):
            s += height * np.exp(-0.5 * ((GRID - f) / GRID_STEP) ** 2)
    return s.astype(np.float32)


def test_detail_removes_slopes_and_keeps_lines() -> None:
    s = spectrum(noise=0.0)
    s[3000] += 6.0
    d = shimmer.detail(s)
    assert d[3000] == pytest.approx(6.0, abs=0.1)
    assert np.abs(np.delete(d, 3000)).max() < 0.5


def test_what_lies_beyond_the_bandwidth_is_missing_in_every_view() -> None:
    freqs = np.arange(900.0, 16_100.0, 2.7, dtype=np.float32)
    on_grid = shimmer.on_grid(np.zeros(len(freqs), np.float32), freqs, bandwidth=10_000.0)
    beyond = GRID > 9_850.0
    assert np.isnan(on_grid[beyond]).all()
    assert np.isfinite(on_grid[~beyond]).all()
    d = shimmer.detail(on_grid + spectrum())
    assert (shimmer.peak_residue(d)[beyond] == 0).all()
    assert (shimmer.levelled(d)[beyond] == 0).all()
    assert np.isnan(shimmer.detail_statistics(d)["detail_std_11k_14k"])
    assert np.isfinite(shimmer.detail_statistics(d)["detail_std_4k_6k"])


def test_peak_residue_is_scaled_to_its_highest_line() -> None:
    p = shimmer.peak_residue(shimmer.detail(spectrum(teeth=500.0)))
    assert p.min() >= 0.0
    assert p.max() == pytest.approx(1.0)


@pytest.mark.parametrize("width", [1, 2, 5, 37])
def test_running_minimum_and_mean_agree_with_numpy(width: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 200)).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(x, width, axis=1)
    np.testing.assert_array_equal(shimmer._running_min(x, width), views.min(axis=-1))
    np.testing.assert_allclose(shimmer._running_mean(x, width), views.mean(axis=-1), atol=1e-5)


def test_levelled_does_not_depend_on_the_size_of_the_details() -> None:
    d = shimmer.detail(spectrum(noise=1.0))
    np.testing.assert_allclose(shimmer.levelled(3.0 * d), shimmer.levelled(d), atol=0.15)


@pytest.mark.parametrize("spacing", [60.0, 137.8, 344.5, 689.0])
@pytest.mark.parametrize("speed", [0.94, 1.0, 1.06])
def test_comb_finds_the_spacing_at_any_speed(spacing: float, speed: float) -> None:
    found = shimmer.comb(shimmer.detail(spectrum(teeth=spacing * speed)))
    multiple = found["comb_spacing"] / (spacing * speed)
    assert multiple == pytest.approx(round(multiple), abs=0.03)
    nothing = shimmer.comb(shimmer.detail(spectrum()))
    assert found["comb_strength"] > 0.25
    assert found["comb_strength"] > 3 * nothing["comb_strength"]


def test_lines_raise_skewness_and_peak_density() -> None:
    plain = shimmer.detail_statistics(shimmer.detail(spectrum()))
    lined = shimmer.detail_statistics(shimmer.detail(spectrum(teeth=200.0)))
    assert lined["detail_skewness_6k_8k"] > plain["detail_skewness_6k_8k"] + 1.0
    assert lined["peak_density_6k_8k"] > plain["peak_density_6k_8k"] + 2.0


def test_steadiness_is_near_one_for_fixed_lines_and_near_zero_for_noise() -> None:
    fixed = spectrum(teeth=150.0, noise=0.0)
    rng = np.random.default_rng(0)
    steady = [fixed + 0.1 * rng.standard_normal(len(GRID)).astype(np.float32) for _ in range(6)]
    moving = [spectrum(noise=1.0, seed=k) for k in range(6)]
    assert shimmer.steadiness(steady)["steadiness_6k_8k"] > 0.9
    assert abs(shimmer.steadiness(moving)["steadiness_6k_8k"]) < 0.05
    assert np.isnan(shimmer.steadiness(steady[:1])["steadiness_6k_8k"])


def test_texture_of_noise_has_the_values_of_theory() -> None:
    block = np.random.default_rng(0).standard_normal((2, 10 * 44_100)).astype(np.float32)
    values = shimmer.texture(short_frames(block, centre_channel(block), rate=44_100))
    # Levels of exponentially distributed power: standard deviation 5.57 dB, mean 2.51 dB under that of the power.
    assert values["level_spread_6k_8k"] == pytest.approx(5.57, abs=0.1)
    assert values["flatness_6k_8k"] == pytest.approx(-2.51, abs=0.15)
    # Channels that know nothing of each other: mean of |<xy>| over 8 frames, sqrt(pi / 32).
    assert values["coherence_6k_8k"] == pytest.approx(np.sqrt(np.pi / 32.0), abs=0.05)
    assert values["side_level_6k_8k"] == pytest.approx(0.0, abs=0.5)


def test_phase_of_a_steady_tone_is_regular_in_time() -> None:
    t = np.arange(5 * 44_100) / 44_100
    x = np.stack([np.sin(2 * np.pi * 7_000 * t)]).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    tone = shimmer.texture(short_frames(x, x[0], rate=44_100))["phase_time_regularity_6k_8k"]
    random = shimmer.texture(short_frames(noise, noise[0], rate=44_100))["phase_time_regularity_6k_8k"]
    assert tone > 0.9
    assert random < 0.2


def test_mono_leaves_the_features_between_channels_empty(song: np.ndarray) -> None:
    mono = shimmer.texture(short_frames(song[:1], song[0], rate=44_100))
    twice = np.stack([song[0], song[0]])
    assert np.isnan(mono["coherence_6k_8k"])
    assert np.isnan(shimmer.texture(short_frames(twice, song[0], rate=44_100))["coherence_6k_8k"])


def test_details_survive_storage() -> None:
    d = shimmer.detail(shimmer.on_grid(spectrum(noise=2.0), GRID, bandwidth=12_000.0))
    back = shimmer.restore(shimmer.quantise(d))
    np.testing.assert_array_equal(np.isnan(back), np.isnan(d))
    # Half a step of 1/4 in asinh: sinh(a + 1/8) - sinh(a) is at most (e^(1/8) - 1) hypot(1, sinh a).
    assert np.nanmax(np.abs(back - d) / np.hypot(1.0, d)) <= np.exp(0.125) - 1.0 + 1e-3


def test_a_simulated_decoder_leaves_lines() -> None:
    song = tune(seconds=8.0)
    plain = extract_array(song, 44_100).values
    decoded = extract_array(strided_decoder(song), 44_100).values
    assert decoded["detail_skewness_8k_11k"] > plain["detail_skewness_8k_11k"] + 0.5
    assert decoded["comb_strength"] > plain["comb_strength"] + 0.2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 30.0), st.floats(1_500.0, 17_000.0))
def test_any_spectrum_gives_numbers_or_nan(seed: int, noise: float, bandwidth: float) -> None:
    s = shimmer.on_grid(spectrum(noise=noise, seed=seed), GRID, bandwidth=bandwidth)
    d = shimmer.detail(s)
    values = shimmer.detail_statistics(d) | shimmer.comb(d)
    assert all(np.isnan(v) or np.isfinite(v) for v in values.values())
    for view in (shimmer.peak_residue(d), shimmer.levelled(d)):
        assert np.isfinite(view).all()
