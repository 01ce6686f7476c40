"""Lines in the envelope: found where a modulation is, absent where none is, untouched by what does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect.analysis import window_spectrum
from aidetect.modulation import RATES, ModulationSpectrum, envelope_lines, restore
from aidetect.transforms import low_pass


def beating(
    rate_of_steps: float, *, depth: float = 0.3, rate: int = 44_100, seconds: float = 10.0, seed: int = 0
) -> np.ndarray:
    """White noise whose power repeats `rate_of_steps` times a second, as that of a strided decoder does."""
    n = np.arange(round(rate * seconds))
    noise = np.random.default_rng(seed).standard_normal(len(n))
    return (0.1 * noise * (1.0 + depth * (np.cos(2.0 * np.pi * rate_of_steps * n / rate) > 0.5))).astype(np.float32)


def heights(x: np.ndarray, *, rate: int = 44_100, bandwidth: float = 22_050.0) -> np.ndarray:
    spectrum = ModulationSpectrum()
    spectrum.add(window_spectrum(x, rate=rate), bandwidth=bandwidth)
    return restore(spectrum.heights())


@pytest.mark.parametrize("steps", [150.0, 344.53, 387.6])
def test_lines_stand_at_the_multiples_of_the_step_rate(steps: float) -> None:
    found = heights(beating(steps))
    first, second = (int(np.argmin(np.abs(RATES - k * steps))) for k in (1, 2))
    assert found[first - 1 : first + 2].max() == 4.0
    assert found[second - 1 : second + 2].max() == 4.0


def test_noise_has_few_lines() -> None:
    x = np.random.default_rng(1).standard_normal(441_000).astype(np.float32)
    assert np.mean(heights(x) >= 3.0) < 0.01
    assert np.mean(heights(x) == 0.0) > 0.4


@pytest.mark.parametrize("bandwidth", [5_300.0, 9_300.0, 22_050.0])
def test_heights_of_noise_are_robust_deviations_of_however_many_bands(bandwidth: float) -> None:
    x = np.random.default_rng(2).standard_normal((1, 441_000)).astype(np.float32)
    found = heights(low_pass(x, 44_100, cutoff=bandwidth)[0][0], bandwidth=bandwidth)
    # Heights are rounded to halves: of a Gaussian, 0.23 lie above 0.75 and 0.04 above 1.75.
    assert np.mean(found >= 1.0) == pytest.approx(0.23, abs=0.04)
    assert np.mean(found >= 2.0) == pytest.approx(0.04, abs=0.03)


def test_volume_does_not_matter() -> None:
    x = beating(200.0)
    assert np.mean(heights(x) != heights(0.01 * x)) < 0.01


def test_more_windows_raise_a_weak_line() -> None:
    spectrum, at = ModulationSpectrum(), RATES == 250.0
    alone = []
    for seed in range(12):
        x = beating(250.0, depth=0.02, seed=seed)
        spectrum.add(window_spectrum(x, rate=44_100), bandwidth=22_050.0)
        alone.append(float(heights(x)[at][0]))
    assert np.mean(alone) < 3.0
    assert restore(spectrum.heights())[at] == 4.0


def test_bands_beyond_the_bandwidth_stay_empty() -> None:
    window = window_spectrum(beating(200.0, rate=48_000), rate=48_000)
    low, mid, high = envelope_lines(window, bandwidth=8_000.0)
    assert low is not None
    assert mid is not None
    assert high is None
    assert np.isnan(mid[RATES > 0.8 * 2_800.0]).all()
    assert np.isfinite(mid[RATES < 0.8 * 2_800.0]).all()


def test_nothing_measured_is_nothing_found() -> None:
    assert not ModulationSpectrum().heights().any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]), st.floats(2.0, 10.0))
def test_any_stretch_of_noise_has_few_lines_at_any_volume(seed: int, rate: int, seconds: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(int(seconds * rate)) * rng.choice([1e-6, 0.1, 1.0])
    x[: int(rng.integers(0, len(x) // 2))] = 0.0
    found = heights(x.astype(np.float32), rate=rate, bandwidth=rate / 2)
    assert found.shape == RATES.shape
    assert np.mean(found == 0.0) > 0.5
    assert np.mean(found >= 1.0) > 0.12
    assert np.mean(found >= 3.0) < 0.01
    assert np.mean(found != heights(8.0 * x.astype(np.float32), rate=rate, bandwidth=rate / 2)) < 0.01
