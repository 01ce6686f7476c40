"""Levels and phases of neighbouring bins, on sounds whose laws are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from aidetect.grain import FEATURES, grain

RATE = 44_100
NAMES = {feature.name for feature in FEATURES}
BAND = "6k_8k"


def noise(seconds: float = 4.0, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def measure(x: np.ndarray, bandwidth: float = 16_000.0) -> dict[str, float]:
    return grain(x, rate=RATE, bandwidth=bandwidth)


def test_levels_of_noise_follow_the_law_of_exponential_power() -> None:
    """The logarithm of an exponential variable has a standard deviation of pi / sqrt(6), skewness -1.14, kurtosis 5.4
    (Gumbel's distribution); taking off a mean over few bins makes the spread a little less."""
    found = measure(noise())
    assert found[f"grain_spread_{BAND}"] == pytest.approx(np.pi / np.sqrt(6.0), rel=0.05)
    assert found[f"grain_skewness_{BAND}"] == pytest.approx(-1.14, abs=0.15)
    assert found[f"grain_kurtosis_{BAND}"] == pytest.approx(5.4, rel=0.12)


def test_a_click_has_regular_group_delay_and_noise_has_not() -> None:
    click = 1e-6 * noise()
    click[:: RATE // 20] += 0.5
    assert measure(click)["grain_phase_across_6k_8k"] > 0.5
    assert abs(measure(noise())["grain_phase_across_6k_8k"] - measure(noise(seed=1))["grain_phase_across_6k_8k"]) < 0.02


def test_steady_tones_have_regular_phase_along_time() -> None:
    t = np.arange(4 * RATE) / RATE
    tones = 0.02 * sum(np.sin(2.0 * np.pi * f * t + f) for f in range(6_050, 8_000, 100)) + 1e-4 * noise()
    name = f"grain_phase_along_{BAND}"
    assert measure(tones.astype(np.float32))[name] > measure(noise())[name] + 0.3


def test_a_guessed_phase_shows() -> None:
    """Clicks keep their magnitudes when their phase is guessed; how neighbouring bins go together changes."""
    x = 0.01 * noise()
    x[:: RATE // 7] += 0.5
    guessed = librosa.griffinlim(np.abs(librosa.stft(x)), n_iter=4, random_state=0, length=len(x)).astype(np.float32)
    before, after, other = measure(x), measure(guessed), measure(x + 0.01 * noise(seed=1))
    name = f"grain_phase_across_{BAND}"
    assert abs(after[name] - before[name]) > 3.0 * abs(other[name] - before[name])


@pytest.mark.parametrize("decibels", [10.0, 20.0])
def test_motion_of_a_gate_is_half_its_depth(decibels: float) -> None:
    gate = np.where(np.arange(4 * RATE) % (2 * RATE) < RATE, 1.0, 10.0 ** (-decibels / 20.0)).astype(np.float32)
    half = np.log(10.0) * decibels / 20.0  # in the natural logarithm of power
    # 0.1 s of smoothing round the edges off.
    assert measure(gate * noise())[f"grain_motion_{BAND}"] == pytest.approx(0.98 * half, rel=0.06)
    assert measure(noise())[f"grain_motion_{BAND}"] < 0.4


def test_group_delay_turns_by_half_a_frame_with_clicks_and_stays_with_tones() -> None:
    """From a frame to the next, half a frame later, a click moves by as much: pi from bin to bin."""
    clicks = 1e-6 * noise()
    clicks[256::1024] += 0.5
    t = np.arange(4 * RATE) / RATE
    tones = sum(0.02 * np.sin(2.0 * np.pi * f * t + f) for f in range(6_150, 8_000, 350)).astype(np.float32)
    of_clicks, of_tones, of_noise = measure(clicks), measure(tones), measure(noise())
    assert of_clicks[f"grain_phase_mixed_{BAND}"] == pytest.approx(-1.0, abs=0.02)
    assert of_tones[f"grain_phase_mixed_{BAND}"] > 0.7
    for found in (of_clicks, of_tones):
        drift = abs(found[f"grain_phase_mixed_{BAND}"])
        assert found[f"grain_phase_drift_{BAND}"] == pytest.approx(drift, abs=0.02)
    assert of_noise[f"grain_phase_drift_{BAND}"] < 0.4


def test_pauses_and_bands_without_sound_are_left_out() -> None:
    x = noise()
    assert set(measure(x)) == NAMES
    assert not any(name.endswith(("8k_11k", "11k_14k", "14k_16k")) for name in measure(x, bandwidth=9_000.0))
    assert measure(x, bandwidth=500.0) == {}
    with_pause = measure(np.concatenate([x, np.zeros_like(x)]))
    for name, value in measure(x).items():
        assert with_pause[name] == pytest.approx(value, rel=0.2, abs=0.15), name
    assert measure(np.zeros(1000, dtype=np.float32)) == {}
