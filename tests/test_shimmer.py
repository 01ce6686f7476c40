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


def combs(points: int, *, height: float) -> np.ndarray:
    """Every fifteenth point stands `height` above the others."""
    return np.where(np.arange(points) % 15 == 7, height, 0.0).astype(np.float32)


SHARE = 1.0 / 15.0
SPREAD = np.sqrt(SHARE * (1.0 - SHARE))
"""Of what is 1 in that share of places and 0 elsewhere."""


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_statistics_of_sparse_lines_and_gaps_are_those_of_their_share(sign: float) -> None:
    found = shimmer.detail_statistics(combs(len(GRID), height=4.0 * sign))
    for band in ("2k_4k", "6k_8k", "11k_14k"):
        assert found[f"detail_std_{band}"] == pytest.approx(4.0 * SPREAD, rel=0.02)
        assert found[f"detail_skewness_{band}"] == pytest.approx(sign * (1.0 - 2.0 * SHARE) / SPREAD, rel=0.03)
        assert found[f"detail_kurtosis_{band}"] == pytest.approx(1.0 / SPREAD**2 - 6.0, rel=0.05)
        assert found[f"detail_roughness_{band}"] == pytest.approx(2.0 * SHARE / SPREAD**2, rel=0.02)
        assert found[f"detail_asymmetry_{band}"] == pytest.approx(sign, abs=1e-6)
        per_kilohertz = 1000.0 / (15.0 * GRID_STEP)
        lines = {"peak_density": per_kilohertz, "notch_density": 0.0, "peak_height": 4.0, "notch_depth": 0.0}
        gaps = {"peak_density": 0.0, "notch_density": per_kilohertz, "peak_height": 0.0, "notch_depth": 4.0}
        for stat, expected in (lines if sign > 0 else gaps).items():
            assert found[f"{stat}_{band}"] == pytest.approx(expected, rel=0.03, abs=1e-6), stat


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_momentary_statistics_of_sparse_lines_and_gaps_are_those_of_their_share(sign: float) -> None:
    freqs = np.arange(950.0, 16_050.0, 2.7, dtype=np.float32)
    found = shimmer.momentary_statistics(combs(len(freqs), height=4.0 * sign), freqs, bandwidth=20_000.0)
    for band in ("2k_4k", "6k_8k", "11k_14k"):
        assert found[f"momentary_std_{band}"] == pytest.approx(4.0 * SPREAD, rel=0.02)
        assert found[f"momentary_skewness_{band}"] == pytest.approx(sign * (1.0 - 2.0 * SHARE) / SPREAD, rel=0.03)
        assert found[f"momentary_kurtosis_{band}"] == pytest.approx(1.0 / SPREAD**2 - 6.0, rel=0.05)
        assert found[f"momentary_roughness_{band}"] == pytest.approx(2.0 * SHARE / SPREAD**2, rel=0.02)


@pytest.mark.parametrize(("limit", "band"), [(10_000.0, "8k_11k"), (13_000.0, "11k_14k"), (15_300.0, "14k_16k")])
def test_the_end_of_the_bandwidth_is_nothing_steady(limit: float, band: str) -> None:
    rng = np.random.default_rng(0)
    noises = -60.0 + rng.standard_normal((6, len(GRID))).astype(np.float32)
    shared = noises[:1] + 0.1 * rng.standard_normal(noises.shape).astype(np.float32)
    for parts, expected in ((noises, 0.0), (shared, 1.0)):
        found = shimmer.steadiness([np.where(limit < GRID, np.float32(np.nan), part) for part in parts])
        assert found[f"steadiness_{band}"] == pytest.approx(expected, abs=0.05)
        assert all(v == pytest.approx(expected, abs=0.05) for v in found.values() if np.isfinite(v))


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


TIME = np.arange(5 * 44_100) / 44_100
NOISE = 0.1 * np.random.default_rng(0).standard_normal(len(TIME))


def texture_of(x: np.ndarray) -> dict[str, float]:
    block = x[None].astype(np.float32)
    return shimmer.texture(short_frames(block, block[0], rate=44_100))


@pytest.mark.parametrize("decibels", [10.0, 20.0])
def test_floor_depth_of_a_gate_is_its_depth(decibels: float) -> None:
    found = texture_of(NOISE * np.where(TIME % 1.0 < 0.3, 1.0, 10.0 ** (-decibels / 20.0)))
    for band in ("4k_6k", "6k_8k"):  # what noise spreads by itself adds 1 dB
        assert found[f"floor_depth_{band}"] == pytest.approx(decibels + 0.7, abs=1.0)


@pytest.mark.parametrize(("hertz", "slow", "fast"), [(0.8, 1.0, 0.0), (6.0, 0.0, 0.0), (16.0, 0.0, 1.0)])
def test_modulation_is_slow_or_fast_as_its_rate_is(hertz: float, slow: float, fast: float) -> None:
    """Frames come at 43 Hz: slow is what lies below 2.2 Hz, fast what lies above 10.8 Hz."""
    found = texture_of(NOISE * (1.0 + 0.5 * np.sin(2.0 * np.pi * hertz * TIME)))
    for band in ("4k_6k", "6k_8k"):
        assert found[f"modulation_slow_{band}"] == pytest.approx(slow, abs=0.2)
        assert found[f"modulation_fast_{band}"] == pytest.approx(fast, abs=0.2)


def test_bands_go_together_where_they_share_their_gain_and_not_in_noise() -> None:
    gain = np.where(TIME % 1.0 < 0.5, 1.0, 0.1)
    together, apart = texture_of(NOISE * gain), texture_of(NOISE)
    for name in ("comodulation_low", "comodulation_mid", "comodulation_high"):
        assert 0.75 < together[name] <= 1.0
        assert apart[name] == pytest.approx(0.0, abs=0.1)


def test_levels_of_noise_change_by_their_spread_and_those_of_tones_hardly() -> None:
    tones = sum(0.02 * np.sin(2.0 * np.pi * f * TIME + f) for f in range(6_050, 8_000, 100))
    assert texture_of(NOISE)["frame_change_6k_8k"] == pytest.approx(1.0, abs=0.03)
    assert 0.0 < texture_of(tones + 1e-4 * NOISE)["frame_change_6k_8k"] < 0.4


def test_phase_of_clicks_is_regular_in_frequency() -> None:
    clicks = np.zeros(len(TIME))
    clicks[:: 44_100 // 20] = 1.0
    assert texture_of(clicks + 1e-6 * NOISE)["phase_frequency_regularity_6k_8k"] > 0.95
    assert 0.2 < texture_of(NOISE)["phase_frequency_regularity_6k_8k"] < 0.6


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
