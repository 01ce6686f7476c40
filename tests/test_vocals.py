from __future__ import annotations

import warnings

import numpy as np
import parselmouth
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parselmouth.praat import call
from scipy.signal import lfilter

from aidetect import vocals

RATE = 44_100


def voice(
    *,
    f0: float = 180.0,
    seconds: float = 8.0,
    jitter: float = 0.0,
    shimmer: float = 0.0,
    hnr: float | None = None,
    vibrato_rate: float = 5.5,
    vibrato_extent: float = 30.0,
    formants: tuple[int, int, int, int] = (600, 1200, 2600, 3500),
    seed: int = 0,
) -> np.ndarray:
    """Glottal pulses through four formants. `jitter` and `shimmer` are standard deviations, `hnr` is in dB."""
    rng = np.random.default_rng(seed)
    y = np.zeros(round(RATE * seconds) + 400)
    t = 0.001
    while t < seconds - 0.01:
        f = f0 * 2.0 ** (vibrato_extent / 1200.0 * np.sin(2 * np.pi * vibrato_rate * t))
        first = int(t * RATE)
        pulse = np.sinc(np.arange(60) - 20 - (t * RATE - first)) * np.hanning(60)
        y[first : first + 60] += (1.0 + shimmer * rng.standard_normal()) * pulse
        t += (1.0 + jitter * rng.standard_normal()) / f
    y = y[: round(RATE * seconds)]
    for formant, width in zip(formants, (80, 100, 140, 200), strict=True):
        r = np.exp(-np.pi * width / RATE)
        y = lfilter([1.0], [1.0, -2.0 * r * np.cos(2 * np.pi * formant / RATE), r * r], y)
    y /= np.sqrt(np.mean(y**2))
    if hnr is not None:
        y = y + rng.standard_normal(len(y)) * 10.0 ** (-hnr / 20.0)
    return (0.1 * y).astype(np.float32)


def measure(y: np.ndarray, rate: int = RATE) -> dict[str, float]:
    return vocals.vocal_features([vocals.analyse_voice(y, rate=rate)])


def praat(y: np.ndarray) -> tuple[float, float, float]:
    """Jitter (local) and shimmer (local) in percent, and HNR in dB of the band below 5.5 kHz."""
    sound = parselmouth.Sound(y.astype(np.float64), RATE)
    points = call(sound, "To PointProcess (periodic, cc)", 75, 600)
    jitter = 100 * call(points, "Get jitter (local)", 0, 0, 1e-4, 0.02, 1.3)
    shimmer = 100 * call([sound, points], "Get shimmer (local)", 0, 0, 1e-4, 0.02, 1.3, 1.6)
    low = sound.resample(11_025)
    return jitter, shimmer, call(call(low, "To Harmonicity (ac)", 0.015, 75, 0.1, 3.0), "Get mean", 0, 0)


@pytest.mark.parametrize("f0", [110.0, 180.0, 320.0, 600.0])
def test_pitch_of_a_voice(f0: float) -> None:
    values = measure(voice(f0=f0))
    assert values["f0_median"] == pytest.approx(f0, rel=0.005)
    assert values["voiced_share"] > 0.9


@pytest.mark.parametrize(("rate", "extent"), [(4.5, 40.0), (5.5, 30.0), (6.2, 50.0), (7.0, 80.0)])
def test_vibrato_rate_and_extent(rate: float, extent: float) -> None:
    values = measure(voice(vibrato_rate=rate, vibrato_extent=extent))
    assert values["vibrato_rate"] == pytest.approx(rate, abs=0.1)
    assert values["vibrato_extent"] == pytest.approx(extent, rel=0.06)
    assert values["vibrato_regularity"] > 0.9


@pytest.mark.parametrize(("f0", "jitter"), [(180.0, 0.0), (180.0, 0.005), (180.0, 0.01), (320.0, 0.01), (110.0, 0.01)])
def test_jitter_agrees_with_praat(f0: float, jitter: float) -> None:
    y = voice(f0=f0, jitter=jitter)
    assert measure(y)["jitter_local"] == pytest.approx(praat(y)[0], abs=0.1)


def test_jitter_and_shimmer_agree_with_praat_together_and_in_noise() -> None:
    y = voice(jitter=0.01, shimmer=0.05, hnr=15.0)
    jitter, shimmer, hnr = praat(y)
    values = measure(y)
    assert values["jitter_local"] == pytest.approx(jitter, abs=0.15)
    assert values["shimmer_local"] == pytest.approx(shimmer, abs=1.5)
    assert values["hnr_mean"] == pytest.approx(hnr, abs=2.0)


@pytest.mark.parametrize("shimmer", [0.0, 0.03, 0.06, 0.1])
def test_shimmer_agrees_with_praat(shimmer: float) -> None:
    y = voice(shimmer=shimmer)
    assert measure(y)["shimmer_local"] == pytest.approx(praat(y)[1], abs=0.6)


@pytest.mark.parametrize("hnr", [5.0, 10.0, 15.0, 20.0])
def test_hnr_agrees_with_praat_in_the_same_band(hnr: float) -> None:
    y = voice(hnr=hnr)
    assert measure(y)["hnr_mean"] == pytest.approx(praat(y)[2], abs=2.0)


