from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import parselmouth
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from parselmouth.praat import call
from scipy.signal import lfilter

from aidetect import vocals

RATE = 44_100
HOP = 0.015  # s between the points of a contour


def voice(
    *,
    f0: float = 180.0,
    seconds: float = 8.0,
    jitter: float = 0.0,
    shimmer: float = 0.0,
    hnr: float | None = None,
    vibrato_rate: float = 5.5,
    vibrato_extent: float = 30.0,
    glissando: float = 0.0,
    formants: tuple[int, int, int, int] = (600, 1200, 2600, 3500),
    seed: int = 0,
) -> np.ndarray:
    """Glottal pulses through four formants.

    `jitter` and `shimmer` are standard deviations, `hnr` is in dB, `glissando` in octaves from beginning to end.
    """
    rng = np.random.default_rng(seed)
    y = np.zeros(round(RATE * seconds) + 400)
    t = 0.001
    while t < seconds - 0.01:
        bend = vibrato_extent / 1200.0 * np.sin(2 * np.pi * vibrato_rate * t)
        f = f0 * 2.0 ** (bend + glissando * t / seconds)
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


def window(
    contour: np.ndarray,
    *,
    timbre: np.ndarray | None = None,
    hiss: np.ndarray | None = None,
    breath: np.ndarray | None = None,
    motion: np.ndarray | None = None,
    glides: np.ndarray | None = None,
) -> vocals.VoiceWindow:
    """A window whose pitch follows `contour`, in cents over 110 Hz; NaN where nobody sings."""
    count, sung = len(contour), int(np.isfinite(contour).sum())
    return vocals.VoiceWindow(
        seconds=HOP * count,
        f0=(110.0 * 2.0 ** (contour / 1200.0)).astype(np.float32),
        strength=np.full(count, 0.9, np.float32),
        times=(HOP * np.arange(count)).astype(np.float32),
        cepstral_peak=np.zeros(sung, np.float32),
        timbre=np.zeros((sung, 13), np.float32) if timbre is None else timbre.astype(np.float32),
        periods=np.zeros((0, 2), np.float32),
        amplitudes=np.zeros((0, 2), np.float32),
        hiss=np.zeros((0, 3), np.float32) if hiss is None else hiss.astype(np.float32),
        breath=np.zeros((0, 2), np.float32) if breath is None else breath.astype(np.float32),
        motion=np.zeros(13, np.float32) if motion is None else motion.astype(np.float32),
        glides=np.zeros(3, np.float32) if glides is None else glides.astype(np.float32),
        hisses=True,
    )


def of_contour(contour: np.ndarray) -> dict[str, float]:
    return vocals.vocal_features([window(contour)])


def notes(*contours: np.ndarray, pause: float = 0.1) -> np.ndarray:
    """Contours one after the other, with pauses in s between them."""
    rest = np.full(round(pause / HOP), np.nan)
    return np.concatenate([part for contour in contours for part in (contour, rest)][:-1])


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


def hissing(sibilant: Callable[[int], np.ndarray], *, count: int = 8) -> dict[str, float]:
    """Measure a voice that breaks off every second for what `sibilant` makes of a number, and 20 ms of silence."""
    y = voice(seconds=count + 1.0)
    for number in range(count):
        burst = sibilant(number).astype(np.float32)
        first, margin = (number + 1) * RATE - len(burst) // 2, RATE // 50
        y[first - margin : first + len(burst) + margin] = 0.0
        y[first : first + len(burst)] = burst
    return measure(y)


def band_noise(low: float, high: float, *, seconds: float, seed: int) -> np.ndarray:
    n = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    freqs = np.fft.rfftfreq(n, 1.0 / RATE)
    part = np.fft.irfft(np.where((freqs >= low) & (freqs < high), spectrum, 0.0), n)
    return 0.1 * part / np.std(part)


@pytest.mark.parametrize("seconds", [0.1, 0.2])
def test_sibilants_last_as_long_as_their_noise(seconds: float) -> None:
    values = hissing(lambda number: band_noise(3_000.0, 12_000.0, seconds=seconds, seed=number))
    assert values["sibilance_duration"] == pytest.approx(seconds, abs=0.024)  # one frame
    assert values["sibilance_rate"] == pytest.approx(8.0 / values["voiced_seconds"], rel=0.01)


def test_flat_sibilants_are_flat_and_whistling_ones_are_not() -> None:
    flat = hissing(lambda number: band_noise(3_000.0, 12_000.0, seconds=0.2, seed=number))
    whistling = hissing(lambda number: band_noise(6_000.0, 6_500.0, seconds=0.2, seed=number))
    # The mean of eight periodograms of white noise has a flatness of 0.94; the first and the last are cut.
    assert flat["sibilance_flatness"] == pytest.approx(0.92, abs=0.05)
    assert whistling["sibilance_flatness"] < 0.3
    assert flat["sibilance_centroid"] == pytest.approx(7_000.0, abs=200.0)
    assert whistling["sibilance_centroid"] == pytest.approx(6_250.0, abs=100.0)


