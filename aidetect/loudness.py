"""Loudness, loudness range, true peak and crest of a recording, measured while it streams by.

:class:`LoudnessMeter` is fed consecutive blocks and keeps one number per 100 ms: a ten-hour file costs 3 MB.
Standards followed:

* ITU-R BS.1770-5: K-weighting (annex 1), gated integrated loudness, true peak (annex 2).
* EBU Tech 3341: momentary (0.4 s) and short-term (3 s) loudness.
* EBU Tech 3342: loudness range.
* AES TD1004: peak to loudness ratio.

What is measured does not depend on how the audio is cut into blocks.
"""

from __future__ import annotations

import math
from array import array
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal

__all__ = ["LoudnessMeter", "k_weighting", "true_peak_filter"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

_OFFSET = -0.691  # BS.1770: makes a 997 Hz full-scale sine in one channel read -3.01 LUFS
_ABSOLUTE_GATE = 10.0 ** ((-70.0 - _OFFSET) / 10.0)  # mean square whose loudness is -70 LUFS
_SOUND = 1e-10  # mean square (-100 dBFS) from which a step is no silence
_FLOOR = 1e-20  # mean square (about -200 LUFS) below which a window is digital silence

_STEPS_PER_SECOND = 10
_MOMENTARY_STEPS = 4  # 400 ms; one step of hop is the 75 % overlap the standard asks for
_SHORT_TERM_STEPS = 30  # 3 s
_TINY = 1e-30  # filter states this small are set to zero: denormal numbers are slow on many processors
_BASS_RATE = 2_900  # Hz, the least rate at which the high pass works
_SPAN = 1 << 16  # samples summed at once in single precision

_PEAK_RATE = 176_000  # Hz, the least rate at which true peaks are looked for
_TAPS = 24  # input samples that every interpolated value is made of
_BETA = 4.0  # Kaiser window: flat within 0.07 dB up to 0.8 of half the rate, 0.25 dB up to 0.9
_CHUNK = 512  # samples that are searched, or skipped, together
_FRAME = 16  # samples whose interpolated values one row of the matrix product gives
_BATCH = 64  # chunks per stack of matrix products: each is so small that BLAS starts no threads for it, which
# would double the processor time for nothing


def k_weighting(rate: int) -> Floats:
    """Second-order sections of the K-weighting filter at any sample rate.

    BS.1770-5 prints coefficients for 48 kHz only and asks for the same frequency response elsewhere. They are
    the bilinear transforms of an analogue high shelf (about +4 dB above 1.7 kHz) and an analogue high pass
    (38 Hz), whose parameters are therefore known; they are transformed again here for ``rate``. The standard
    leaves the numerator of its high pass as (1, -2, 1), which is 0.04 dB of gain at 48 kHz: that very gain is
    kept at every rate. Up to 3 kHz the response differs from that at 48 kHz by at most 0.01 dB at 32 kHz and
    above; at low rates the shelf is near half the rate and suffers: 0.03 dB at 22.05 kHz, 0.3 dB at 8 kHz.

    Parameters
    ----------
    rate : int
        Sample rate in Hz.

    Returns
    -------
    ndarray, shape (2, 6), float64
        Sections as `scipy.signal.sosfilt` takes them: the shelf, then the high pass.

    Notes
    -----
    Source: ITU-R BS.1770-5, annex 1, tables 1 and 2.
    """
    warped = math.tan(math.pi * 1681.974450955533 / rate)
    damping = warped / 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    middle = high**0.4996667741545416
    norm = 1.0 + damping + warped**2
    shelf = [
        (high + middle * damping + warped**2) / norm,
        2.0 * (warped**2 - high) / norm,
        (high - middle * damping + warped**2) / norm,
        1.0,
        2.0 * (warped**2 - 1.0) / norm,
        (1.0 - damping + warped**2) / norm,
    ]

    def high_pass(at: float) -> tuple[float, float, float]:
        k = math.tan(math.pi * 38.13547087602444 / at)
        loss = k / 0.5003270373238773
        norm = 1.0 + loss + k * k
        return norm, 2.0 * (k * k - 1.0) / norm, (1.0 - loss + k * k) / norm

    norm, a1, a2 = high_pass(rate)
    gain = high_pass(48_000)[0] / norm
    return np.array([shelf, [gain, -2.0 * gain, gain, 1.0, a1, a2]])


def true_peak_filter(rate: int) -> Floats:
    """Interpolating filters that find the peaks between the samples.

    Parameters
    ----------
    rate : int
        Sample rate in Hz.

    Returns
    -------
    ndarray, shape (factor - 1, 24), float64
        Row ``p - 1`` applied to samples ``n - 11 .. n + 12`` gives the signal at ``n + p / factor``. The
        oversampling factor is at least 4 and such that ``factor * rate`` is at least 176 kHz. Phase 0 is the
        samples themselves. Windowed sinc (Kaiser), every row sums to 1.

    Notes
    -----
    Source: ITU-R BS.1770-5, annex 2. The filter printed there (12 taps per phase) is given as an example; 24
    taps are flatter. At 4 times oversampling a peak may still be under-read for lying between the finer
    samples too: by at most 0.17 dB at a quarter of the sample rate.
    """
    factor = max(4, -(-_PEAK_RATE // rate))
    half = _TAPS // 2
    distance = np.arange(1, factor)[:, None] / factor - np.arange(1 - half, half + 1)[None, :]
    taps = np.sinc(distance) * np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / half) ** 2)))
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), dtype=np.float64)


