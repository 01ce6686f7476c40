"""Modulation lines: the beat of a decoder's strides in the envelope of the sound.

A strided decoder makes a fixed number of samples from every step of a latent sequence, so that the statistics of what
it makes repeat with that step: the signal is cyclostationary (Gardner 1991). The envelope of a band then carries steady
lines at multiples of the step rate (50 Hz for EnCodec at 32 kHz, 43.07 Hz for 1024 samples at 44.1 kHz, 25 Hz for 1920
at 48 kHz), whatever the music does. Steps are few and shared by many systems, and the lines survive where the long-term
spectrum is smooth. Lossy codecs work in blocks and leave lines of their own; those occur in both classes, and the
experts learn to tell them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from .analysis import WindowSpectrum, hanning, power_of, running_mean

__all__ = ["RATES", "ModulationSpectrum", "envelope_lines", "restore"]

Floats = npt.NDArray[np.float32]

RATES: Floats = np.arange(100.0, 1700.0, 0.5, dtype=np.float32)
"""Modulation rates in Hz. Below 100 Hz lie tempo and the notes of the bass."""

_BANDS = ((1500.0, 5000.0), (5000.0, 9000.0), (9000.0, 15500.0))  # Hz, whose envelopes are taken
_NARROWEST = 1800.0  # Hz of a band that are left below the bandwidth; a narrower one is not used
_REACH = 0.8  # of the band's width: highest rate its envelope can carry
_WHITE = 300.0  # Hz over which a band is flattened, so that its strongest part does not rule the envelope
_SLOW = 0.25  # s over which the envelope is levelled, so that loud moments do not
_PEAK = 8.0  # times the local mean, to which attacks are limited
_AROUND = 8.0  # Hz of modulation rate, to whose mean a line is compared
_TALLEST = 30.0  # times that mean, to which a line is limited
_HIGHEST = float(RATES[-1]) + 2.0 * _AROUND  # Hz of the envelope's spectrum that are looked at
_OFFSET = np.float32(0.3)  # added before the logarithm, so that gaps between lines do not count
_STEP = 0.5  # of the stored heights
_HEIGHTS = 8  # steps: from there on a line is there, and by how much says little


def envelope_lines(window: WindowSpectrum, *, bandwidth: float) -> list[Floats | None]:
    """Measure the lines in the envelopes of three bands in one window.

    Parameters
    ----------
    window : WindowSpectrum
        Of one window.
    bandwidth : float
        Highest frequency that carries sound, Hz.

    Returns
    -------
    list of ndarray of float32, shape (len(RATES),), or None
        Per band, the highest power of the envelope's spectrum within 0.25 Hz of each rate over the mean power around;
        NaN at rates that the band is too narrow to carry. None for a band beyond the bandwidth.

    References
    ----------
    Gardner: Exploitation of spectral redundancy in cyclostationary signals. IEEE Signal Processing Magazine 8, 1991.
    """
    step = window.step
    found: list[Floats | None] = []
    for low, high in _BANDS:
        top = min(high, bandwidth - 200.0)
        if top - low < _NARROWEST:
            found.append(None)
            continue
        band = window.bins[int(low / step) : int(top / step)]
        lines = _lines(_envelope(band, step), step)
        reach = _REACH * (top - low)
        lines[reach < RATES] = np.nan
        found.append(lines)
    return found


def _envelope(band: npt.NDArray[np.complex64], step: float) -> Floats:
    """Squared envelope of a band given by the bins of its spectrum, flattened along frequency and levelled in time."""
    power = power_of(band)
    spread = np.sqrt(running_mean(power, int(_WHITE / step)) + np.float32(1e-20))
    # A squared envelope is as wide as its band: the padding keeps what folds back above the highest rate.
    wave = scipy.fft.ifft(band / spread, scipy.fft.next_fast_len(len(band) + int(_HIGHEST / step)))
    squared = power_of(wave)
    level = running_mean(squared, int(_SLOW * len(wave) * step)) + np.float32(1e-20)
    envelope: Floats = np.minimum(squared / level, np.float32(_PEAK))
    return envelope - envelope.mean()


def _lines(envelope: Floats, step: float) -> Floats:
    """Power of an envelope's spectrum, `step` Hz apart, over its mean around; the highest within 0.25 Hz of a rate."""
    spectrum = scipy.fft.rfft(envelope * hanning(len(envelope)))[: int(_HIGHEST / step)]
    power = power_of(spectrum)
    width = int(_AROUND / step)
    # Strong lines are limited before they enter the mean they are compared to.
    mean = running_mean(np.minimum(power, _PEAK * running_mean(power, width)), width) + np.float32(1e-20)
    height = np.minimum(power / mean, np.float32(_TALLEST))
    spacing = float(RATES[1] - RATES[0])
    edges = np.round((np.append(RATES, RATES[-1] + spacing) - spacing / 2.0) / step).astype(np.int64)
    lines: Floats = np.maximum.reduceat(height, np.minimum(edges, len(height) - 1))[:-1]
    return lines


class ModulationSpectrum:
    """Collects the lines of the windows of a track."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(_BANDS), len(RATES)), dtype=np.float32)
        self._counts = [0] * len(_BANDS)

    def add(self, window: WindowSpectrum, *, bandwidth: float) -> None:
        """Take in one window; parameters as in :func:`envelope_lines`."""
        for number, lines in enumerate(envelope_lines(window, bandwidth=bandwidth)):
            if lines is not None:
                self._sums[number] += lines
                self._counts[number] += 1

    def heights(self) -> npt.NDArray[np.int8]:
        """Heights of the lines of all bands together, in steps of half a robust standard deviation.

        Returns
        -------
        ndarray of int8, shape (len(RATES),)
            0 where nothing stands out or no band reaches, up to 8; what :func:`restore` reads.
        """
        bands = [lines / count for lines, count in zip(self._sums, self._counts, strict=True) if count]
        total = np.zeros(len(RATES), dtype=np.float32)
        for lines in bands:
            total += _standardised(np.log(lines + _OFFSET))
        # Of independent bands, the sum of so many spreads by the root of their number.
        return np.clip(np.round(total / (max(len(bands), 1) ** 0.5 * _STEP)), 0, _HEIGHTS).astype(np.int8)


def _standardised(x: Floats) -> Floats:
    """Distance from the median in robust standard deviations, -3 ... 12; 0 where `x` is NaN."""
    there = np.isfinite(x)
    median = np.median(x[there])
    spread = 1.4826 * np.median(np.abs(x[there] - median)) + 0.02
    out: Floats = np.clip(np.where(there, (x - median) / spread, 0.0), -3.0, 12.0).astype(np.float32)
    return out


def restore(heights: npt.NDArray[np.int8]) -> Floats:
    """Return what :meth:`ModulationSpectrum.heights` stored in robust standard deviations, 0 ... 4."""
    return heights.astype(np.float32) * np.float32(_STEP)
