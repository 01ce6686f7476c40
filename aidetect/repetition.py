"""Repetition: whether what comes again is the same sound again, or made anew.

A sampler, a sequencer or a copied bar plays the same waveform twice, and so does no decoder: it draws each bar afresh,
with new noise. Nothing here depends on the place of a line, on bandwidth above 4 kHz or on the speed of a track.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from .analysis import SLOPE, WindowSpectrum, fast_rate, flat_band, power_of, vertex
from .features import Feature

__all__ = ["FEATURES", "RepetitionSearch"]

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

_LOW, _HIGH = 400.0, 3600.0  # Hz that are compared
_RATE = 6000.0  # Hz, least sample rate at which; all windows of a track get the same
_WHITE = 8.0  # Hz over which the spectrum is flattened, so that neither loud bands nor held notes decide
_STRETCH = 3.0  # s that are sought again
_APART = 0.5  # s from itself at which a stretch may be found again
_NEAR, _SAME = 0.1, 0.002  # s around the best place, and of it, that the sharpness compares
_QUIET = 0.1  # of the loudest stretch of a window, below which another does not count in full
_WINDOWS = 5  # per track: a search through more of them would tell its length


class RepetitionSearch:
    """Seeks the middle of each of some windows of a track in all of them."""

    def __init__(self) -> None:
        self._rate = _RATE
        self._waves: list[Complex] = []

    def wants_more(self) -> bool:
        """Whether another window would still be used."""
        return len(self._waves) < _WINDOWS

    def add(self, window: WindowSpectrum, *, bandwidth: float) -> None:
        """Take in one window, given the highest frequency that carries sound, Hz."""
        if not self._waves:
            self._rate = fast_rate(window, _RATE)
        high = min(_HIGH, bandwidth - SLOPE)
        self._waves.append(flat_band(window, low=_LOW, high=high, over=_WHITE, rate=self._rate))

    def values(self) -> dict[str, float]:
        """One entry per row of :data:`FEATURES`; NaN where no window is as long as four seconds."""
        stretch, apart = round(_STRETCH * self._rate), round(_APART * self._rate)
        waves = [wave for wave in self._waves if len(wave) >= stretch + 2 * apart]
        if not waves:
            return {feature.name: np.nan for feature in FEATURES}
        size = int(scipy.fft.next_fast_len(max(len(wave) for wave in waves)))
        spectra = np.stack([scipy.fft.fft(wave, size) for wave in waves])
        levels = [_levels(wave, stretch) for wave in waves]
        floors = [np.maximum(level, _QUIET * level.max()) for level in levels]
        found = np.zeros((len(waves), 2))
        for query, wave in enumerate(waves):
            start = (len(wave) - stretch) // 2
            sought = np.conj(scipy.fft.fft(wave[start : start + stretch], size))
            # What wraps around ends up behind the last whole stretch.
            for place, products in enumerate(scipy.fft.ifft(spectra * sought)):
                match = np.abs(products[: len(floors[place])])
                match /= floors[place] * levels[query][start] + np.float32(1e-20)
                if place == query:
                    match[max(0, start - apart) : start + apart] = 0.0
                found[query] = np.maximum(found[query], _best(match, self._rate))
        best, sharp = found.T
        numbers = (best.max(), np.median(best), best.min(), sharp.max(), np.median(sharp))
        return {feature.name: float(number) for feature, number in zip(FEATURES, numbers, strict=True)}


def _levels(wave: Complex, stretch: int) -> Floats:
    """Root of the energy of every stretch of a wave."""
    sums = np.append(0.0, np.cumsum(power_of(wave), dtype=np.float64))
    return np.sqrt(np.maximum(sums[stretch:] - sums[:-stretch], 0.0)).astype(np.float32)


def _best(match: Floats, rate: float) -> tuple[float, float]:
    """Highest correlation, and by how much it stands above what lies up to a tenth of a second beside it."""
    at = int(np.argmax(match))
    near, same = round(_NEAR * rate), round(_SAME * rate)
    beside = (match[max(0, at - near) : max(0, at - same)], match[at + same + 1 : at + near])
    # Copies seldom lie a whole number of samples apart.
    highest = float(vertex(*match[at - 1 : at + 2]) if 0 < at < len(match) - 1 else match[at])
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
