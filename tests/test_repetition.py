"""Repetition, on sounds that come again with known changes."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aidetect.analysis import window_spectrum
from aidetect.demo import tune
from aidetect.repetition import FEATURES, RepetitionSearch

RATE = 16_000


def noise(seconds: float, *, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * rate))


def search(*windows: np.ndarray, rate: int = RATE, bandwidth: float = 8_000.0) -> dict[str, float]:
    found = RepetitionSearch()
    for window in windows:
        found.add(window_spectrum(window.astype(np.float32), rate=rate), bandwidth=bandwidth)
    return found.values()


def noisy_copies(snr: float, *, count: int = 2) -> list[np.ndarray]:
    """One noise, `snr` dB over another that is new in each copy; both white, so that every band has the same ratio."""
    return [noise(8.0) + 10.0 ** (-snr / 20.0) * noise(8.0, seed=k + 1) for k in range(count)]


def played(seconds: float, *, seed: int = 0) -> np.ndarray:
    return tune(seconds=seconds, rate=RATE, seed=seed).mean(axis=0)


def test_a_bar_that_is_copied_is_found_and_stands_alone() -> None:
    values = search(np.tile(played(3.0), 3))
    assert values["repetition_max"] > 0.98
    assert values["repetition_sharpness_max"] > 0.5


def test_a_bar_that_is_played_anew_is_no_copy() -> None:
    values = search(*(played(8.0, seed=seed) for seed in range(2)))
    assert values["repetition_max"] < 0.5
    assert values["repetition_sharpness_max"] < 0.2


def test_white_noise_repeats_nothing() -> None:
    # 3 s of 3.2 kHz have a correlation of 0.007 with what is unlike them; the highest of 80 000 lies at 0.03.
    values = search(noise(10.0), noise(10.0, seed=1))
    assert 0.015 < values["repetition_min"] <= values["repetition_max"] < 0.05
    assert values["repetition_sharpness_max"] < 0.03


@pytest.mark.parametrize("snr", [20.0, 10.0, 3.0, 0.0])
def test_noisy_copies_correlate_by_their_share_of_signal(snr: float) -> None:
    values = search(*noisy_copies(snr))
    share = 1.0 / (1.0 + 10.0 ** (-snr / 10.0))
    for name in ("max", "median", "min"):
        assert values[f"repetition_{name}"] == pytest.approx(share, abs=0.02), name
    for name in ("sharpness_max", "sharpness_median"):
        assert values[f"repetition_{name}"] == pytest.approx(share, abs=0.06), name  # noise beside it reaches 0.03


@pytest.mark.parametrize(("unlike", "median"), [(1, 0.909), (3, 0.03)])
def test_windows_that_are_like_no_other_lower_the_least_and_many_the_median(unlike: int, median: float) -> None:
    values = search(*noisy_copies(10.0), *(noise(8.0, seed=9 + k) for k in range(unlike)))
    assert values["repetition_max"] == pytest.approx(0.909, abs=0.02)
    assert values["repetition_median"] == pytest.approx(median, abs=0.02)
    assert values["repetition_min"] == pytest.approx(0.03, abs=0.02)
    assert values["repetition_sharpness_max"] == pytest.approx(0.88, abs=0.03)
    assert values["repetition_sharpness_median"] == pytest.approx(median, abs=0.06)


@pytest.mark.parametrize(("gain", "found"), [(1.0, 1.0), (0.3, 1.0), (0.01, 0.1)])
def test_a_copy_far_below_the_loudest_stretch_does_not_count_in_full(gain: float, found: float) -> None:
    y = noise(10.0)
    middle, copy = slice(round(3.5 * RATE), round(6.5 * RATE)), slice(7 * RATE, 10 * RATE)
    y[copy] = gain * y[middle]
    assert search(y)["repetition_max"] == pytest.approx(found, abs=0.03)


def test_a_held_tone_is_found_everywhere_and_not_sharply() -> None:
    t = np.arange(8 * RATE) / RATE
    tone = sum(np.sin(2.0 * np.pi * 55.0 * k * t + k * k) for k in range(1, 66))
    values = search(tone + 0.5 * noise(8.0))
    assert values["repetition_max"] > 0.1
    assert values["repetition_sharpness_max"] < 0.03


@pytest.mark.parametrize(("seconds", "known"), [(3.9, False), (4.1, True)])
def test_what_is_shorter_than_four_seconds_is_not_searched(seconds: float, known: bool) -> None:
    values = search(noise(seconds))
    assert list(values) == [feature.name for feature in FEATURES]
    assert all(np.isfinite(value) == known for value in values.values())
    beside = search(*noisy_copies(10.0), noise(seconds, seed=9))  # a short rest takes no part
    assert (beside["repetition_min"] < 0.1) == known


def test_a_copy_upside_down_is_a_copy() -> None:
    one, other = noisy_copies(10.0)
    assert search(one, -other) == pytest.approx(search(one, other), abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.floats(-120.0, 80.0), st.floats(-120.0, 80.0))
def test_gain_changes_nothing(first: float, second: float) -> None:
    bar = played(3.0)
    one, other = np.tile(bar, 2), np.roll(np.tile(bar, 2), RATE) + 1e-3 * noise(6.0)
    louder = search(one * 10.0 ** (first / 20.0), other * 10.0 ** (second / 20.0))
    assert louder == pytest.approx(search(one, other), abs=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([22_050, 44_100, 48_000]), st.floats(0.0, 10.0), st.floats(0.0, 2.0 * np.pi))
@example(44_100, 3.5, 0.0)  # about half a sample of the signals compared
def test_copies_need_not_lie_whole_samples_apart(rate: int, delay: float, phase: float) -> None:
    spectrum = np.fft.rfft(noise(8.0, rate=rate))
    shift = np.exp(1j * (phase - 2.0 * np.pi * delay * np.arange(len(spectrum)) / (8 * rate)))
    copies = [np.fft.irfft(bins, 8 * rate) for bins in (spectrum, spectrum * shift)]
    values = search(*copies, rate=rate, bandwidth=rate / 2.0)
    assert values["repetition_min"] > 0.96
    assert values["repetition_max"] < 1.01
    assert values["repetition_sharpness_median"] > 0.9


@pytest.mark.parametrize("rate", [11_025, 22_050, 44_100, 48_000])
def test_a_copy_in_a_shorter_window_is_found(rate: int) -> None:
    y = noise(10.0, rate=rate)
    for seconds in (4.3, 7.77, 9.99):
        rest = y[-round(seconds * rate) :]
        for windows in ((y, rest), (rest, y)):
            values = search(*windows, rate=rate, bandwidth=rate / 2.0)
            assert values["repetition_max"] > 0.95, seconds  # the middle of the shorter one, in the longer


@pytest.mark.parametrize("speed", [0.97, 1.03])
def test_a_change_of_speed_leaves_copies_alike(speed: float) -> None:
    one, other = noisy_copies(10.0)
    faster = search(*(soxr.resample(copy, RATE, RATE / speed) for copy in (one, other)))
    assert faster["repetition_max"] == pytest.approx(search(one, other)["repetition_max"], abs=0.01)


def test_what_lies_above_the_bandwidth_is_not_compared() -> None:
    copies = []
    for seed in (1, 2):
        low, high = np.fft.rfft(noise(8.0)), np.fft.rfft(noise(8.0, seed=seed))
        freqs = np.fft.rfftfreq(8 * RATE, 1.0 / RATE)
        copies.append(np.fft.irfft(np.where(freqs < 1_900.0, low, high), 8 * RATE))
    assert search(*copies, bandwidth=2_000.0)["repetition_max"] > 0.98
    # 1500 of 3200 Hz are the same.
    assert search(*copies)["repetition_max"] == pytest.approx(1_500.0 / 3_200.0, abs=0.03)


def test_silence_repeats_nothing() -> None:
    values = search(np.zeros(8 * RATE), np.zeros(8 * RATE))
    assert set(values.values()) == {0.0}


def test_five_windows_are_enough() -> None:
    found = RepetitionSearch()
    for _ in range(5):
        assert found.wants_more()
        found.add(window_spectrum(noise(1.0).astype(np.float32), rate=RATE), bandwidth=8_000.0)
    assert not found.wants_more()
