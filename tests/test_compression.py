from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect import compression
from aidetect.analysis import ShortFrames, centre_channel, short_frames
from aidetect.extraction import extract_array
from aidetect.loudness import LoudnessMeter
from aidetect.transforms import low_pass

RATE = 44_100


def noise(seconds: float = 5.0, channels: int = 2, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE))).astype(np.float32)


def frames(block: np.ndarray) -> ShortFrames:
    return short_frames(block, centre_channel(block), rate=RATE)


def dynamics(block: np.ndarray, *, bandwidth: float = RATE / 2) -> dict[str, float]:
    return compression.band_dynamics(frames(block), bandwidth=bandwidth)


def counted(*blocks: np.ndarray) -> dict[str, float]:
    counter = compression.ClipCounter()
    for block in blocks:
        counter.feed(block)
    return counter.values()


def measured(block: np.ndarray) -> dict[str, float]:
    meter = LoudnessMeter(rate=RATE, channels=len(block))
    meter.feed(block)
    return compression.loudness_features(meter)


def test_independent_channels_have_side_as_loud_as_middle_and_no_correlation() -> None:
    values = dynamics(noise())
    assert values["width_2000_6000hz"] == pytest.approx(0.0, abs=0.3)
    assert values["correlation_2000_6000hz"] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_width_and_correlation_of_a_known_mix(share: float) -> None:
    mid, side = noise(channels=1)[0], share * noise(channels=1, seed=1)[0]
    values = dynamics(np.stack([mid + side, mid - side]))
    assert values["width_2000_6000hz"] == pytest.approx(20 * np.log10(share), abs=0.2)
    assert values["correlation_2000_6000hz"] == pytest.approx((1 - share**2) / (1 + share**2), abs=0.02)


def test_a_burst_has_the_band_crest_of_its_share_of_time() -> None:
    block = noise(10.0)
    block[:, RATE:] *= 1e-3
    assert dynamics(block)["band_crest_2000_6000hz"] == pytest.approx(10 * np.log10(10.0), abs=1.0)


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_the_range_of_a_gate_is_its_depth_however_long_it_is_open(share: float) -> None:
    t = np.arange(5 * RATE) / RATE
    values = dynamics(noise() * np.where(t % 1.0 < share, 1.0, 0.1).astype(np.float32))
    for band in ("2000_6000hz", "6000_12000hz"):
        # What frames of noise spread by themselves adds less than 1 dB.
        assert values[f"band_range_{band}"] == pytest.approx(20.5, abs=1.2)


def test_attacks_are_the_sharpest_rises_and_turn_with_time() -> None:
    t = np.arange(5 * RATE) / RATE
    falling = noise() * (10.0 ** (-2.0 * (t % 0.5) / 0.5)).astype(np.float32)  # by 40 dB, and up at once
    forward, backward = dynamics(falling), dynamics(falling[:, ::-1].copy())
    for band in ("2000_6000hz", "6000_12000hz"):
        assert 20.0 < forward[f"attack_{band}"] < 40.0
        assert 0.0 < backward[f"attack_{band}"] < 6.0  # 1.9 dB a frame, and the spread of noise
        assert forward[f"attack_asymmetry_{band}"] > 20.0
        assert backward[f"attack_asymmetry_{band}"] == pytest.approx(-forward[f"attack_asymmetry_{band}"], abs=4.0)


def test_steady_noise_rises_and_falls_alike() -> None:
    values = dynamics(noise())
    # 186 bins of Hann frames hold 96 independent powers: 4.34 dB / sqrt(96) in a frame, sqrt(2) times that between two,
    # of which the 98th percentile is 2.05 times as much.
    assert values["attack_2000_6000hz"] == pytest.approx(1.27, abs=0.25)
    assert values["attack_asymmetry_2000_6000hz"] == pytest.approx(0.0, abs=0.4)


@pytest.mark.parametrize("bandwidth", [5_000.0, 11_000.0, 15_700.0, RATE / 2])
def test_bands_beyond_the_bandwidth_are_missing(bandwidth: float) -> None:
    values = dynamics(noise(2.0), bandwidth=bandwidth)
    for low, high in compression.BANDS:
        of_band = [v for name, v in values.items() if name.endswith(f"_{low}_{high}hz")]
        assert len(of_band) == 6
        assert np.isfinite(of_band).all() if high <= bandwidth + 400.0 else np.isnan(of_band).all()


@pytest.mark.parametrize("cutoff", [5_000.0, 11_000.0])
def test_noise_has_no_dynamics_above_its_own_bandwidth(cutoff: float) -> None:
    short = frames(low_pass(noise(2.0), RATE, cutoff=cutoff)[0])
    bandwidth = compression.effective_bandwidth(short.power.mean(axis=0), short.freqs)
    values = compression.band_dynamics(short, bandwidth=bandwidth)
    for low, high in compression.BANDS:
        assert np.isfinite(values[f"band_range_{low}_{high}hz"]) == (high <= cutoff)