def test_sibilants_of_two_kinds_spread_the_centroid() -> None:
    values = hissing(lambda number: band_noise(*((5e3, 6e3), (8e3, 9e3))[number % 2], seconds=0.15, seed=number))
    assert values["sibilance_centroid_std"] == pytest.approx(1_500.0, abs=150.0)


@pytest.mark.parametrize("level", [-10.0, -25.0])
def test_breath_is_as_loud_as_the_air_between_notes(level: float) -> None:
    sung = voice(seconds=8.0)
    air = np.random.default_rng(0).standard_normal(len(sung))
    power = [np.abs(np.fft.rfft(x)) ** 2 for x in (sung, air)]
    airy = slice(8 * 1_500, 8 * 8_000)  # 8 bins per Hz
    air *= np.sqrt(power[0][airy].sum() / power[1][airy].sum() * 10.0 ** (level / 10.0))
    for second in range(1, 8):
        sung[second * RATE - RATE // 8 : second * RATE + RATE // 8] = 0.0
    values = measure((sung + air).astype(np.float32))
    # Air goes on while the voice sings.
    assert values["breath_level"] == pytest.approx(level - 10.0 * np.log10(1.0 + 10.0 ** (level / 10.0)), abs=1.0)
    assert values["breath_flatness"] == pytest.approx(0.94, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 15_900, 16_000, 22_050, RATE])
def test_sibilants_are_unheard_below_16_khz_and_absent_from_a_vowel_above(rate: int) -> None:
    values = measure(soxr.resample(voice(), RATE, rate), rate)
    assert values["voiced_share"] > 0.9
    assert np.isnan(values["sibilance_rate"]) if rate < 16_000 else values["sibilance_rate"] == 0.0
    assert np.isnan(values["sibilance_centroid"])


def test_noises_and_motion_of_all_windows_are_pooled() -> None:
    flat, motion, glides = np.zeros(200), np.arange(1.0, 14.0), np.array([4.0, 0.2, 0.6])
    hiss = np.array([[0.1, 5e3, 0.5], [0.2, 7e3, 0.8], [0.3, 9e3, 0.9]])
    breath = np.array([[-30.0, 0.2], [-20.0, 0.4], [-15.0, 0.9]])
    values = vocals.vocal_features(
        [
            window(flat, hiss=hiss, breath=breath, motion=motion, glides=glides),
            window(flat, motion=3.0 * motion, glides=2.0 * glides),
        ]
    )
    expected = {
        "sibilance_rate": 3.0 / (400 * HOP),
        "sibilance_duration": 0.2,
        "sibilance_centroid": 7e3,
        "sibilance_centroid_std": np.std([5e3, 7e3, 9e3]),
        "sibilance_flatness": 0.8,
        "breath_level": -20.0,
        "breath_flatness": 0.4,
        **{f"cepstral_motion_{k}": 2.0 * k for k in range(1, 13)},
        "cepstral_flux": 26.0,
        "pitch_step": 6.0,
        "glide_share": 0.3,
        "still_share": 0.9,
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("octaves", [2.0, 3.0])
def test_a_glissando_spans_its_range(octaves: float) -> None:
    values = measure(voice(f0=110.0, glissando=octaves, vibrato_extent=0.0))
    assert values["f0_range"] == pytest.approx(0.9 * 12.0 * octaves, rel=0.03)  # from the 5th to the 95th percentile
    assert values["f0_iqr"] == pytest.approx(0.5 * 12.0 * octaves, rel=0.03)


@settings(deadline=None)
@given(st.floats(0.3, 3.0), st.floats(0.0, 1200.0))
def test_a_sweep_has_nine_tenths_of_its_range_and_half_of_it_between_quartiles(octaves: float, lowest: float) -> None:
    values = of_contour(lowest + np.linspace(0.0, 1200.0 * octaves, 400))
    assert values["f0_range"] == pytest.approx(0.9 * 12.0 * octaves, abs=0.01)
    assert values["f0_iqr"] == pytest.approx(0.5 * 12.0 * octaves, abs=0.01)
    assert values["f0_median"] == pytest.approx(110.0 * 2.0 ** (lowest / 1200.0 + octaves / 2.0), rel=1e-3)


@settings(deadline=None)
@given(st.floats(0.0, 22.0), st.floats(-50.0, 50.0))
def test_semitones_that_are_missed_by_some_cents_deviate_by_them(cents: float, tuning: float) -> None:
    scale = [np.full(40, 100.0 * step + tuning + cents * (-1) ** step) for step in (0, 3, 4, 7, 8, 11)]
    assert of_contour(notes(*scale))["semitone_deviation"] == pytest.approx(cents, abs=0.1)


def test_a_tuning_that_is_off_is_no_deviation() -> None:
    scale = [np.full(40, 100.0 * step + 20.0) for step in (0, 2, 4, 5, 7, 9)]
    assert of_contour(notes(*scale))["semitone_deviation"] < 0.1


@settings(deadline=None)
@given(st.floats(0.0, 400.0), st.sampled_from([-1.0, 1.0]))
def test_the_slide_into_notes_is_their_onset_glide(cents: float, side: float) -> None:
    slide = side * cents * np.linspace(1.0, 0.0, 10)
    scale = [np.concatenate([slide, np.zeros(40)]) + 100.0 * step for step in (0, 2, 4, 5, 7)]
    assert of_contour(notes(*scale))["onset_glide"] == pytest.approx(cents, abs=0.1)


@settings(deadline=None)
@given(st.floats(0.0, 40.0))
def test_pitch_that_wavers_from_frame_to_frame_deviates_from_its_mean(cents: float) -> None:
    # One of nine frames that alternate is left in their mean.
    values = of_contour(np.resize([cents, -cents], 300))
    assert values["pitch_micro_deviation"] == pytest.approx(8.0 / 9.0 * cents, rel=0.01, abs=0.01)


def test_drift_is_no_waver() -> None:
    assert of_contour(np.linspace(0.0, 300.0, 300))["pitch_micro_deviation"] < 0.5


@pytest.mark.parametrize("with_vibrato", [0, 1, 3, 4])
def test_the_share_of_notes_with_vibrato_is_that_of_the_notes(with_vibrato: int) -> None:
    sine = 40.0 * np.sin(2.0 * np.pi * 5.5 * HOP * np.arange(80))
    scale = [200.0 * step + sine * (step < with_vibrato) for step in range(4)]
    assert of_contour(notes(*scale))["vibrato_share"] == with_vibrato / 4.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-600.0, 600.0))
