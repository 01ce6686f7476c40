"""Tones: how narrow and how well placed the lines of notes are below 2 kHz.

A played or programmed note stays where it is; the partials that a neural decoder draws waver, so that the mean spectrum
of generated music has fewer narrow lines per hertz and a smoother course between them. Nothing here depends on the
place of a line, except on the semitones of equal temperament to its own tuning.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from .analysis import WindowSpectrum, decibels, low_frames
from .features import Feature

__all__ = ["BANDS", "FEATURES", "ToneSpectrum", "tone_levels", "tone_statistics"]

Floats = npt.NDArray[np.float32]

BANDS = ((60, 250), (250, 500), (500, 1000), (1000, 2000))
"""Edges in Hz of the bands in which statistics are taken."""

_GRID: Floats = np.arange(BANDS[0][0], BANDS[-1][1], 1.0, dtype=np.float32)
_SECONDS = 0.74  # of a frame: bins 1.4 Hz apart; two tones are told apart from about 2.8 Hz on
_WIDTH = 61  # Hz, wider than a line, over which the course of the spectrum is smoothed
_PEAK = 1.5  # dB over its surroundings that make a local maximum a line
_FLOOR = 1e-9  # of the mean power, below which lies rounding noise
_WINDOWS = 12  # per track: a mean over more of them would tell its length
_TRACK = ("tone_spread", "tone_skewness", "tone_kurtosis", "tone_density", "tone_roughness", "tone_tuning")
_MOMENT = ("tone_moment_spread", "tone_moment_kurtosis", "tone_moment_roughness")


def tone_levels(window: WindowSpectrum) -> Floats:
    """Mean level of every hertz from 60 to 2000 Hz, dB over the mean of the window, shape (1940,)."""
    power, step = low_frames(window, top=float(BANDS[-1][1]) + 100.0, seconds=_SECONDS)
    levels = decibels(power / max(float(power.mean()), 1e-30) + _FLOOR).mean(axis=0)
    return np.interp(_GRID, np.arange(len(levels)) * step, levels).astype(np.float32)


def tone_statistics(levels: Floats) -> dict[str, float]:
    """Statistics of the lines in a mean spectrum of several windows.

    Parameters
    ----------
    levels : ndarray, shape (1940,)
        Mean of :func:`tone_levels`, dB.
    """
    fine = levels - ndimage.median_filter(levels, _WIDTH, mode="mirror")
    values: dict[str, float] = {}
    for low, high in BANDS:
        x = fine[_inside(low, high)]
        spread, skewness, kurtosis, roughness = _moments(x)
        inner = x[1:-1]
        lines = np.count_nonzero((inner > x[:-2]) & (inner > x[2:]) & (inner > _PEAK))
        over = np.maximum(x, 0.0)
        semitone = np.exp(2j * np.pi * 12.0 * np.log2(_GRID[_inside(low, high)] / 440.0))
        tuning = abs(np.sum(over * semitone)) / (float(over.sum()) + 1e-6)
        stats = (spread, skewness, kurtosis, 1000.0 * lines / (high - low), roughness, float(tuning))
        values |= {f"{name}_{low}_{high}hz": v for name, v in zip(_TRACK, stats, strict=True)}
    return values


def _momentary(levels: Floats) -> dict[str, float]:
    """Statistics of the lines within one window."""
    half = _WIDTH // 2
    course = sliding_window_view(np.pad(levels, half, mode="reflect"), _WIDTH).mean(axis=-1)
    fine = levels - course
    values: dict[str, float] = {}
    for low, high in BANDS:
        spread, _, kurtosis, roughness = _moments(fine[_inside(low, high)])
        stats = (spread, kurtosis, roughness)
        values |= {f"{name}_{low}_{high}hz": v for name, v in zip(_MOMENT, stats, strict=True)}
    return values


def _moments(x: Floats) -> tuple[float, float, float, float]:
    """Standard deviation, skewness, excess kurtosis, and change from point to point over the variance."""
    centred = x.astype(np.float64) - float(x.mean())
    variance = float(np.mean(centred**2)) + 1e-9
    skewness = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2 - 3.0
    return variance**0.5, skewness, kurtosis, float(np.mean(np.diff(centred) ** 2)) / variance


def _inside(low: int, high: int) -> slice:
    return slice(low - BANDS[0][0], high - BANDS[0][0])


class ToneSpectrum:
    """Collects the windows of a track."""

    def __init__(self) -> None:
        self._levels: list[Floats] = []

    def wants_more(self) -> bool:
        """Whether another window would still be used."""
        return len(self._levels) < _WINDOWS

    def add(self, window: WindowSpectrum) -> None:
        """Take in one window."""
        self._levels.append(tone_levels(window))

    def values(self) -> dict[str, float]:
        """One entry per row of :data:`FEATURES`."""
        if not self._levels:
            return {feature.name: np.nan for feature in FEATURES}
        mean: Floats = np.asarray(np.mean(self._levels, axis=0, dtype=np.float64), dtype=np.float32)
        values = tone_statistics(mean)
        moments = [_momentary(levels) for levels in self._levels]
        return values | {name: float(np.mean([m[name] for m in moments])) for name in moments[0]}


_MEANINGS: dict[str, tuple[str, str, str]] = {
    "tone_spread": ("dB", "spread of the fine structure of the mean spectrum", "aidetect"),
    "tone_skewness": (
        "1",
        "skewness of the fine structure of the mean spectrum: positive where lines stand out",
        "aidetect",
    ),
    "tone_kurtosis": ("1", "excess kurtosis of the fine structure of the mean spectrum", "aidetect"),
    "tone_density": ("1/kHz", "narrow lines in the mean spectrum", "aidetect"),
    "tone_roughness": ("1", "change of the mean spectrum from hertz to hertz over its variance", "aidetect"),
    "tone_tuning": ("1", "how well the lines keep to equal semitones (mean resultant length)", "Fisher 1993"),
    "tone_moment_spread": ("dB", "spread of the fine structure within ten seconds", "aidetect"),
    "tone_moment_kurtosis": ("1", "excess kurtosis of the fine structure within ten seconds", "aidetect"),
    "tone_moment_roughness": (
        "1",
        "change of the spectrum of ten seconds from hertz to hertz over its variance",
        "aidetect",
    ),
}

FEATURES = tuple(
    Feature(f"{stat}_{low}_{high}hz", "shimmer", unit, f"{meaning}, {low}-{high} Hz", source, True)
    for stat, (unit, meaning, source) in _MEANINGS.items()
    for low, high in BANDS
)
"""Catalogue of these features, which speak for the family ``shimmer``."""