@pytest.mark.parametrize("drop", [0.0, 25.0, 60.0])
def test_the_drop_at_the_cutoff_is_that_of_the_spectrum(drop: float) -> None:
    freqs = np.arange(0.0, RATE / 2, 21.5, dtype=np.float32)
    spectrum = np.where(freqs < 15_000.0, 1.0, 10.0 ** (-drop / 10.0)).astype(np.float32)
    assert compression.codec_traces(spectrum, freqs, 15_000.0)["cutoff_drop"] == pytest.approx(drop, abs=0.01)
    assert np.isnan(compression.codec_traces(spectrum, freqs, 22_000.0)["cutoff_drop"])


@pytest.mark.parametrize("cutoff", [5_000.0, 11_000.0, 16_000.0])
def test_bandwidth_is_found_where_a_low_pass_ends(cutoff: float) -> None:
    y, _ = low_pass(noise(), RATE, cutoff=cutoff)
    values = extract_array(y, RATE).values
    assert values["effective_bandwidth"] == pytest.approx(cutoff + 150.0, abs=350.0)
    assert values["cutoff_drop"] > 30.0


def test_full_band_noise_reaches_half_the_rate() -> None:
    assert extract_array(noise(), RATE).values["effective_bandwidth"] > 21_500.0


def test_clipping_is_counted_against_the_tracks_own_peak() -> None:
    sine = np.sin(2 * np.pi * 997.0 * np.arange(2 * RATE) / RATE)[None].astype(np.float32)
    for gain in (1.0, 0.3):
        clipped = counted(np.float32(gain) * np.clip(sine, -0.7, 0.7))
        expected = 1000.0 * (1.0 - 2.0 * np.arcsin(0.7) / np.pi)
        assert clipped["clipped_samples"] == pytest.approx(expected, rel=0.02)
        assert counted(np.float32(gain) * sine)["clipped_samples"] == 0.0  # a crest is shorter than three samples


def test_the_crest_of_a_low_tone_counts_as_clipped() -> None:
    sine = np.sin(2 * np.pi * 55.0 * np.arange(2 * RATE) / RATE)[None].astype(np.float32)
    within = 10.0 ** (-0.01 / 20.0)
    assert counted(sine)["clipped_samples"] == pytest.approx(2000.0 / np.pi * np.arccos(within), rel=0.1)


@pytest.mark.parametrize(("run", "clipped"), [(1, 0.0), (2, 0.0), (3, 300.0), (5, 500.0)])
def test_all_samples_in_runs_of_three_or_more_are_clipped(run: int, clipped: float) -> None:
    block = np.tile(np.repeat([0.5, 0.1], [run, 10 - run]), 1000).astype(np.float32)[None]
    values = counted(block)
    assert values["clipped_samples"] == clipped
    assert values["limited_samples"] == 100.0 * run


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_blocks_does_not_change_the_counts(order: list[int]) -> None:
    clipped = np.clip(noise(0.2), -0.15, 0.15)
    blocks = [clipped * np.float32(1.05**k) for k in range(6)]
    values, rising, falling = (counted(*(blocks[k] for k in ks)) for ks in (order, range(6), range(6)[::-1]))
    magnitude = np.abs(np.concatenate(blocks, axis=1))
    expected = 1000.0 * np.mean(magnitude >= 10.0 ** (-0.5 / 20.0) * magnitude.max())
    for found in (values, rising, falling):
        assert found["limited_samples"] == pytest.approx(expected, rel=0.01)
        assert found["clipped_samples"] == pytest.approx(counted(blocks[5])["clipped_samples"] / 6.0)


def test_blocks_do_not_change_the_count_of_limited_samples() -> None:
    y = np.clip(noise(), -0.2, 0.2)
    whole, parts = compression.ClipCounter(), compression.ClipCounter()
    whole.feed(y)
    for start in range(0, y.shape[1], 7919):
        parts.feed(y[:, start : start + 7919])
    assert parts.values()["limited_samples"] == pytest.approx(whole.values()["limited_samples"], rel=0.02)


def test_loudness_features_come_from_the_meter() -> None:
    values = measured(noise())
    assert values["plr"] == pytest.approx(values["true_peak"] - values["integrated_loudness"], abs=1e-6)
    assert values["crest_factor"] == pytest.approx(13.0, abs=1.0)  # peak of half a million Gaussian samples


@pytest.mark.parametrize("name", ["plr", "crest_factor"])
def test_the_number_of_channels_does_not_change_ratios_of_peak_to_mean(name: str) -> None:
    mono = noise(2.0, channels=1)
    expected = measured(mono)[name]
    assert measured(np.vstack([mono, mono]))[name] == pytest.approx(expected, abs=1e-3)
    assert measured(np.vstack([mono, np.zeros_like(mono)]))[name] == pytest.approx(expected, abs=1e-3)


def test_levels_and_traces_of_files_are_reported_and_not_scored() -> None:
    unscored = {f.name for f in compression.FEATURES if not f.scored}
    assert {"integrated_loudness", "true_peak", "effective_bandwidth", "cutoff_drop", "clipped_samples"} <= unscored
