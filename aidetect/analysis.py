"""The shared spectral pass: windows of about ten seconds, each with the spectra that several feature families read.

Each of these is made once a window; transients, grain, tones and vocals transform again at the resolutions they need:

* the *whole window* as one transform, from which bands are taken;
* *long* frames (2.7 Hz between bins) of the middle channel: averaged over time, fine lines that stay where they
  are add up in them, music that moves does not;
* *short* frames (46 ms) of the middle and the side channel.

Nothing here looks at labels, names or tags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

__all__ = [
    "GRID",
    "GRID_STEP",
    "SLOPE",
    "WINDOW_SECONDS",
    "LongFrames",
    "ShortFrames",
    "WindowSpectrum",
    "centre_channel",
    "decibels",
    "fast_rate",
    "flat_band",
    "hanning",
    "long_frames",
    "loud_frames",
    "low_frames",
    "middle",
    "percentiles",
    "power_of",
    "running_mean",
    "short_frames",
    "spectra_of",
    "usable_top",
    "vertex",
    "window_spectrum",
]

Floats = npt.NDArray[np.float32]

WINDOW_SECONDS = 10.0
"""Length of an analysis window; the last one of a track may be shorter."""
GRID_STEP = 2.7
"""Distance in Hz between the points of a long spectrum."""
GRID: Floats = np.arange(1_000.0, 16_000.0, GRID_STEP, dtype=np.float32)
"""Frequencies in Hz at which every long spectrum is given, whatever the sample rate of the file."""
SLOPE = 150.0
"""Hz below the end of the bandwidth, where a low-pass begins to act: nothing is measured there."""

_SHORT_SECONDS = 0.0464  # 2048 samples at 44.1 kHz
_FLOOR = 1e-10  # -100 dB below the mean power of the window: below it lies rounding noise of decoders
_SILENCE = 1e-10  # mean square, -100 dBFS
_PAUSE = 1e-5  # a frame 50 dB below the mean is a pause and says nothing about the sound
_MISSING = 400.0  # Hz at the upper end of a band that may lie beyond the bandwidth


@dataclass(frozen=True)
class LongFrames:
    """High-resolution spectra of the middle channel of one window.

    Attributes
    ----------
    levels : ndarray, shape (frames, bins)
        dB relative to the mean power of the window; pauses left out.
    times : ndarray, shape (frames,)
        Centres of the frames, s from the start of the window.
    freqs : ndarray, shape (bins,)
        Hz; only the bins that :data:`GRID` spans.
    """

    levels: Floats
    times: Floats
    freqs: Floats


@dataclass(frozen=True)
class ShortFrames:
    """Short-time Fourier transforms of one window.

    Attributes
    ----------
    mid : ndarray of complex64, shape (frames, bins)
        Of the centre channel: (L+R)/2, or the left one where the channels cancel each other.
    side : ndarray of complex64, shape ((frames + 1) // 2, bins), or None
        Of (L-R)/2, every second frame: those share no samples. None for a mono file.
    power : ndarray, shape (frames, bins)
        Squared magnitude of `mid`.
    times : ndarray, shape (frames,)
        Centres of the frames, s from the start of the window.
    freqs : ndarray, shape (bins,)
        Hz, from 0 to half the sample rate.
    """

    mid: npt.NDArray[np.complex64]
    side: npt.NDArray[np.complex64] | None
    power: Floats
    times: Floats
    freqs: Floats


@dataclass(frozen=True)
class WindowSpectrum:
    """One transform of a whole window of the middle channel.

    Attributes
    ----------
    bins : ndarray of complex64, shape (bins,)
        From 0 Hz to half the sample rate.
    step : float
        Hz between bins.
    size : int
        Samples transformed, including padding.
    samples : int
        Samples of the window.
    """

    bins: npt.NDArray[np.complex64]
    step: float
    size: int
    samples: int


def decibels(power: npt.NDArray[np.floating], floor: float = 1e-20) -> npt.NDArray[np.floating]:
    """Return 10 log10 of `power`, with `floor` in place of anything smaller."""
    return 10.0 * np.log10(np.maximum(power, floor))


def centre_channel(block: Floats) -> Floats | None:
    """Return (L+R)/2 of a block of shape (channels, n), or None where it is silent throughout.

    Where the channels cancel each other, the left one is returned. A constant is no sound.
    """
    centre = block[0] if len(block) == 1 else 0.5 * (block[0] + block[1])
    if _variance(centre) < _SILENCE:
        centre = block[0]
        if _variance(centre) < _SILENCE:
            return None
    return centre


def short_frames(block: Floats, centre: Floats, *, rate: int) -> ShortFrames:
    """Transform 46 ms frames, half overlapping.

    Parameters
    ----------
    block : ndarray of float32, shape (channels, n)
        One or two channels.
    centre : ndarray of float32, shape (n,)
        From :func:`centre_channel`.
    rate : int
        Sample rate, Hz.
    """
    size = _even_fast_length(rate * _SHORT_SECONDS)
    mid = _stft(centre, size)
    return ShortFrames(
        mid=mid,
        side=_stft(0.5 * (block[0] - block[1]), size, hop=size) if len(block) == 2 else None,
        power=power_of(mid),
        times=((np.arange(len(mid)) + 1.0) * (size / 2) / rate).astype(np.float32),
        freqs=np.fft.rfftfreq(size, 1.0 / rate).astype(np.float32),
    )


def long_frames(centre: Floats, *, rate: int) -> LongFrames:
    """Transform frames of 1 / `GRID_STEP` s, half overlapping, to decibels.

    Parameters
    ----------
    centre : ndarray of float32, shape (n,)
        One channel.
    rate : int
        Sample rate, Hz.
    """
    size = _even_fast_length(rate / GRID_STEP)
    power = power_of(_stft(centre, size))
    mean = power.mean(axis=1)
    loud = loud_frames(mean)
    freqs = np.fft.rfftfreq(size, 1.0 / rate)
    wanted = slice(*np.searchsorted(freqs, (GRID[0] - 2 * GRID_STEP, GRID[-1] + 2 * GRID_STEP)))
    times = (np.arange(len(power)) + 1.0) * (size / 2) / rate
    reference = max(float(mean[loud].mean()), 1e-30)
    chosen = power[:, wanted] if loud.all() else power[loud, wanted]
    levels = np.log10(chosen / np.float32(reference) + np.float32(_FLOOR))
    levels *= np.float32(10.0)
    return LongFrames(levels, times[loud].astype(np.float32), freqs[wanted].astype(np.float32))


def window_spectrum(centre: Floats, *, rate: int) -> WindowSpectrum:
    """Transform a whole window at once.

    Parameters
    ----------
    centre : ndarray of float32, shape (n,)
        One channel.
    rate : int
        Sample rate, Hz.
    """
    size = 2 * int(scipy.fft.next_fast_len((len(centre) + 1) // 2, real=True))
    return WindowSpectrum(scipy.fft.rfft(centre, size), rate / size, size, len(centre))


def low_frames(window: WindowSpectrum, *, top: float, seconds: float) -> tuple[Floats, float]:
    """Power of half-overlapping frames of the band below `top` Hz, which is first brought to a lower sample rate.

    Returns
    -------
    power : ndarray, shape (frames, bins)
    step : float
        Hz between bins.
    """
    wanted = 2 * int(scipy.fft.next_fast_len(round(top / window.step), real=True))
    size = min(window.size, wanted)
    low = scipy.fft.irfft(window.bins[: size // 2 + 1], size) * np.float32(size / window.size)
    low = low[: round(window.samples * size / window.size)]
    rate = window.step * size
    length = _even_fast_length(rate * seconds)
    return power_of(_stft(low, length)), rate / length


def flat_band(
    window: WindowSpectrum, *, low: float, high: float, over: float, rate: float
) -> npt.NDArray[np.complex64]:
    """Return the analytic signal of a band of a window, with a spectrum that is flat there.

    Parameters
    ----------
    window : WindowSpectrum
        Of one window.
    low, high : float
        Edges of the band, Hz; without anything between them, the signal is zero.
    over : float
        Hz over which the spectrum is flattened.
    rate : float
        Sample rate that is wanted, Hz; more than the band is wide, so that nothing overlaps.

    Returns
    -------
    ndarray of complex64, shape (round(rate * seconds),)
        A band that reaches above `rate` is folded down: magnitudes and correlations do not notice.

    References
    ----------
    Vaughan, Scott, White: The theory of bandpass sampling. IEEE Transactions on Signal Processing 39, 1991.
    """
    size = round(rate / window.step)
    bins = np.zeros(size, dtype=np.complex64)
    first = round(low / window.step)
    band = window.bins[first : max(first, round(high / window.step))]
    if len(band):
        power = running_mean(power_of(band), round(over / window.step))
        gain = np.float32(1.0) / np.sqrt(power + np.float32(1e-9) * power.mean() + np.float32(1e-30))
        start = first % size
        straight = min(len(band), size - start)
        bins[start : start + straight] = band[:straight] * gain[:straight]
        bins[: len(band) - straight] = band[straight:] * gain[straight:]
    wave: npt.NDArray[np.complex64] = scipy.fft.ifft(bins, overwrite_x=True)
    return wave[: round(window.samples * size / window.size)]


def fast_rate(window: WindowSpectrum, least: float) -> float:
    """Lowest sample rate from `least` on to which :func:`flat_band` is fast, Hz."""
    return int(scipy.fft.next_fast_len(math.ceil(least / window.step))) * window.step


def vertex(
    left: npt.NDArray[np.floating], top: npt.NDArray[np.floating], right: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    """Heights of the parabolas through three neighbours each, of which the middle one is the highest."""
    bend = left - 2.0 * top + right
    return top - 0.125 * np.square(left - right) / np.minimum(bend, -1e-9)


def middle(centre: Floats, *, rate: int, seconds: float) -> Floats:
    """Return the middle of a window, or all of a window that is shorter."""
    length = min(len(centre), round(seconds * rate))
    start = (len(centre) - length) // 2
    return centre[start : start + length]


def spectra_of(x: Floats, *, rate: int, seconds: float) -> tuple[npt.NDArray[np.complex64], Floats]:
    """Transform half-overlapping frames of some length.

    Returns
    -------
    spectra : ndarray of complex64, shape (frames, bins)
    freqs : ndarray, shape (bins,)
        Hz. Frames follow each other ``2 * freqs[1]`` times a second.
    """
    size = _even_fast_length(rate * seconds)
    return _stft(x, size), np.fft.rfftfreq(size, 1.0 / rate).astype(np.float32)


def loud_frames(power: Floats) -> npt.NDArray[np.bool_]:
    """Which frames, given by their mean power, are no pauses."""
    loud: npt.NDArray[np.bool_] = power > np.float32(_PAUSE) * power.mean()
    return loud


def usable_top(high: float, *, bandwidth: float) -> float | None:
    """Return up to where a band that ends at `high` Hz is measured; None where too much of it lacks."""
    return min(high, bandwidth - SLOPE) if high <= bandwidth + _MISSING else None


def percentiles(x: npt.NDArray[np.floating], *shares: float) -> list[float]:
    """Percentiles of a short vector without NaN, interpolated as numpy does, for a fraction of what its checks cost."""
    ordered = np.sort(x)
    found = []
    for share in shares:
        at = share / 100.0 * (len(ordered) - 1)
        low = int(at)
        above = ordered[min(low + 1, len(ordered) - 1)]
        found.append(float(ordered[low]) + (at - low) * (float(above) - float(ordered[low])))
    return found


def running_mean(x: Floats, width: int) -> Floats:
    """Mean over about `width` neighbours, over fewer at the ends."""
    half = min(width // 2, (len(x) - 1) // 2)
    span = 2 * half + 1
    sums = np.zeros(len(x) + 1)
    np.cumsum(x, out=sums[1:])
    mean: Floats = np.empty(len(x), dtype=np.float32)
    mean[half : len(x) - half] = (sums[span:] - sums[:-span]) * (1.0 / span)
    if half:
        counts = np.arange(half + 1, span)
        mean[:half] = sums[half + 1 : span] / counts
        mean[-half:] = (sums[-1] - sums[-span : -half - 1]) / counts[::-1]
    return mean


def _variance(x: Floats) -> float:
    square, mean = float(np.vdot(x, x)) / len(x), float(x.mean())
    if mean * mean < 0.5 * square:
        return square - mean * mean
    centred = x - np.float32(mean)  # the difference of two like numbers would be noise
    return float(np.vdot(centred, centred)) / len(x)


def _stft(x: Floats, size: int, *, hop: int | None = None) -> npt.NDArray[np.complex64]:
    """Hann frames, by default half overlapping; a signal shorter than one frame is padded to one."""
    if len(x) < size:
        x = np.pad(x, (0, size - len(x)))
    frames = sliding_window_view(x, size)[:: hop or size // 2]
    spectra: npt.NDArray[np.complex64] = scipy.fft.rfft(frames * _hann(size), axis=-1)
    return spectra


def power_of(spectra: npt.NDArray[np.complex64]) -> Floats:
    """Squared magnitude, without the root that ``abs`` takes."""
    return np.square(spectra.real) + np.square(spectra.imag)


@lru_cache(maxsize=64)
def hanning(size: int) -> Floats:
    """Symmetric Hann window, kept: making one costs more than applying it."""
    return np.hanning(size).astype(np.float32)


@lru_cache(maxsize=16)
def _hann(size: int) -> Floats:
    """Periodic Hann window whose squares sum to one: a frame's power then does not depend on its length."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    return (window / np.sqrt(np.sum(window**2))).astype(np.float32)


@lru_cache(maxsize=64)
def _even_fast_length(length: float) -> int:
    return 2 * int(scipy.fft.next_fast_len(round(length / 2), real=True))
