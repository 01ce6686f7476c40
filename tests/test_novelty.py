from __future__ import annotations

import numpy as np
import pytest
from conftest import music
from tables import made_up

from aidetect.detector import Detector
from aidetect.features import describe_features
from aidetect.novelty import fit_range, limit_of


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return made_up(tracks=400).values


def test_most_training_tracks_lie_inside_and_shifted_ones_outside(values: np.ndarray) -> None:
    known = fit_range(values)
    assert float(np.median(known.share_outside(values))) <= 0.02
    spread = np.nanstd(values, axis=0)
    far = known.share_outside(values + 10.0 * spread)
    assert float(far.min()) >= 0.9


def test_missing_features_do_not_count(values: np.ndarray) -> None:
    known = fit_range(values)
    holed = values.copy()
    holed[:, ::2] = np.nan
    assert float(np.median(known.share_outside(holed))) <= 0.02
    assert known.share_outside(np.full_like(values, np.nan)).max() == 0.0


def test_features_of_the_voice_and_unscored_ones_are_left_out(values: np.ndarray) -> None:
    by_name = {feature.name: feature for feature in describe_features()}
    columns = fit_range(values).columns
    assert columns
    assert all(by_name[name].scored and by_name[name].family != "vocals" for name in columns)


def test_the_limit_lets_all_but_half_a_percent_pass() -> None:
    shares = np.linspace(0.0, 1.0, 2001, dtype=np.float32)
    assert limit_of(shares) == pytest.approx(0.995, abs=1e-3)


def test_a_feature_missing_everywhere_is_never_outside(values: np.ndarray) -> None:
    empty = np.full_like(values, np.nan)
    assert fit_range(empty).share_outside(values).max() == 0.0


def noise(n: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((2, n))


def sweep(n: int) -> np.ndarray:
    t = np.arange(n) / 44_100
    return np.stack([0.3 * np.sin(2 * np.pi * (50.0 * t + 250.0 * t**2))] * 2)


def clicks(n: int) -> np.ndarray:
    floor = 1e-5 * np.random.default_rng(0).standard_normal((2, n))
    return floor + 0.5 * (np.arange(n) % 22_050 == 0)


def birds(n: int) -> np.ndarray:
    """Chirps of 50 to 600 ms over pink noise, as in a field recording."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal((2, n)))
    spectrum[:, 1:] /= np.sqrt(np.arange(1, spectrum.shape[1]))
    y = np.fft.irfft(spectrum, n)
    y *= 0.02 / y.std()
    for start in rng.integers(0, n - 44_100, 60):
        t = np.arange(int(rng.uniform(0.05, 0.6) * 44_100)) / 44_100
        phase = rng.uniform(2000.0, 7000.0) * t + rng.uniform(-2000.0, 2000.0) * t**2
        y[:, start : start + len(t)] += 0.05 * np.hanning(len(t)) * np.sin(2 * np.pi * phase)
    return y


@pytest.mark.parametrize("sound", [noise, sweep, clicks, birds])
def test_what_is_no_music_gets_no_verdict_and_a_reason(sound) -> None:
    result = Detector.load().score_array(sound(20 * 44_100), 44_100)
    assert result.verdict == "uncertain"
    assert any("unlike the music" in warning for warning in result.warnings)


def test_music_over_a_telephone_gets_no_verdict_and_a_reason() -> None:
    import scipy.signal

    y = scipy.signal.resample_poly(music(seconds=12.0), 80, 441, axis=-1)
    result = Detector.load().score_array(y, 8_000)
    assert result.verdict == "uncertain"
    assert any("kHz" in warning for warning in result.warnings)
