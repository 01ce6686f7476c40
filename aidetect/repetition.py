"""Repetition: whether what comes again is the same sound again, or made anew.

A sampler, a sequencer or a copied bar plays the same waveform twice, and so does no decoder: it draws each bar afresh,
with new noise. Nothing here depends on the place of a line, on bandwidth above 4 kHz or on the speed of a track.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from .analysis import SLOPE, WindowSpectrum, power_of, running_mean
from .features import Feature

__all__ = ["FEATURES", "RepetitionSearch", "flattened"]

Floats = npt.NDArray[np.float32]

RATE = 8000.0
"""Sample rate at which stretches are compared, Hz."""

_LOW, _HIGH = 400.0, 3600.0  # Hz that are compared
_WHITE = 8.0  # Hz over which the spectrum is flattened, so that neither loud bands nor held notes decide
_STRETCH = 3.0  # s that are sought again
_APART = 0.5  # s from itself at which a stretch may be found again
_NEAR, _SAME = 0.1, 0.002  # s around the best place, and of it, that the sharpness compares
_QUIET = 0.1  # of the loudest stretch of a window, below which another does not count in full
_WINDOWS = 5  # per track: a search through more of them would tell its length


def flattened(window: WindowSpectrum, *, bandwidth: float) -> Floats:
    """Bring a window to :data:`RATE`, with a spectrum that is flat from 400 to 3600 Hz.

    Parameters
    ----------
    window : WindowSpectrum
        Of one window.
    bandwidth : float
        Highest frequency that carries sound, Hz; what lies above it is left out.

    Returns
    -------
    ndarray of float32, shape (round(8000 * seconds),)
    """
    low, high = round(_LOW / window.step), round(min(_HIGH, bandwidth - SLOPE) / window.step)
    size = 2 * round(0.5 * RATE / window.step)
    bins = np.zeros(size // 2 + 1, dtype=np.complex64)
    if high > low:
        band = window.bins[low:high]
        power = running_mean(power_of(band), round(_WHITE / window.step))
        bins[low : low + len(band)] = band / np.sqrt(power + np.float32(1e-9) * power.mean() + np.float32(1e-30))
    wave: Floats = scipy.fft.irfft(bins, size)
    return wave[: round(window.samples * size / window.size)]


class RepetitionSearch:
    """Seeks the middle of each of some windows of a track in all of them."""

    def __init__(self) -> None:
        self._waves: list[Floats] = []

    def wants_more(self) -> bool:
        """Whether another window would still be used."""
        return len(self._waves) < _WINDOWS

    def add(self, window: WindowSpectrum, *, bandwidth: float) -> None:
        """Take in one window; parameters as in :func:`flattened`."""
        self._waves.append(flattened(window, bandwidth=bandwidth))

    def values(self) -> dict[str, float]:
        """One entry per row of :data:`FEATURES`; NaN where no window is as long as four seconds."""
        stretch = round(_STRETCH * RATE)
        waves = [wave for wave in self._waves if len(wave) >= stretch + round(2 * _APART * RATE)]
        if not waves:
            return {feature.name: np.nan for feature in FEATURES}
        size = int(scipy.fft.next_fast_len(max(len(wave) for wave in waves), real=True))
        spectra = [scipy.fft.rfft(wave, size) for wave in waves]
        levels = [_levels(wave, stretch) for wave in waves]
        found = np.zeros((len(waves), 2), dtype=np.float32)
        for query, wave in enumerate(waves):
            start = (len(wave) - stretch) // 2
            sought = np.conj(scipy.fft.rfft(wave[start : start + stretch], size))
            for place, (spectrum, level) in enumerate(zip(spectra, levels, strict=True)):
                # What wraps around ends up behind the last whole stretch.
                match = np.abs(scipy.fft.irfft(spectrum * sought, size)[: len(level)])
                match /= np.maximum(level, _QUIET * level.max()) * levels[query][start] + np.float32(1e-20)
                if place == query:
                    match[max(0, start - round(_APART * RATE)) : start + round(_APART * RATE)] = 0.0
                found[query] = np.maximum(found[query], _best(match))
        best, sharp = found.T
        numbers = (best.max(), np.median(best), best.min(), sharp.max(), np.median(sharp))
        return {feature.name: float(number) for feature, number in zip(FEATURES, numbers, strict=True)}


def _levels(wave: Floats, stretch: int) -> Floats:
    """Root of the energy of every stretch of a wave."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    return np.sqrt(np.maximum(sums[stretch:] - sums[:-stretch], 0.0)).astype(np.float32)


def _best(match: Floats) -> tuple[float, float]:
    """Highest correlation, and by how much it stands above what lies up to a tenth of a second beside it."""
    at = int(np.argmax(match))
    near, same = round(_NEAR * RATE), round(_SAME * RATE)
    beside = (match[max(0, at - near) : max(0, at - same)], match[at + same + 1 : at + near])
    highest = float(match[at])
    return highest, highest - max(float(part.max(initial=0.0)) for part in beside)


FEATURES = tuple(
    Feature(f"repetition_{name}", "shimmer", "1", meaning, "aidetect")
    for name, meaning in (
        ("max", "how exactly three seconds of the track come again: highest correlation, 400-3600 Hz"),
        ("median", "how exactly stretches of three seconds come again: median of up to five"),
        ("min", "how exactly the least repeated of up to five stretches comes again"),
        ("sharpness_max", "how sharply a repetition stands out within 0.1 s: high for copies, low for held notes"),
        ("sharpness_median", "how sharply repetitions stand out within 0.1 s: median of up to five stretches"),
    )
)
"""Catalogue of these features, which speak for the family ``shimmer``."""
