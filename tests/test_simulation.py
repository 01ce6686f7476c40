"""Simulated decoders keep what they are said to keep, and lose the phase."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import music

from aidetect import simulation

RATE = 32_000


@pytest.fixture(scope="module")
def mono() -> np.ndarray:
    return music(seconds=3.0, rate=RATE, channels=1)[0]


def spectrum(x: np.ndarray) -> np.ndarray:
    """Mean level in dB in 32 bands of 500 Hz."""
    power = np.abs(np.fft.rfft(x)) ** 2
    return 10.0 * np.log10([part.sum() + 1e-12 for part in np.array_split(power, 32)])


def magnitudes(x: np.ndarray, size: int) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(x, size)[:: size // 4]
    return np.abs(np.fft.rfft(frames * np.hanning(size), axis=1))


def test_inversion_keeps_magnitudes_better_the_longer_it_guesses(mono: np.ndarray) -> None:
    size = 2048
    wanted = magnitudes(mono, size)
    errors = []
    for iterations in (1, 32):
        found = simulation.invert(mono, RATE, seconds=size / RATE, iterations=iterations, seed=0)
        assert found.shape == mono.shape
        errors.append(np.linalg.norm(magnitudes(found, size) - wanted) / np.linalg.norm(wanted))
    assert errors[1] < 0.6 * errors[0]
    assert errors[1] < 0.2
    assert abs(np.corrcoef(found, mono)[0, 1]) < 0.9  # the waveform is another


def test_mel_inversion_keeps_the_spectrum_up_to_its_top(mono: np.ndarray) -> None:
    found = simulation.invert_mel(mono, RATE, seconds=0.064, iterations=16, bands=128, top=8_000.0, seed=0)
    before, after = spectrum(mono), spectrum(found)
    assert np.abs(after - before)[1:14].max() < 4.0
    assert (before - after)[18:].min() > 20.0


def test_blurring_leaves_low_notes_alone_and_the_level_everywhere(mono: np.ndarray) -> None:
    found = simulation.blur_phase(mono, RATE, seconds=0.05, spread=2.0, above=4_000.0, smooth=1.0, seed=0)
    low, high = (np.fft.rfft(x)[: round(3.9e3 * 3)] for x in (mono, found))
    assert np.linalg.norm(low - high) < 0.05 * np.linalg.norm(low)
    assert (
        np.abs(np.fft.rfft(found)[30_000:40_000] - np.fft.rfft(mono)[30_000:40_000]).mean()
        > 0.1 * np.abs(np.fft.rfft(mono)[30_000:40_000]).mean()
    )
    np.testing.assert_allclose(spectrum(found)[:26], spectrum(mono)[:26], atol=4.0)


def test_no_wandering_changes_nothing(mono: np.ndarray) -> None:
    found = simulation.blur_phase(mono, RATE, seconds=0.05, spread=0.0, above=0.0, smooth=1.0, seed=0)
    np.testing.assert_allclose(found, mono, atol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_a_seed_names_a_simulation_and_its_twin_differs_by_the_decoder_alone(seed: int) -> None:
    y = music(seconds=3.0, seed=seed)
    drawn = [simulation.draw_simulation(np.random.default_rng(seed), decode=decode) for decode in (True, True, False)]
    (kind, _), _, (twin_kind, _) = drawn
    assert kind == twin_kind
    assert kind in simulation.KINDS
    (first, rate), (again, _), (twin, twin_rate) = (transform.apply(y, 44_100) for _, transform in drawn)
    np.testing.assert_array_equal(first, again)
    assert rate == twin_rate
    assert first.shape == twin.shape
    assert first.shape[0] == 1
    assert not np.allclose(first, twin, atol=1e-3)
    assert np.isfinite(first).all()
