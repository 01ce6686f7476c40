"""Grain: how levels and phases of neighbouring bins differ, in frames of 23 ms.

In the spectrogram of noise, of tones and of attacks, neighbouring bins obey laws that follow from the window alone. A
decoder draws its spectrogram from fewer numbers than it has bins, and what it draws keeps to these laws less, or more,
than sound does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .analysis import loud_frames, power_of, spectra_of
from .features import Feature
from .shimmer import BANDS, bands_within

__all__ = ["FEATURES", "grain"]

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

_SECONDS = 0.0232  # of a frame
_AROUND = (9, 9)  # frames and bins over which levels are smoothed
_LEAST = 16  # frames


def grain(x: Floats, *, rate: int, bandwidth: float) -> dict[str, float]:
    """Measure the grain of a few seconds of one channel.

    Parameters
    ----------
    x, rate, bandwidth
        As in :func:`aidetect.transients.transients`.

    Returns
    -------
    dict
        Values of :data:`FEATURES`; those of bands beyond the bandwidth are missing.
    """
    bands = bands_within(bandwidth)
    if not bands:
        return {}
    spectra, freqs = spectra_of(x, rate=rate, seconds=_SECONDS)
    first, last = np.searchsorted(freqs, (1000.0 * bands[0][0], bands[-1][2]))
    spectra = spectra[:, first - 1 : last + 1]  # one bin more on both sides, for the differences
    power = power_of(spectra)
    loud = loud_frames(power.mean(axis=1))
    if loud.sum() < _LEAST:
        return {}
    spectra, power = spectra[loud], power[loud]
    edges = np.searchsorted(freqs[first:last], [1000.0 * low for low, _, _ in bands])
    columns = _levels(power[:, 1:-1], edges) + _phases(spectra, power, edges)
    return {
        f"{stat}_{low}k_{high}k": float(value)
        for stat, column in zip(_STATS, columns, strict=True)
        for (low, high, _), value in zip(bands, column, strict=True)
    }


def _levels(power: Floats, edges: npt.NDArray[np.int64]) -> list[Floats]:
    """Moments per band of the levels (natural logarithm of power) about their surroundings, and the motion of those."""
    level = np.log(power + np.float32(1e-9) * power.mean() + np.float32(1e-30))
    smooth = ndimage.uniform_filter(level, _AROUND, mode="nearest")
    fine = level - smooth
    square = fine * fine
    moments = (square.sum(axis=0), np.einsum("tk,tk->k", square, fine), np.einsum("tk,tk->k", square, square))
    second, third, fourth = (_by_band(x / np.float32(len(fine)), edges) for x in moments)
    spread = np.sqrt(second) + np.float32(1e-6)
    motion = np.sqrt(np.maximum(_by_band(smooth.var(axis=0), edges), 0.0))
    return [spread, third / spread**3, fourth / spread**4, motion]


def _phases(spectra: Complex, power: Floats, edges: npt.NDArray[np.int64]) -> list[Floats]:
    """Regularity of the phase per band: mean cosines of its second differences (Fisher 1993).

    Across frequency (group delay), along time (frequency) as mean resultant over the bins of a frame, mixed, and the
    resultant of the mixed differences over the whole band.
    """
    unit = spectra * (np.float32(1.0) / np.sqrt(power + np.float32(1e-30)))
    inner = unit[:, 1:-1]
    to_next_bin = unit[:, 1:] * np.conj(unit[:, :-1])
    to_next_frame = inner[1:] * np.conj(inner[:-1])
    across = _products(to_next_bin[:, 1:], to_next_bin[:, :-1])
    along = to_next_frame[1:] * np.conj(to_next_frame[:-1])
    mixed = _products(to_next_bin[1:, :-1], to_next_bin[:-1, :-1])
    frames = np.add.reduceat(along, edges, axis=1) / _widths(along.shape[1], edges)
    drift = _by_band(mixed, edges)
    return [_by_band(across.real, edges), np.abs(frames).mean(axis=0), drift.real, np.abs(drift)]


def _products(x: Complex, y: Complex) -> Complex:
    """Mean over the frames of ``x * conj(y)``."""
    found: Complex = np.einsum("tk,tk->k", x, np.conj(y)) / np.float32(len(x))
    return found


def _by_band(x: npt.NDArray[np.generic], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
    """Mean over the bins of each band."""
    return np.add.reduceat(x, edges) / _widths(len(x), edges)


def _widths(bins: int, edges: npt.NDArray[np.int64]) -> Floats:
    return np.diff(np.append(edges, bins)).astype(np.float32)


_STATS = {
    "grain_spread": ("1", "spread of the levels of bins (natural logarithm of power) about their surroundings"),
    "grain_skewness": ("1", "skewness of the levels of bins about their surroundings"),
    "grain_kurtosis": ("1", "kurtosis of the levels of bins about their surroundings"),
    "grain_motion": ("1", "spread in time of the surroundings (natural logarithm of power)"),
    "grain_phase_across": ("1", "regularity of the phase from bin to bin"),
    "grain_phase_along": ("1", "regularity of the phase from frame to frame"),
    "grain_phase_mixed": ("1", "regularity of the change of frequency across bins"),
    "grain_phase_drift": ("1", "resultant length of the change of frequency across bins"),
}

FEATURES = tuple(
    Feature(
        f"{stat}_{low}k_{high}k",
        "shimmer",
        unit,
        f"{meaning}, {low}-{high} kHz",
        "Fisher 1993" if "phase" in stat else "aidetect",
    )
    for stat, (unit, meaning) in _STATS.items()
    for low, high in BANDS
)
"""Catalogue of these features, which speak for the family ``shimmer``."""