def test_transposing_moves_the_median_alone(seed: int, cents: float) -> None:
    rng = np.random.default_rng(seed)
    walks = [200.0 * k + np.cumsum(rng.normal(0.0, 4.0, 60)) for k in range(5)]
    low, high = of_contour(notes(*walks)), of_contour(notes(*walks) + cents)
    assert high.pop("f0_median") == pytest.approx(low.pop("f0_median") * 2.0 ** (cents / 1200.0), rel=1e-4)
    assert high == pytest.approx(low, rel=0.01, abs=0.05, nan_ok=True)


@pytest.mark.parametrize(("octaves", "step", "glides", "stands_still"), [(0.0, 0.0, 0.0, 1.0), (3.0, 13.5, 1.0, 0.0)])
def test_pitch_stands_still_or_glides(octaves: float, step: float, glides: float, stands_still: float) -> None:
    values = measure(voice(f0=100.0, seconds=4.0, glissando=octaves, vibrato_extent=0.0))
    assert values["pitch_step"] == pytest.approx(step, abs=0.5)  # cents in 15 ms
    assert values["glide_share"] == pytest.approx(glides, abs=0.1)
    assert values["still_share"] == pytest.approx(stands_still, abs=0.1)


def test_vowels_that_alternate_move_the_cepstrum() -> None:
    held, other = voice(), voice(formants=(300, 2200, 2900, 3500))
    fade = 0.5 + 0.5 * np.sin(2 * np.pi * 1.5 * np.arange(len(held)) / RATE)
    still, moving = measure(held), measure((fade * held + (1.0 - fade) * other).astype(np.float32))
    assert all(moving[f"cepstral_motion_{k}"] > 1.5 * still[f"cepstral_motion_{k}"] > 0.0 for k in range(1, 7))
    assert moving["cepstral_flux"] > 1.5 * still["cepstral_flux"] > 0.0


def test_timbre_is_stable_where_phrases_agree_less_than_what_is_within_them() -> None:
    lengths = (40, 60, 80, 60)
    contour = notes(*(np.zeros(length) for length in lengths), pause=0.45)
    within = np.concatenate([np.resize([1.0, -1.0], length) + 4.0 * k for k, length in enumerate(lengths)])
    values = vocals.vocal_features([window(contour, timbre=np.repeat(within[:, None], 13, axis=1))])
    assert values["timbre_within"] == pytest.approx(1.0, rel=1e-4)
    assert values["timbre_drift"] == pytest.approx(4.0, rel=1e-4)
    assert values["timbre_stability"] == pytest.approx(0.25, rel=1e-4)


def test_phrases_are_as_long_as_what_no_pause_divides() -> None:
    breathless = notes(np.zeros(30), np.zeros(30), pause=0.15)  # too short a pause to end a phrase
    values = of_contour(notes(np.zeros(40), breathless, np.zeros(120), pause=0.45))
    lengths = HOP * np.array([40, 70, 120])
    assert values["phrase_length_mean"] == pytest.approx(lengths.mean(), abs=1e-6)
    assert values["phrase_length_std"] == pytest.approx(lengths.std(), abs=1e-6)


def test_phrases_of_a_voice_are_heard() -> None:
    y = voice(seconds=9.0)
    for end in (2, 5, 8):
        y[end * RATE : round((end + 0.5) * RATE)] = 0.0
    y[round(8.5 * RATE) :] = 0.0
    values = measure(y)
    assert values["phrase_length_mean"] == pytest.approx(np.mean([2.0, 2.5, 2.5]), abs=0.1)
    assert values["phrase_length_std"] == pytest.approx(np.std([2.0, 2.5, 2.5]), abs=0.05)


def test_every_feature_is_described_once() -> None:
    names = [feature.name for feature in vocals.FEATURES]
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
