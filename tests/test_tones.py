"""Statistics of the lines of notes, on chords of known width and tuning."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from aidetect.analysis import low_frames, window_spectrum
from aidetect.tones import BANDS, FEATURES, ToneSpectrum, tone_levels, tone_statistics

RATE = 44_100


def chord(*, waver: float = 0.0, tuning: float = 0.0, spread: float = 0.0, seconds: float = 10.0) -> np.ndarray:
    """Twelve notes from 250 Hz up over faint noise.

    `waver` is the standard deviation of their pitch in Hz, `tuning` how far they lie from A = 440 Hz, in semitones,
    `spread` how far each lies from its place at random, in semitones.
    """
    rng = np.random.default_rng(0)
    n = round(seconds * RATE)
    out = 1e-4 * rng.standard_normal(n)
    for k in range(12):
        f = 440.0 * 2.0 ** ((2 * k - 9 + tuning + spread * rng.standard_normal()) / 12.0)
        drift = np.interp(np.arange(n), np.linspace(0, n, 200), rng.standard_normal(200)) * waver
        out += 0.05 * np.sin(2.0 * np.pi * np.cumsum(f + drift) / RATE)
    return out.astype(np.float32)


def statistics(x: np.ndarray) -> dict[str, float]:
    return tone_statistics(tone_levels(window_spectrum(x, rate=RATE)))


def test_steady_notes_stand_out_more_than_wavering_ones() -> None:
    steady, wavering = statistics(chord()), statistics(chord(waver=6.0))
    assert steady["tone_kurtosis_500_1000hz"] > wavering["tone_kurtosis_500_1000hz"] + 2.0
    assert steady["tone_skewness_500_1000hz"] > wavering["tone_skewness_500_1000hz"]


def test_one_narrow_line_a_note_is_counted() -> None:
    found = statistics(chord())
    # Whole tones: 6 notes lie between 500 and 1000 Hz, and nothing but noise between them.
    assert found["tone_density_500_1000hz"] == pytest.approx(12.0)


def test_statistics_of_lines_ten_hertz_apart_are_those_of_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    heights = iter((4.0, 8.0))
    hertz = np.arange(BANDS[0][0], BANDS[-1][1])
    monkeypatch.setattr(
        "aidetect.tones.tone_levels", lambda _: np.where(hertz % 10 == 5, next(heights), 0.0).astype(np.float32)
    )
    spectrum, window = ToneSpectrum(), window_spectrum(np.zeros(RATE, dtype=np.float32), rate=RATE)
    spectrum.add(window)
    spectrum.add(window)
    found = spectrum.values()
    share = 0.1
    spread = np.sqrt(share * (1.0 - share))
    for low, high in BANDS:
        band = f"{low}_{high}hz"
        assert found[f"tone_density_{band}"] == pytest.approx(100.0)
        assert found[f"tone_skewness_{band}"] == pytest.approx((1.0 - 2.0 * share) / spread, rel=0.01)
        # Within a window, the course of the spectrum is a mean over 61 Hz, which holds six lines or seven.
        for stat, tolerance in (("tone", 0.01), ("tone_moment", 0.06)):
            assert found[f"{stat}_spread_{band}"] == pytest.approx(6.0 * spread, rel=tolerance)
            assert found[f"{stat}_kurtosis_{band}"] == pytest.approx(1.0 / spread**2 - 6.0, rel=2.0 * tolerance)
            assert found[f"{stat}_roughness_{band}"] == pytest.approx(2.0 * share / spread**2, rel=tolerance)


def test_tuning_is_high_for_semitones_and_low_for_pitches_anywhere() -> None:
    assert statistics(chord())["tone_tuning_500_1000hz"] > 0.6
    assert statistics(chord(tuning=0.3))["tone_tuning_500_1000hz"] > 0.6
    assert statistics(chord(spread=1.0))["tone_tuning_500_1000hz"] < 0.5


def test_the_sample_rate_hardly_matters() -> None:
    x = chord()
    one, other = (
        statistics(x),
        tone_statistics(tone_levels(window_spectrum(soxr.resample(x, RATE, 32_000), rate=32_000))),
    )
    for band in ("250_500hz", "500_1000hz"):  # where the notes are
        assert one[f"tone_density_{band}"] == other[f"tone_density_{band}"]
        assert one[f"tone_spread_{band}"] == pytest.approx(other[f"tone_spread_{band}"], rel=0.03)
        assert one[f"tone_tuning_{band}"] == pytest.approx(other[f"tone_tuning_{band}"], abs=0.02)


def test_low_frames_know_their_step() -> None:
    x = chord()
    power, step = low_frames(window_spectrum(x, rate=RATE), top=2_100.0, seconds=0.74)
    assert step == pytest.approx(1.0 / 0.74, rel=0.02)
    strongest = np.argmax(power.mean(axis=0)[: int(280 / step)]) * step
    assert strongest == pytest.approx(440.0 * 2.0 ** (-9 / 12), abs=step)


def test_windows_are_collected_up_to_a_limit() -> None:
    spectrum = ToneSpectrum()
    window = window_spectrum(chord(), rate=RATE)
    while spectrum.wants_more():
        spectrum.add(window)
    values = spectrum.values()
    assert set(values) == {feature.name for feature in FEATURES}
    assert all(np.isfinite(v) for v in values.values())
    assert all(np.isnan(v) for v in ToneSpectrum().values().values())
