"""Transients: how the envelope of each band rises and falls, three milliseconds at a time.

Played, programmed and recorded music rises faster than it falls, in all bands at once. A decoder that has to guess the
phase, or that works from coarse frames, smears its attacks to both sides, and its bands rise less together.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.fft

from .analysis import SLOPE, hanning, loud_frames, power_of, spectra_of
from .features import Feature
from .shimmer import BANDS, bands_within

__all__ = ["FEATURES", "transients"]

Floats = npt.NDArray[np.float32]

_SECONDS = 0.0058  # of a frame: 172 Hz between bins, 344 frames a second
_LEAST = 100  # frames; fewer say nothing about slow changes
_QUIET = 1e-7  # of the mean power of a band, below which its envelope is not followed
_RATES = (0.7, 2.0, 4.0, 8.0, 16.0, 30.0, 50.0, 80.0, 120.0, 172.0)  # Hz, edges of the modulation rates
_DISTANCES = (1, 2, 4, 8)  # kHz between bands whose changes are compared
_ZONES = {"low": (1, 6), "mid": (5, 11), "high": (10, 16)}  # kHz


def transients(x: Floats, *, rate: int, bandwidth: float) -> dict[str, float]:
    """Measure the envelopes of a few seconds of one channel.

    Parameters
    ----------
    x : ndarray of float32, shape (n,)
        Samples.
    rate : int
        Sample rate, Hz.
    bandwidth : float
        Highest frequency that carries sound, Hz.

    Returns
    -------
    dict
        Values of :data:`FEATURES`; those of bands beyond the bandwidth are missing.
    """
    spectra, freqs = spectra_of(x, rate=rate, seconds=_SECONDS)
    if len(spectra) < _LEAST:
        return {}
    power = power_of(spectra)
    if np.count_nonzero(loud_frames(power.mean(axis=1))) < _LEAST:
        return {}
    values: dict[str, float] = {}
    bands = bands_within(bandwidth)
    if bands:
        cuts = [np.searchsorted(freqs, (1000.0 * low, top)) for low, _, top in bands]
        found = _envelopes(np.stack([power[:, a:b].mean(axis=1) for a, b in cuts]), 2.0 * float(freqs[1]))
        for (low, high, _), row in zip(bands, found, strict=True):
            values |= {f"{stat}_{low}k_{high}k": number for stat, number in zip(_ENVELOPE, row.tolist(), strict=True)}
    return values | _together(power, freqs, bandwidth)


def _envelopes(power: Floats, frame_rate: float) -> npt.NDArray[np.float64]:
    """Shape of the changes of each band's level (natural logarithm of power), and their speed.

    Parameters
    ----------
    power : ndarray, shape (bands, frames)

    Returns
    -------
    ndarray, shape (bands, len(_ENVELOPE))
    """
    level = np.log(power + np.float32(_QUIET) * power.mean(axis=1, keepdims=True) + np.float32(1e-30))
    change = np.diff(level, axis=1)
    change -= change.mean(axis=1, keepdims=True)
    square = change * change
    spread = np.sqrt(square.mean(axis=1)).astype(np.float64) + 1e-9
    frames = level.shape[1]
    spectra = power_of(scipy.fft.rfft((level - level.mean(axis=1, keepdims=True)) * hanning(frames)))
    edges = [min(round(rate * frames / frame_rate), spectra.shape[1]) for rate in _RATES]
    parts = np.stack([spectra[:, a:b].sum(axis=1) for a, b in pairwise(edges)], axis=1)
    shares = np.log(parts / (parts.sum(axis=1, keepdims=True) + 1e-12) + 1e-6)
    skewness, kurtosis = (square * change).mean(axis=1) / spread**3, (square * square).mean(axis=1) / spread**4
    return np.column_stack([skewness, kurtosis, spread, shares])


_STEPS = tuple(f"modulation_{low:g}_{high:g}hz" for low, high in pairwise(_RATES))
_ENVELOPE = ("change_skewness", "change_kurtosis", "change_spread", *_STEPS)


def _together(power: Floats, freqs: Floats, bandwidth: float) -> dict[str, float]:
    """Mean correlation of the changes of level of bands of one kilohertz, by their distance and zone."""
    count = int(min(16_000.0, bandwidth - SLOPE) // 1000)
    if count < 3:
        return {}
    at = np.searchsorted(freqs, 1000.0 * np.arange(1, count + 1))
    bands = np.stack([power[:, a:b].mean(axis=1) for a, b in pairwise(at)])
    change = np.diff(np.log(bands + np.float32(1e-8) * power.mean() + np.float32(1e-30)), axis=1)
    change -= change.mean(axis=1, keepdims=True)
    change /= np.sqrt(np.mean(change**2, axis=1, keepdims=True)) + np.float32(1e-6)
    values = {}
    for distance in _DISTANCES:
        if distance >= len(bands):
            break
        pairs = np.mean(change[distance:] * change[:-distance], axis=1)
        lower = np.arange(1, len(pairs) + 1)  # kHz, of the lower band of each pair
        for zone, (low, high) in _ZONES.items():
            inside = (lower >= low) & (lower + distance < high)
            if inside.any() and high <= count + 2:
                values[f"rise_together_{distance}k_{zone}"] = float(pairs[inside].mean())
    return values


def _catalogue() -> tuple[Feature, ...]:
    own = "aidetect"
    banded = {
        "change_skewness": ("1", "skewness of the changes of level within 3 ms: positive where attacks are sharp", own),
        "change_kurtosis": ("1", "kurtosis of the changes of level within 3 ms", own),
        "change_spread": ("1", "spread of the changes of the natural logarithm of power within 3 ms", own),
    }
    banded |= {
        step: (
            "1",
            f"natural logarithm of the share of the modulation at {step.removeprefix('modulation_').replace('_', '-')}",
            "Atlas & Shamma 2003",
        )
        for step in _STEPS
    }
    found = [
        Feature(f"{stat}_{low}k_{high}k", "shimmer", unit, f"{meaning}, {low}-{high} kHz", source)
        for stat, (unit, meaning, source) in banded.items()
        for low, high in BANDS
    ]
    found += [
        Feature(
            f"rise_together_{distance}k_{zone}",
            "shimmer",
            "1",
            f"correlation of the changes of bands {distance} kHz apart, {low}-{high} kHz",
            own,
        )
        for distance in _DISTANCES
        for zone, (low, high) in _ZONES.items()
        if any(k + distance < high for k in range(low, high))
    ]
    return tuple(found)


FEATURES = _catalogue()
"""Catalogue of these features, which speak for the family ``shimmer``."""