def test_hnr_is_that_of_the_noise_that_was_added() -> None:
    # White noise up to 22.05 kHz: a quarter of its power, -6 dB, lies in the band that is looked at.
    assert measure(voice(hnr=10.0))["hnr_mean"] == pytest.approx(16.0, abs=1.5)


def test_cepstral_peak_falls_as_noise_rises() -> None:
    clean, rough = measure(voice(hnr=25.0)), measure(voice(hnr=5.0))
    assert clean["cpp_mean"] > rough["cpp_mean"] + 3.0


def test_nobody_sings_in_noise_silence_or_clicks() -> None:
    rng = np.random.default_rng(0)
    clicks = np.zeros(8 * RATE, np.float32)
    clicks[:: RATE // 4] = 0.9
    for y in (0.1 * rng.standard_normal(8 * RATE).astype(np.float32), np.zeros(8 * RATE, np.float32), clicks):
        values = measure(y)
        assert values["voiced_seconds"] < 1.0
        named = {*vocals.PRESENCE, "voiced_seconds"}
        assert all(np.isnan(value) for name, value in values.items() if name not in named)


def test_a_flat_synthetic_tone_is_no_voice() -> None:
    t = np.arange(8 * RATE) / RATE
    organ = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 9))
    assert measure((0.1 * organ).astype(np.float32))["voiced_share"] < 0.1


def test_gain_changes_nothing() -> None:
    y = voice(jitter=0.005, hnr=20.0)
    loud, quiet = measure(y), measure((1e-5 * y).astype(np.float32))
    for name, value in loud.items():
        assert quiet[name] == pytest.approx(value, rel=0.01, abs=0.01, nan_ok=True), name


def test_mask_marks_the_half_that_is_sung() -> None:
    y = np.concatenate([np.zeros(4 * RATE, np.float32), voice(seconds=4.0)])
    window = vocals.analyse_voice(y, rate=RATE)
    times = np.linspace(0.1, 7.9, 79)
    sung = vocals.voiced_mask(window, times=times)
    assert not sung[times < 3.9].any()
    assert sung[(times > 4.2) & (times < 7.8)].mean() > 0.9


def test_sibilants_are_counted_between_notes() -> None:
    rng = np.random.default_rng(0)
    y = voice(seconds=8.0)
    for second in range(1, 8):
        start = second * RATE
        y[start - RATE // 10 : start + RATE // 10] = 0.0
        hiss = np.diff(rng.standard_normal(RATE // 10 + 1)).astype(np.float32)
        y[start - RATE // 20 : start - RATE // 20 + len(hiss)] += 0.1 * hiss
    values = measure(y)
    assert 0.5 * 7 / 6.6 < values["sibilance_rate"] < 1.5 * 7 / 6.6
    assert 6_000 < values["sibilance_centroid"] < 9_000


def test_low_sample_rates_have_no_sibilance() -> None:
    assert np.isnan(measure(voice()[::4], RATE // 4)["sibilance_centroid"])


def test_every_feature_is_described_once() -> None:
    names = [row[0] for row in vocals.FEATURES]
    assert len(set(names)) == len(names)
    assert set(measure(voice())) == set(names)
    assert vocals.vocal_features([]).keys() == set(names)


def test_a_singer_is_followed_over_a_bass() -> None:
    # Vowels alternate, so that formants move; the bass is as loud as the singer and an octave and more below.
    t = np.arange(8 * RATE) / RATE
    bass = sum(np.sin(2 * np.pi * 98.0 * k * t) / k**2 for k in range(1, 6))
    open_vowel, closed = voice(f0=330.0), voice(f0=330.0, formants=(300, 2200, 2900, 3500))
    fade = 0.5 + 0.5 * np.sin(2 * np.pi * 1.5 * t)
    sung = fade * open_vowel + (1.0 - fade) * closed
    mix = sung + bass * np.std(sung) / np.std(bass)
    values = measure(mix.astype(np.float32))
    assert values["f0_median"] == pytest.approx(330.0, rel=0.02)
    assert values["voiced_share"] > 0.6
    assert measure((0.1 * bass).astype(np.float32))["voiced_share"] < 0.1


def test_no_window_is_no_singing() -> None:
    values = vocals.vocal_features([])
    assert values["voiced_share"] == values["voiced_seconds"] == 0.0
    assert np.isnan(values["f0_median"])


@pytest.mark.parametrize("scale", [1e-42, 1e-5, 1e18, 3e38])
@pytest.mark.parametrize("samples", [0, 1, 100, 4_410])
def test_extreme_levels_and_lengths(samples: int, scale: float) -> None:
    y = (scale * np.sin(0.03 * np.arange(samples))).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = measure(y)
    assert not np.isinf(list(values.values())).any()


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000]),
    st.floats(0.3, 3.0),
    st.sampled_from(["noise", "sparse", "steps", "constant"]),
)
def test_any_signal_gives_numbers_or_nan(seed: int, rate: int, seconds: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    y = {
        "noise": lambda: rng.standard_normal(n),
        "sparse": lambda: rng.standard_normal(n) * (rng.random(n) < 0.001),
        "steps": lambda: np.sign(np.sin(np.arange(n) * rng.uniform(0.001, 0.5))),
        "constant": lambda: np.full(n, rng.uniform(-1, 1)),
    }[kind]().astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = measure(y, rate)
    assert all(np.isnan(value) or np.isfinite(value) for value in values.values())