@lru_cache(maxsize=8)
def _peak_search(rate: int) -> tuple[Singles, float]:
    """Make the filters a matrix that maps a frame to its interpolated values, and bound what they add.

    Returns
    -------
    matrix : ndarray, shape (16 + 23, 16 * (factor - 1)), float32
    bound : float
        No interpolated value exceeds the largest of the samples it is made of by more than this times the largest
        step between neighbours among them. Linear interpolation exceeds no sample; what a filter differs from it by
        sums to zero, so it is a filter on the steps, whose absolute taps sum to at most the bound (0.72), with a
        margin for rounding.
    """
    phases = true_peak_filter(rate)
    matrix = np.zeros((_FRAME + _TAPS - 1, len(phases), _FRAME), dtype=np.float32)
    for start in range(_FRAME):
        matrix[start : start + _TAPS, :, start] = phases.T
    between = np.arange(1, len(phases) + 1) / (len(phases) + 1)
    linear = np.zeros_like(phases)
    linear[:, _TAPS // 2 - 1], linear[:, _TAPS // 2] = 1.0 - between, between
    bound = float(np.abs(np.cumsum(phases - linear, axis=1)).sum(axis=1).max()) * 1.0001
    return matrix.reshape(len(matrix), -1), bound


def _largest(x: Singles) -> Singles:
    """Return the largest magnitudes along the last axis."""
    found: Singles = np.maximum(x.max(axis=-1), -x.min(axis=-1))
    return found


def _rows(x: Singles, starts: npt.NDArray[np.int64], size: int) -> Singles:
    """Cut stretches of `size` samples; shape (channels, stretches, size), without a copy where they are neighbours."""
    if (np.diff(starts) == size).all():
        return x[:, starts[0] : starts[0] + len(starts) * size].reshape(len(x), len(starts), size)
    return sliding_window_view(x, size, axis=1)[:, starts]


@lru_cache(maxsize=8)
def _shelf_weights(rate: int, size: int) -> Singles:
    """Weights that sum the squared real and imaginary parts of a transform of `size` samples to shelved energy."""
    _, response = signal.sosfreqz(k_weighting(rate)[:1], np.fft.rfftfreq(size), fs=1.0)
    weights = 2.0 / size * np.abs(response) ** 2
    weights[0] /= 2.0  # 0 Hz and half the sample rate have no twins at negative frequencies
    if size % 2 == 0:
        weights[-1] /= 2.0
    return np.repeat(weights, 2).astype(np.float32)


def _shelved_energies(rows: Singles, rate: int) -> Floats:
    """Energy behind the shelf of stretches of signal, shape (channels, stretches, samples), over all channels."""
    weights = _shelf_weights(rate, rows.shape[-1])
    found = np.empty(rows.shape[:2], dtype=np.float64)
    for channel, stretches in enumerate(rows):
        spectra = scipy.fft.rfft(stretches, axis=-1)
        found[channel] = np.square(spectra.view(np.float32)) @ weights
    return np.asarray(found.sum(axis=0), dtype=np.float64)


def _high_pass_gain(rate: int) -> float:
    """Power gain of the high pass far above its corner."""
    b0, b1, b2, a0, a1, a2 = k_weighting(rate)[1]
    return float(((b0 - b1 + b2) / (a0 - a1 + a2)) ** 2)


def _decimation(rate: int) -> int:
    """Return the largest factor by which samples are averaged before the high pass: steps stay whole.

    Above a tenth of the lower rate (300 Hz and more) the high pass takes next to nothing away.
    """
    if rate % _STEPS_PER_SECOND:
        return 1
    step = rate // _STEPS_PER_SECOND
    return max(k for k in range(1, rate // _BASS_RATE + 1) if step % k == 0)


def _sum_of_squares(x: Singles) -> float:
    """Sum of squares; in spans, so that float32 keeps its precision."""
    return sum(float(np.vdot(part, part)) for part in np.split(x, range(_SPAN, len(x), _SPAN)))


def _decibels(ratio: float) -> float:
    """``20 log10`` of an amplitude ratio; nan where there is no signal."""
    return 20.0 * math.log10(ratio) if ratio > 0.0 else math.nan


def _loudness(power: Floats) -> Floats:
    """LUFS of weighted mean squares; nan for digital silence."""
    heard = np.where(power > _FLOOR, power, np.nan)
    return np.asarray(_OFFSET + 10.0 * np.log10(heard), dtype=np.float64)


def _gated(power: Floats, relative: float) -> Floats:
    """Keep the windows above -70 LUFS, and of these those above the mean of these times ``relative``."""
    kept: Floats = power[power > _ABSOLUTE_GATE]
    if kept.size:
        kept = kept[kept > relative * kept.mean()]
    return kept


class LoudnessMeter:
    """Measure loudness and peaks of one recording, block after block.

    Parameters
    ----------
    rate : int
        Sample rate in Hz, 8000 to 48000.
    channels : int
        1 or 2. Every channel has weight 1: mono counts as a single channel and so reads 3 LU less than the
        same signal in both channels of a stereo file.

    Notes
    -----
    All results may be asked for at any time, also between blocks, and cost little. A result for which there
    is no signal (too short, silent, all gated) is nan, never infinite.

    The 100 ms steps end at the samples nearest to multiples of ``rate / 10``; at rates that are no multiple
    of 10 Hz (11025) the steps differ by one sample, and every window is divided by its true length.
    """

    def __init__(self, *, rate: int, channels: int) -> None:
        if not 8_000 <= rate <= 48_000:
            raise ValueError(f"rate must be 8000 to 48000 Hz, not {rate}")
        if channels not in (1, 2):
            raise ValueError(f"channels must be 1 or 2, not {channels}")
        self._rate = int(rate)
        self._channels = int(channels)
        self._seen = 0  # samples per channel
        self._squares: Floats = np.zeros(self._channels)  # sum over all samples of each channel
        # K-weighting
        self._gain = _high_pass_gain(self._rate)
        self._decimation = _decimation(self._rate)
        high_pass = k_weighting(self._rate // self._decimation)[1:]
        high_pass[:, :3] /= math.sqrt(_high_pass_gain(self._rate // self._decimation))
        self._high_pass = high_pass
        self._state: Floats = np.zeros((1, self._channels, 2))
        self._energies = array("d")  # per finished step, summed over its samples and the channels
        self._unfinished: Singles = np.zeros((self._channels, 0), dtype=np.float32)  # samples of the step in progress
        # peaks, linear
        self._sample_peak = 0.0
        self._true_peak = 0.0
        self._matrix, self._bound = _peak_search(self._rate)
        self._rest: Singles = np.zeros((self._channels, _TAPS - 1), dtype=np.float32)  # not searched yet

    def feed(self, block: npt.NDArray[np.floating]) -> None:
        """Take the next block.

        Parameters
        ----------
        block : ndarray, shape (channels, n), float32
            Samples, full scale 1.0. Any ``n``, also 0. Wider floats are rounded to float32.

        Raises
        ------
        ValueError
            Wrong shape, or samples that are not finite; the meter is then as it was before.
        TypeError
            Samples that are not floating-point numbers.
        """
        block = np.asarray(block)
        if not np.issubdtype(block.dtype, np.floating):
            raise TypeError(f"block must hold floating-point samples, not {block.dtype}")
        if block.ndim != 2 or block.shape[0] != self._channels:
            raise ValueError(f"block must have shape ({self._channels}, n), not {block.shape}")
        if block.shape[1] == 0:
            return
        x: Singles = np.ascontiguousarray(block, dtype=np.float32)
        squares = np.array([_sum_of_squares(channel) for channel in x])
        if not np.isfinite(squares).all():
            if not np.isfinite(x).all():
                raise ValueError("block holds samples that are not finite")
            squares = np.square(x, dtype=np.float64).sum(axis=1)
        self._seen += x.shape[1]
        self._squares += squares
        self._weigh(x)
        self._search(x)

    def _weigh(self, x: Singles) -> None:
        """Take the weighted energy of every step that ends in this block; keep the samples of the one that does not."""
        first = len(self._energies)
        edges = self._edges(first, self._steps(self._seen) + 1) - (self._seen - x.shape[1])
        if len(edges) == 1:
            self._unfinished = np.concatenate((self._unfinished, x), axis=1)
            return
        if self._unfinished.shape[1]:
            self._weigh_steps(np.concatenate((self._unfinished, x[:, : edges[1]]), axis=1), edges[:2] - edges[0])
            edges = edges[1:]
        if len(edges) > 1:
            self._weigh_steps(x[:, edges[0] : edges[-1]], edges - edges[0])
        self._unfinished = x[:, edges[-1] :].copy()

    def _weigh_steps(self, x: Singles, edges: npt.NDArray[np.int64]) -> None:
        """Take the weighted energy of the whole steps that `edges` delimit.

        The shelf is applied to the spectrum of every step: by Parseval's theorem, the power of a spectrum times the
        squared response of a filter sums to the energy that leaves the filter. The high pass remembers more than a
        step lasts, so what it takes away is filtered; but that lies in the bass, where a low sample rate suffices.
        """
        sizes = np.diff(edges)
        energies = np.zeros(len(sizes))
        for size in np.unique(sizes):
            steps = np.flatnonzero(sizes == size)
            energies[steps] = _shelved_energies(_rows(x, edges[steps], int(size)), self._rate)
        average = np.full(self._decimation, 1.0 / self._decimation, dtype=np.float32)
        bass = (x.reshape(len(x), -1, self._decimation) @ average).astype(np.float64)
        passed, self._state = signal.sosfilt(self._high_pass, bass, axis=1, zi=self._state)
        self._state[np.abs(self._state) < _TINY] = 0.0
        taken = (np.square(bass) - np.square(passed)).sum(axis=0)
        energies -= self._decimation * np.add.reduceat(taken, edges[:-1] // self._decimation)
        self._energies.extend((self._gain * np.maximum(energies, 0.0)).tolist())

    def _edges(self, first: int, stop: int) -> npt.NDArray[np.int64]:
        """Return the samples nearest to ``first .. stop - 1`` times 100 ms: where those many steps end."""
        half = _STEPS_PER_SECOND // 2
        return (np.arange(first, stop, dtype=np.int64) * self._rate + half) // _STEPS_PER_SECOND

    def _steps(self, samples: int) -> int:
        """Count the steps that have ended after so many samples: the inverse of `_edges`."""
        return (_STEPS_PER_SECOND * samples + (_STEPS_PER_SECOND - 1 - _STEPS_PER_SECOND // 2)) // self._rate

    def _search(self, x: Singles) -> None:
        """Search all whole chunks for peaks between samples; keep the rest for the next block."""
        head = min(x.shape[1], _CHUNK + _TAPS - 1)
        self._rest = self._search_whole(np.concatenate((self._rest, x[:, :head]), axis=1))
        if x.shape[1] > head:  # what is left of the seam is part of this block: no need to copy that
            self._rest = self._search_whole(x[:, head - self._rest.shape[1] :])

    def _search_whole(self, x: Singles) -> Singles:
        """Search the whole chunks; return a copy of the rest, less than a chunk and the taps."""
        whole = (x.shape[1] - (_TAPS - 1)) // _CHUNK * _CHUNK
        if whole:
            self._sample_peak, self._true_peak = self._peaks(x[:, : whole + _TAPS - 1])
        return x[:, whole:].copy()

    def _peaks(self, x: Singles) -> tuple[float, float]:
        """Raise the sample peak and the true peak, linear, by those of whole chunks.

        An interpolated value exceeds the largest sample it is made of by no more than ``bound`` times the largest
        step between them. So the chunks are searched from the most promising on, until even the bound of the next
        cannot win: exact, and a few chunks in a hundred suffice in most music.

        Parameters
        ----------
        x : ndarray, shape (channels, chunks * 512 + 23), float32
        """
        width = _CHUNK + _TAPS - 1
        windows = sliding_window_view(x, width, axis=1)[:, ::_CHUNK]
        steps = sliding_window_view(np.diff(x, axis=1), width - 1, axis=1)[:, ::_CHUNK]
        largest = _largest(windows)
        sample_peak = max(self._sample_peak, float(largest.max()))
        best = max(self._true_peak, sample_peak)
        reach = (largest + np.float32(self._bound) * _largest(steps)).ravel()
        order = np.flatnonzero(reach > best)
        order = order[np.argsort(reach[order])[::-1]]
        reach = reach[order]
        channel, chunk = np.divmod(order, windows.shape[1])
        start, size = 0, 8  # a few first: mostly they raise the bar
        while start < len(order) and reach[start] > best:
            taken = slice(start, start + size)
            picked = windows[channel[taken], chunk[taken]]
            frames = sliding_window_view(picked, _FRAME + _TAPS - 1, axis=1)[:, ::_FRAME]
            values = np.matmul(frames.copy(), self._matrix)  # a stack of small products: see _BATCH
            best = max(best, float(values.max()), -float(values.min()))
            start, size = start + size, _BATCH
        return sample_peak, best

    def _peaks_so_far(self) -> tuple[float, float]:
        """Both peaks with what has not been searched yet, as if silence followed."""
        missing = _TAPS - 1
        missing += -(self._rest.shape[1] + missing - (_TAPS - 1)) % _CHUNK
        return self._peaks(np.pad(self._rest, ((0, 0), (0, missing))))

    def _powers(self, steps: int) -> Floats:
        """Weighted mean square of every window of so many steps, hop one step."""
        count = len(self._energies) - steps + 1
        if count < 1:
            return np.zeros(0)
        energies = np.array(self._energies, dtype=np.float64)
        edges = self._edges(0, len(energies) + 1)
        sums = sliding_window_view(energies, steps).sum(axis=1)
        return np.asarray(sums / (edges[steps:] - edges[:-steps]), dtype=np.float64)

    def momentary(self) -> Floats:
        """Momentary loudness (EBU Tech 3341).

        Returns
        -------
        ndarray, shape (windows,), float64
            LUFS of every 400 ms, hop 100 ms; nan for digital silence (below -200 LUFS).
        """
        return _loudness(self._powers(_MOMENTARY_STEPS))

    def short_term(self) -> Floats:
        """Short-term loudness (EBU Tech 3341).

        Returns
        -------
        ndarray, shape (windows,), float64
            LUFS of every 3 s, hop 100 ms; nan for digital silence (below -200 LUFS).
        """
        return _loudness(self._powers(_SHORT_TERM_STEPS))

    def integrated(self) -> float:
        """Integrated loudness (ITU-R BS.1770-5).

        Mean over 400 ms windows, gated at -70 LUFS and then at 10 LU below the mean of what that leaves.

        Returns
        -------
        float
            LUFS; nan where nothing is kept: less than 400 ms, or silence.
        """
        kept = _gated(self._powers(_MOMENTARY_STEPS), 0.1)
        return float(_loudness(kept.mean())) if kept.size else math.nan

    def loudness_range(self) -> float:
        """Loudness range (EBU Tech 3342): 10th to 95th percentile of the gated short-term loudness.

        Returns
        -------
        float
            LU; nan where nothing is kept: less than 3 s, or silence.
        """
        kept = _gated(self._powers(_SHORT_TERM_STEPS), 0.01)
        if not kept.size:
            return math.nan
        low, high = np.percentile(_loudness(kept), (10.0, 95.0))
        return float(high - low)

    def short_term_spread(self) -> float:
        """Return the standard deviation of the short-term loudness, gated as in EBU Tech 3342.

        Returns
        -------
        float
            LU; nan where nothing is kept.
        """
        kept = _gated(self._powers(_SHORT_TERM_STEPS), 0.01)
        return float(_loudness(kept).std()) if kept.size else math.nan

    def true_peak(self) -> float:
        """Return the true peak (ITU-R BS.1770-5 annex 2) over all channels, at 176 kHz or more.

        Returns
        -------
        float
            dBTP, at least `sample_peak`; nan for digital silence. What precedes and follows the recording
            counts as zeros.
        """
        return _decibels(self._peaks_so_far()[1])

    def sample_peak(self) -> float:
        """Largest absolute sample of all channels.

        Returns
        -------
        float
            dBFS (0 is 1.0); nan for digital silence.
        """
        return _decibels(self._peaks_so_far()[0])

    def rms(self) -> float:
        """Root mean square of all samples of all channels, unweighted and ungated.

        Returns
        -------
        float
            dBFS: 0 for a square wave of amplitude 1, -3.01 for a full-scale sine; nan for digital silence.
        """
        count = self._seen * self._channels
        return _decibels(math.sqrt(float(self._squares.sum()) / count)) if count else math.nan

    def seconds_of_sound(self) -> float:
        """Count the 100 ms steps in which something sounds.

        A constant does not: it is the energy after K-weighting that has to lie above -100 dBFS.

        Returns
        -------
        float
            s.
        """
        loud = np.count_nonzero(np.frombuffer(self._energies) > _SOUND * self._rate / _STEPS_PER_SECOND)
        return float(loud / _STEPS_PER_SECOND)

    def sounding_channels(self) -> int:
        """Count the channels that carry sound: within 60 dB of the loudest.

        Returns
        -------
        int
            0 for digital silence.
        """
        return int(np.count_nonzero(self._squares > 1e-6 * self._squares.max()))

    @property
    def channels(self) -> int:
        """Channels of every block."""
        return self._channels

    def crest_factor(self) -> float:
        """Sample peak over root mean square.

        Returns
        -------
        float
            dB; nan for digital silence.
        """
        return self.sample_peak() - self.rms()

    def plr(self) -> float:
        """Peak to loudness ratio (AES TD1004): true peak minus integrated loudness.

        Returns
        -------
        float
            LU; nan where either is.
        """
        return self.true_peak() - self.integrated()
