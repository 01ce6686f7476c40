"""Spectral shimmer: the fine, persistent structure that neural decoders leave in the upper spectrum.

Three views of it:

* the *detail* vector: the long-term spectrum of a track minus its running median. Strided decoders leave narrow
  lines at fixed positions in it (Pons et al. 2021; Afchar et al. 2025); linear models learn them from
  :func:`peak_residue` and :func:`levelled`;
* statistics of that vector that do not depend on positions (:func:`detail_statistics`), so that a change of speed
  does not hide them; too little structure is a sign as much as too much;
* the texture of short frames (:func:`texture`): phase regularity, modulation, noise floor, coherence.

All are measured on the mix, and again on the frames in which a voice dominates (``vocal_...``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy import ndimage

from .analysis import GRID, GRID_STEP, SLOPE, ShortFrames, hanning, percentiles, usable_top
from .features import Feature

__all__ = [
    "BANDS",
    "FEATURES",
    "VOCAL",
    "bands_within",
    "comb",
    "detail",
    "detail_statistics",
    "levelled",
    "momentary_statistics",
    "on_grid",
    "peak_residue",
    "quantise",
    "restore",
    "steadiness",
    "texture",
]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BANDS = ((1, 2), (2, 4), (4, 6), (6, 8), (8, 11), (11, 14), (14, 16))
"""Edges in kHz of the bands in which statistics are taken."""


def bands_within(bandwidth: float) -> list[tuple[int, int, float]]:
    """Return the bands that a bandwidth in Hz holds: edges in kHz, and the frequency in Hz up to which each is used."""
    tops = [(low, high, usable_top(1000.0 * high, bandwidth=bandwidth)) for low, high in BANDS]
    return [(low, high, top) for low, high, top in tops if top is not None]


VOCAL = "vocal_"
"""Prefix of the features measured where a voice dominates."""

_MEDIAN_WIDTH = 75  # grid points, about 200 Hz: wider than a line, narrower than a formant
_HULL_WIDTH = 37  # grid points, about 100 Hz
_LEVEL_WIDTH = 185  # grid points, 500 Hz
_PEAK_HEIGHT = 1.0  # dB over the running median that make a local maximum a peak
_COMB_RANGE = (20.0, 1500.0)  # Hz between the teeth
_COMB_FROM = 4000.0  # Hz; below it, harmonics of notes make combs of their own
_STEP = 1.0 / GRID_STEP
_DB = 10.0 / np.log(10.0)  # per unit of the natural logarithm of power
_MONO = 1e-7  # side over middle power below which two channels are one
_COHERENCE_FRAMES = 8
_MISSING = np.int8(-128)
_QUANTUM = 0.25
_DECODED = np.sinh(np.clip(np.arange(256, dtype=np.uint8).view(np.int8), -40, 40) * _QUANTUM).astype(np.float32)
_DECODED[128] = np.nan  # what _MISSING means


# ---------------------------------------------------------------------------------------------------------------
# The long-term spectrum
# ---------------------------------------------------------------------------------------------------------------


def on_grid(spectrum: Floats, freqs: Floats, *, bandwidth: float) -> Floats:
    """Interpolate a long spectrum to :data:`~aidetect.analysis.GRID`.

    Parameters
    ----------
    spectrum, freqs : ndarray, shape (bins,)
        Levels in dB at frequencies in Hz.
    bandwidth : float
        Highest frequency that carries sound, Hz. Points above it (and within 150 Hz below, where the slope of a
        codec's low-pass lies) become NaN: the place of a cutoff tells of an encoder, not of a maker.

    Returns
    -------
    ndarray of float32, shape (len(GRID),)
    """
    limit = min(bandwidth - SLOPE, float(freqs[-1]))
    values = np.interp(GRID, freqs, spectrum).astype(np.float32)
    values[limit < GRID] = np.nan
    return values


def detail(spectrum: Floats) -> Floats:
    """Return a spectrum in dB minus its running median over 200 Hz; NaN stays NaN.

    Parameters
    ----------
    spectrum : ndarray, shape (len(GRID),)
        Levels in dB; NaN beyond the bandwidth.
    """
    out = np.full(len(spectrum), np.nan, dtype=np.float32)
    usable = _usable(spectrum)
    if usable < _MEDIAN_WIDTH:
        return out
    s = spectrum[:usable]
    out[:usable] = s - ndimage.median_filter(s, _MEDIAN_WIDTH, mode="mirror")
    return out


def peak_residue(details: Floats) -> Floats:
    """Lines that stand over the lower hull of the spectrum, scaled to the highest.

    Parameters
    ----------
    details : ndarray, shape (..., len(GRID))
        From :func:`detail`.

    Returns
    -------
    ndarray of float32, same shape
        In [0, 1]; 0 beyond the bandwidth.

    References
    ----------
    Afchar, Meseguer-Brocal, Akesbi, Hennequin: A Fourier explanation of AI-music artifacts. ISMIR 2025.
    """
    filled = np.nan_to_num(details, nan=0.0)
    half = _HULL_WIDTH // 2
    edge = [(0, 0)] * (filled.ndim - 1) + [(half, half)]
    low = _running_min(np.pad(filled, edge, mode="edge"), _HULL_WIDTH)
    hull = _running_mean(np.pad(low, edge, mode="edge"), _HULL_WIDTH)
    over = np.clip(filled - hull, 0.0, 5.0)
    over[np.isnan(details)] = 0.0
    top = over.max(axis=-1, keepdims=True)
    return (over / np.maximum(top, 0.5)).astype(np.float32)


def levelled(details: Floats) -> Floats:
    """Lines and gaps over their own spread within 500 Hz, limited to -6 ... 6; 0 beyond the bandwidth.

    The longer a track, the smaller the fine structure that music leaves in its mean spectrum. Divided by their local
    root mean square, lines of short and long tracks look alike.

    Parameters
    ----------
    details : ndarray, shape (..., len(GRID))
        From :func:`detail`.
    """
    there = np.isfinite(details)
    x = np.where(there, details, np.float32(0.0))
    half = _LEVEL_WIDTH // 2
    edge = [(0, 0)] * (x.ndim - 1) + [(half, half)]
    square = _running_mean(np.pad(x * x, edge, mode="edge"), _LEVEL_WIDTH)
    share = _running_mean(np.pad(there.astype(np.float32), edge, mode="edge"), _LEVEL_WIDTH)
    spread = np.sqrt(square / np.maximum(share, np.float32(0.05))) + np.float32(0.05)
    return np.clip(x / spread, -6.0, 6.0).astype(np.float32)


def detail_statistics(details: Floats) -> dict[str, float]:
    """Position-free statistics of the detail vector, band by band.

    Parameters
    ----------
    details : ndarray, shape (len(GRID),)
        From :func:`detail`.

    Returns
    -------
    dict
        Values of the features in :data:`FEATURES` whose names begin with ``detail_``, ``peak_`` or ``notch_``; NaN
        where a band lies beyond the bandwidth.
    """
    values: dict[str, float] = {}
    rise = np.diff(details, prepend=np.nan, append=np.nan)
    peaks = (rise[:-1] > 0) & (rise[1:] <= 0) & (details > _PEAK_HEIGHT)
    gaps = (rise[:-1] < 0) & (rise[1:] >= 0) & (details < -_PEAK_HEIGHT)
    for name, inside in _grid_bands():
        x = details[inside]
        ok = np.isfinite(x)
        if ok.sum() < 0.6 * len(x):
            values.update({f"{stat}_{name}": np.nan for stat in _DETAIL_STATS})
            continue
        x = x[ok].astype(np.float64)
        centred = x - x.mean()
        std = float(np.sqrt(np.mean(centred**2))) + 1e-9
        kilohertz = len(x) * GRID_STEP / 1000.0
        p1, p5, p95, p99 = percentiles(x, 1, 5, 95, 99)
        stats = (
            std,
            float(np.mean(centred**3)) / std**3,
            float(np.mean(centred**4)) / std**4 - 3.0,
            float(peaks[inside][ok].sum()) / kilohertz,
            float(gaps[inside][ok].sum()) / kilohertz,
            p99,
            -p1,
            (p95 + p5) / (p95 - p5 + 1e-9),
            float(np.mean(np.diff(x) ** 2) / std**2),
        )
        values.update({f"{stat}_{name}": value for stat, value in zip(_DETAIL_STATS, stats, strict=True)})
    return values


_DETAIL_STATS = (
    "detail_std",
    "detail_skewness",
    "detail_kurtosis",
    "peak_density",
    "notch_density",
    "peak_height",
    "notch_depth",
    "detail_asymmetry",
    "detail_roughness",
)


def comb(details: Floats) -> dict[str, float]:
    """Look for equally spaced lines above 4 kHz, whatever their spacing.

    The autocorrelation of the positive details along frequency is averaged over a lag and its next multiples; the
    best lag between 20 and 1500 Hz is the spacing. As every spacing is tried, a change of speed moves the answer
    and does not weaken it.

    Parameters
    ----------
    details : ndarray, shape (len(GRID),)
        From :func:`detail`.

    Returns
    -------
    dict
        ``comb_strength``: mean autocorrelation at the teeth minus that between them; ``comb_spacing``: Hz;
        ``comb_contrast``: strength over the spread of all candidates. NaN below 6 kHz of bandwidth.
    """
    names = ("comb_strength", "comb_spacing", "comb_contrast")
    first = int(np.searchsorted(GRID, _COMB_FROM))
    x = np.clip(details[first : _usable(details)], 0.0, 5.0)
    if len(x) < 2000.0 * _STEP:
        return dict.fromkeys(names, np.nan)
    x = x - _running_mean(np.pad(x, _MEDIAN_WIDTH // 2, mode="edge"), _MEDIAN_WIDTH)
    acf = scipy.fft.irfft(np.abs(scipy.fft.rfft(x, 2 * len(x))) ** 2)[: len(x)]
    acf = acf / max(float(acf[0]), 1e-12) * (len(x) / np.arange(len(x), 0, -1))
    lags = np.arange(_COMB_RANGE[0], min(_COMB_RANGE[1], len(x) * GRID_STEP / 3.2), GRID_STEP / 3.0) * _STEP
    teeth = np.mean([np.interp(k * lags, np.arange(len(acf)), acf) for k in (1, 2, 3)], axis=0)
    between = np.mean([np.interp((k - 0.5) * lags, np.arange(len(acf)), acf) for k in (1, 2, 3)], axis=0)
    score = teeth - between
    best = int(np.argmax(score))
    return {
        "comb_strength": float(score[best]),
        "comb_spacing": float(lags[best] * GRID_STEP),
        "comb_contrast": float(score[best] / (np.std(score) + 1e-9)),
    }


def steadiness(parts: Sequence[Floats]) -> dict[str, float]:
    """How much of the fine structure stays the same through the track (intraclass correlation).

    Each part is the long spectrum of some five seconds. Fixed lines are common to all parts, music is not: per
    band, the covariance between parts over the variance within them, both along frequency.

    Parameters
    ----------
    parts : sequence of ndarray, shape (len(GRID),)
        Long spectra in dB on :data:`~aidetect.analysis.GRID`.

    Returns
    -------
    dict
        ``steadiness_<band>`` in about [0, 1]; NaN with fewer than two parts.

    References
    ----------
    Shrout, Fleiss: Intraclass correlations. Psychological Bulletin 86, 1979 (case 1).
    """
    names = [name for name, _ in _grid_bands()]
    if len(parts) < 2:
        return {f"steadiness_{name}": np.nan for name in names}
    x = np.asarray(parts, dtype=np.float32)
    usable, half = min(_usable(part) for part in x), _MEDIAN_WIDTH // 2
    fine = np.full_like(x, np.nan)
    if usable:  # smoothed within the bandwidth alone: the step at its end is the same in all parts
        inner = x[:, :usable]
        fine[:, :usable] = inner - _running_mean(np.pad(inner, ((0, 0), (half, half)), mode="edge"), _MEDIAN_WIDTH)
    count = len(fine)
    values: dict[str, float] = {}
    for name, inside in _grid_bands():
        block = fine[:, inside]
        block = block[:, np.isfinite(block).all(axis=0)]
        if block.shape[1] < 0.6 * inside.sum():
            values[f"steadiness_{name}"] = np.nan
            continue
        block = block - block.mean(axis=1, keepdims=True)
        within = float(block.var(axis=1).mean())
        common = float(block.mean(axis=0).var())
        values[f"steadiness_{name}"] = (common - within / count) / (within * (1.0 - 1.0 / count) + 1e-9)
    return values


def momentary_statistics(levels: Floats, freqs: Floats, *, bandwidth: float) -> dict[str, float]:
    """Statistics of the fine structure of one window, which do not depend on how long the track is.

    Parameters
    ----------
    levels : ndarray, shape (bins,)
        Mean long spectrum of one window, dB.
    freqs : ndarray, shape (bins,)
        Hz, evenly spaced.
    bandwidth : float
        Highest frequency that carries sound, Hz.
    """
    fine = levels - _running_mean(np.pad(levels, _MEDIAN_WIDTH // 2, mode="edge"), _MEDIAN_WIDTH)
    values: dict[str, float] = {}
    for low, high, top in bands_within(bandwidth):
        a, b = np.searchsorted(freqs, (1000.0 * low, top))
        x = fine[a:b] - fine[a:b].mean()
        squares = x * x
        variance = float(squares.mean()) + 1e-9
        change = np.diff(x)
        stats = (
            variance**0.5,
            float((squares * x).mean()) / variance**1.5,
            float((squares * squares).mean()) / variance**2 - 3.0,
            float((change * change).mean()) / variance,
        )
        values |= {f"{stat}_{low}k_{high}k": value for stat, value in zip(_MOMENTARY, stats, strict=True)}
    return values


_MOMENTARY = ("momentary_std", "momentary_skewness", "momentary_kurtosis", "momentary_roughness")


def quantise(details: Floats) -> npt.NDArray[np.int8]:
    """Store details in steps of a quarter of a decibel near 0 and wider ones further out; NaN as -128."""
    steps = np.clip(np.round(np.arcsinh(np.nan_to_num(details, nan=0.0)) / _QUANTUM), -127, 127).astype(np.int8)
    steps[np.isnan(details)] = _MISSING
    return steps


def restore(steps: npt.NDArray[np.int8]) -> Floats:
    """Undo :func:`quantise`."""
    details: Floats = _DECODED[steps.view(np.uint8)]
    return details


# ---------------------------------------------------------------------------------------------------------------
# Short frames
# ---------------------------------------------------------------------------------------------------------------


def texture(short: ShortFrames, *, bandwidth: float | None = None, frames: Mask | None = None) -> dict[str, float]:
    """Texture of the upper bands in short frames.

    Parameters
    ----------
    short : ShortFrames
        Of one window.
    bandwidth : float, optional
        Highest frequency that carries sound, Hz; by default half the sample rate.
    frames : ndarray of bool, shape (frames,), optional
        Short frames to use (those with a voice); by default those less than 40 dB below the mean.

    Returns
    -------
    dict
        Values of the texture features, NaN for bands beyond the bandwidth and, without a side channel, for those
        between channels.
    """
    limit = min(bandwidth or np.inf, float(short.freqs[-1]))
    lo, hi = np.searchsorted(short.freqs, (1000.0 * BANDS[0][0], 1000.0 * BANDS[-1][1] + 1.0))
    energy = short.power[:, lo:hi].mean(axis=1)
    if frames is None:
        frames = energy > 1e-4 * max(float(energy.mean()), 1e-30)
    values = dict.fromkeys((f"{stat}_{low}k_{high}k" for low, high in BANDS for stat in _TEXTURE_STATS), np.nan)
    values |= dict.fromkeys(_COMODULATION, np.nan)
    if frames.sum() < 20:
        return values
    freqs = short.freqs[lo:hi]
    floor = float(energy[frames].mean()) * 1e-10 + 1e-30
    apart = np.flatnonzero(frames)[::2]  # frames that share no samples: half the work, nearly all of the information
    power = short.power[apart, lo:hi]
    levels = np.log(power + np.float32(floor))
    triples = _triples(frames)
    stereo = np.flatnonzero(frames)
    stereo = stereo[stereo % 2 == 0][::2]  # half of the frames that the side has: a mean needs no more
    for low, high, top in bands_within(limit):
        name = f"{low}k_{high}k"
        a, b = np.searchsorted(freqs, (1000.0 * low, top))
        values |= _band_texture(levels[:, a:b], power[:, a:b].mean(axis=1) + floor, name)
        values |= _modulation(short.power[:, lo + a : lo + b].mean(axis=1)[frames] + floor, name)
        values |= _phase_texture(short.mid[:, lo + a : lo + b], triples, name)
        if short.side is not None:
            bins = slice(lo + a, lo + b)
            values |= _channel_texture(short.mid[stereo, bins], short.side[stereo // 2, bins], name)
    values |= _comodulation(levels, freqs, limit)
    return values


_TEXTURE_STATS = (
    "flatness",
    "level_kurtosis",
    "level_spread",
    "frame_change",
    "floor_depth",
    "modulation_slow",
    "modulation_fast",
    "phase_time_regularity",
    "phase_frequency_regularity",
    "coherence",
    "side_level",
)


def _band_texture(levels: Floats, mean_power: Floats, name: str) -> dict[str, float]:
    """Distribution of the levels (natural logarithms of power, shape (frames, bins)) of one band."""
    centre = levels.mean(axis=1, keepdims=True)
    inner = levels - centre
    squares = inner * inner
    variance = float(squares.mean()) + 1e-9
    change = np.diff(inner, axis=0)
    return {
        f"flatness_{name}": _DB * float(np.mean(centre[:, 0] - np.log(mean_power))),
        f"level_kurtosis_{name}": float((squares * squares).mean()) / variance**2 - 3.0,
        f"level_spread_{name}": _DB * variance**0.5,
        f"frame_change_{name}": (float((change * change).mean()) / (2.0 * variance)) ** 0.5,
    }


def _modulation(power: Floats, name: str) -> dict[str, float]:
    """Depth and speed of the changes in time of the power of one band, shape (frames,)."""
    level = _DB * np.log(power)
    loud, quiet = percentiles(level, 90, 10)
    spectrum = np.abs(scipy.fft.rfft((level - level.mean()) * hanning(len(level)))) ** 2
    rate = np.arange(len(spectrum)) * 2.0 / len(level)  # 1 is half the frame rate
    total = float(spectrum[1:].sum()) + 1e-9
    return {
        f"floor_depth_{name}": loud - quiet,
        f"modulation_slow_{name}": float(spectrum[(rate > 0) & (rate < 0.1)].sum()) / total,
        f"modulation_fast_{name}": float(spectrum[rate > 0.5].sum()) / total,
    }


def _phase_texture(spectra: npt.NDArray[np.complex64], triples: npt.NDArray[np.int64], name: str) -> dict[str, float]:
    """Length of the mean resultant of the second differences of the phase in time and in frequency.

    Near 1 for tones that stay and for single clicks, near 0 for noise (Fisher 1993, Statistical analysis of
    circular data).
    """
    if len(triples) < 5:
        return {}
    before, middle, after = (_unit(spectra[triples + shift]) for shift in (-1, 0, 1))
    squared = np.conj(middle * middle)
    in_time = before * after * squared
    in_frequency = middle[:, 2:] * middle[:, :-2] * squared[:, 1:-1]
    return {
        f"phase_time_regularity_{name}": float(np.mean(np.abs(in_time.mean(axis=1)))),
        f"phase_frequency_regularity_{name}": float(np.mean(np.abs(in_frequency.mean(axis=1)))),
    }


def _channel_texture(mid: npt.NDArray[np.complex64], side: npt.NDArray[np.complex64], name: str) -> dict[str, float]:
    """Coherence of left and right (magnitude of the normalised cross spectrum) and level of the side, dB."""
    mid_power, side_power = (float(np.mean(x.real**2 + x.imag**2)) for x in (mid, side))
    if side_power < _MONO * mid_power or len(mid) < _COHERENCE_FRAMES:
        return {}
    span = len(mid) // _COHERENCE_FRAMES * _COHERENCE_FRAMES
    left, right = (mid + side)[:span], (mid - side)[:span]
    shape = (-1, _COHERENCE_FRAMES, mid.shape[1])
    cross = (left * np.conj(right)).reshape(shape).mean(axis=1)
    powers = [(x.real**2 + x.imag**2).reshape(shape).mean(axis=1) for x in (left, right)]
    coherence = np.abs(cross) / np.sqrt(powers[0] * powers[1] + np.float32(1e-30))
    return {
        f"coherence_{name}": float(coherence.mean()),
        f"side_level_{name}": float(np.clip(10.0 * np.log10((side_power + 1e-20) / (mid_power + 1e-20)), -40, 20)),
    }


def _comodulation(levels: Floats, freqs: Floats, limit: float) -> dict[str, float]:
    """Mean correlation in time of the changes of level of neighbouring 500 Hz bands."""
    edges = np.arange(2000.0, min(16000.0, limit - SLOPE) + 1.0, 500.0)
    if len(edges) < 4 or len(levels) < 10:
        return {}
    at = np.searchsorted(freqs, edges)
    bands = np.stack([levels[:, i:j].mean(axis=1) for i, j in pairwise(at)])
    bands = np.diff(bands, axis=1)
    bands = bands - bands.mean(axis=1, keepdims=True)
    bands /= np.sqrt(np.mean(bands**2, axis=1, keepdims=True)) + 1e-9
    neighbours = np.mean(bands[1:] * bands[:-1], axis=1)
    lower = edges[:-2]
    values = {}
    for name, (low, high) in _COMODULATION.items():
        inside = (lower >= low) & (lower < high)
        if inside.sum() >= 3:
            values[name] = float(neighbours[inside].mean())
    return values


_COMODULATION = {
    "comodulation_low": (2000.0, 6000.0),
    "comodulation_mid": (6000.0, 10000.0),
    "comodulation_high": (10000.0, 16000.0),
}


def _unit(x: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    scaled: npt.NDArray[np.complex64] = x * (np.float32(1.0) / np.maximum(np.abs(x), np.float32(1e-12)))
    return scaled


def _triples(frames: Mask) -> npt.NDArray[np.int64]:
    """Every fourth frame that is in use together with both neighbours."""
    inner = frames.copy()
    inner[0] = inner[-1] = False
    inner[1:-1] &= frames[:-2] & frames[2:]
    return np.flatnonzero(inner)[::4]


# ---------------------------------------------------------------------------------------------------------------
# Small tools
# ---------------------------------------------------------------------------------------------------------------


def _usable(x: Floats) -> int:
    """Number of points before the first NaN."""
    missing = np.isnan(x)
    return int(np.argmax(missing)) if missing.any() else len(x)


def _running_mean(x: Floats, width: int) -> Floats:
    sums = np.cumsum(x, axis=-1, dtype=np.float64)
    sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
    return ((sums[..., width:] - sums[..., :-width]) / width).astype(np.float32)


def _running_min(x: Floats, width: int) -> Floats:
    """Minimum over `width` neighbours by doubling: log2(width) passes instead of `width`."""
    span, low = 1, x
    while 2 * span <= width:
        low = np.minimum(low[..., span:], low[..., :-span])
        span *= 2
    if span < width:
        shift = width - span
        low = np.minimum(low[..., shift:], low[..., :-shift])
    return low


@lru_cache(maxsize=1)
def _grid_bands() -> tuple[tuple[str, Mask], ...]:
    return tuple((f"{low}k_{high}k", (1000 * low <= GRID) & (1000 * high > GRID)) for low, high in BANDS)


# ---------------------------------------------------------------------------------------------------------------
# Catalogue
# ---------------------------------------------------------------------------------------------------------------

_OWN = "aidetect"
_MEANINGS: dict[str, tuple[str, str, str]] = {
    "detail_std": ("dB", "spread of the fine structure of the long-term spectrum", _OWN),
    "detail_skewness": ("1", "skewness of the fine structure: positive where lines stick out", _OWN),
    "detail_kurtosis": ("1", "excess kurtosis of the fine structure: high where few strong lines stand", _OWN),
    "peak_density": ("1/kHz", "narrow peaks in the long-term spectrum", _OWN),
    "notch_density": ("1/kHz", "narrow notches in the long-term spectrum", _OWN),
    "peak_height": ("dB", "99th percentile of the fine structure", _OWN),
    "notch_depth": ("dB", "first percentile of the fine structure, sign changed", _OWN),
    "detail_asymmetry": ("1", "balance of peaks and notches (P95 + P5) / (P95 - P5)", _OWN),
    "detail_roughness": ("1", "change from bin to bin over the variance: low where the spectrum is smooth", _OWN),
    "momentary_std": ("dB", "spread of the fine structure within ten seconds", _OWN),
    "momentary_skewness": ("1", "skewness of the fine structure within ten seconds", _OWN),
    "momentary_kurtosis": ("1", "excess kurtosis of the fine structure within ten seconds", _OWN),
    "momentary_roughness": ("1", "change from bin to bin over the variance within ten seconds", _OWN),
    "steadiness": ("1", "share of the fine structure that stays in place through the track", "Shrout & Fleiss 1979"),
    "flatness": ("dB", "spectral flatness of short frames, geometric over arithmetic mean", "Peeters 2004"),
    "level_kurtosis": ("1", "excess kurtosis of the levels of bins within a frame", _OWN),
    "level_spread": ("dB", "standard deviation of the levels of bins within a frame", _OWN),
    "frame_change": ("1", "change of bin levels from frame to frame over their spread", _OWN),
    "floor_depth": ("dB", "distance of the band's loud (P90) from its quiet moments (P10)", _OWN),
    "modulation_slow": (
        "1",
        "share of the band's modulation below a tenth of the frame rate's half",
        "Atlas & Shamma 2003",
    ),
    "modulation_fast": ("1", "share of the band's modulation in the upper half of its range", "Atlas & Shamma 2003"),
    "phase_time_regularity": ("1", "regularity of the phase from frame to frame", "Fisher 1993"),
    "phase_frequency_regularity": ("1", "regularity of the phase from bin to bin (group delay)", "Fisher 1993"),
    "coherence": ("1", "coherence of left and right", "Carter 1987"),
    "side_level": ("dB", "level of the side over the middle channel", _OWN),
}
_WHOLE: dict[str, tuple[str, str, str]] = {
    "comb_strength": ("1", "equally spaced lines above 4 kHz: how strong", _OWN),
    "comb_spacing": ("Hz", "equally spaced lines above 4 kHz: how far apart", _OWN),
    "comb_contrast": ("1", "best comb spacing against all others", _OWN),
    "comodulation_low": ("1", "correlation in time of neighbouring 500 Hz bands, 2-6 kHz", _OWN),
    "comodulation_mid": ("1", "correlation in time of neighbouring 500 Hz bands, 6-10 kHz", _OWN),
    "comodulation_high": ("1", "correlation in time of neighbouring 500 Hz bands, 10-16 kHz", _OWN),
}


_STEREO = ("coherence", "side_level")  # being mono, or wide, tells of genre and era more than of a maker


def _catalogue() -> tuple[Feature, ...]:
    found = []
    for prefix, words in (("", ""), (VOCAL, ", where a voice dominates")):
        for stat, (unit, meaning, source) in _MEANINGS.items():
            if prefix and stat.startswith(("modulation", "momentary")):  # needs frames without gaps between them
                continue
            for low, high in BANDS:
                name = f"{prefix}{stat}_{low}k_{high}k"
                scored = stat not in _STEREO
                found.append(Feature(name, "shimmer", unit, f"{meaning}, {low}-{high} kHz{words}", source, scored))
        for name, (unit, meaning, source) in _WHOLE.items():
            scored = name != "comb_spacing"
            found.append(Feature(prefix + name, "shimmer", unit, meaning + words, source, scored))
    return tuple(found)


FEATURES = _catalogue()
"""Catalogue of this family, in the order of a feature table."""
