from __future__ import annotations

import numpy as np
import pytest

from aidetect import compression
from aidetect.analysis import centre_channel, short_frames
from aidetect.extraction import extract_array
from aidetect.loudness import LoudnessMeter
from aidetect.transforms import low_pass

RATE = 44_100


def noise(seconds: float = 5.0, channels: int = 2, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE))).astype(np.float32)


def dynamics(block: np.ndarray) -> dict[str, float]:
    return compression.band_dynamics(short_frames(block, centre_channel(block), rate=RATE), bandwidth=RATE / 2)


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


@pytest.mark.parametrize("cutoff", [5_000.0, 11_000.0, 16_000.0])
def test_bandwidth_is_found_where_a_low_pass_ends(cutoff: float) -> None:
    y, _ = low_pass(noise(), RATE, cutoff=cutoff)
    values = extract_array(y, RATE).values
    assert values["effective_bandwidth"] == pytest.approx(cutoff + 150.0, abs=350.0)
    assert values["cutoff_drop"] > 30.0


def test_full_band_noise_reaches_half_the_rate() -> None:
    assert extract_array(noise(), RATE).values["effective_bandwidth"] > 21_500.0


def test_clipping_is_counted_against_the_tracks_own_peak() -> None:
    t = np.arange(5 * RATE) / RATE
    sine = np.sin(2 * np.pi * 220 * t)
    for gain in (1.0, 0.3):
        plain, clipped = compression.ClipCounter(), compression.ClipCounter()
        plain.feed((gain * sine)[None].astype(np.float32))
        clipped.feed((gain * np.clip(sine, -0.7, 0.7))[None].astype(np.float32))
        expected = 1000.0 * (1.0 - 2.0 * np.arcsin(0.7) / np.pi)
        assert clipped.values()["clipped_samples"] == pytest.approx(expected, rel=0.05)
        assert plain.values()["clipped_samples"] < 0.1 * expected


def test_blocks_do_not_change_the_count_of_limited_samples() -> None:
    y = np.clip(noise(), -0.2, 0.2)
    whole, parts = compression.ClipCounter(), compression.ClipCounter()
    whole.feed(y)
    for start in range(0, y.shape[1], 7919):
        parts.feed(y[:, start : start + 7919])
    assert parts.values()["limited_samples"] == pytest.approx(whole.values()["limited_samples"], rel=0.02)


def test_loudness_features_come_from_the_meter() -> None:
    meter = LoudnessMeter(rate=RATE, channels=2)
    meter.feed(noise())
    values = compression.loudness_features(meter)
    assert values["plr"] == pytest.approx(values["true_peak"] - values["integrated_loudness"], abs=1e-6)
    assert values["crest_factor"] == pytest.approx(13.0, abs=1.0)  # peak of half a million Gaussian samples


def test_levels_and_traces_of_files_are_reported_and_not_scored() -> None:
    unscored = {f.name for f in compression.FEATURES if not f.scored}
    assert {"integrated_loudness", "true_peak", "effective_bandwidth", "cutoff_drop", "clipped_samples"} <= unscored
