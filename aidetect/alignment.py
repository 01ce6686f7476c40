"""Alignment: at which speed a known signature fits a track.

Who plays a recording faster multiplies every frequency by one factor, and lines at known places are missed, however
strong. On a logarithmic axis a factor is a shift: the filters of signatures, slid along the spectrum of a track, give
their fits at every speed. Where one has met the decoder, one speed stands out sharply against all others; for people's
music the curve is noise. So the search does not take the highest fit, which is high for everything once there are
thousands to choose from, but the highest peak over the curve's own spread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import uniform_filter1d

from .analysis import GRID
from .experts import SignaturesExpert, Views, signature_parts

__all__ = [
    "LEAST_FIT",
    "REACH",
    "SURE_FIT",
    "believed",
    "curves",
    "doubted",
    "filter_spectra",
    "fits",
    "likely_speeds",
    "speeds",
]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Spectra = npt.NDArray[np.complex64]

LEAST_FIT = 8.0
"""Fit from which on a speed is believed. About one in fifty of people's tracks, of sources that experts do not know,
reaches it at some speed (benchmarks/alignment.py); at 14, which two in 1,000 reach, a change of pitch hid most of
the lines that are still there. In between, signatures abstain: it was their fit that chose the speed."""

SURE_FIT = 14.0
"""Fit from which on a track may be called AI at the speed that was found: two in a thousand of people's reach it."""

REACH = 0.13
"""Natural logarithm of the greatest speed looked for: just over two semitones, and 48 kHz played at 44.1."""

_STEP = 1.5e-4  # of that logarithm: half a line's width at 10 kHz
_TREND = 0.022  # the same: what changes more slowly is no line
_STANDING = 6e-4  # the same: as near to 1 as a file of its own speed comes
_LEAST_SPREAD = 0.02  # spreads of people's music
_LAGS = round(REACH / _STEP)
_BATCH = 32  # tracks


def speeds(views: Views, experts: Iterable[object], *, least_fit: float = LEAST_FIT) -> Floats:
    """Tell how much faster than it was made each track plays.

    Parameters
    ----------
    views : Views
        Of the tracks.
    experts : iterable
        Of a detector; those that know signatures are used.
    least_fit : float
        What a fit must exceed to be believed.

    Returns
    -------
    ndarray of float32, shape (tracks,)
        1 where no other speed stands out, above 1 where a track was sped up.
    """
    return believed(*likely_speeds(views, experts), least_fit=least_fit)


def believed(speed: Floats, fit: Floats, *, least_fit: float = LEAST_FIT) -> Floats:
    """Of likely speeds, those whose fit exceeds the least; 1 elsewhere."""
    return np.where(fit > least_fit, speed, np.float32(1.0))


def doubted(fit: Floats, *, least_fit: float = LEAST_FIT) -> Mask:
    """Which likely speeds are believed, but not for sure: enough to judge a track by, too little to call it AI."""
    found: Mask = (fit > least_fit) & (fit <= SURE_FIT)
    return found


def likely_speeds(views: Views, experts: Iterable[object]) -> tuple[Floats, Floats]:
    """Find the speed at which a signature fits best, and how well.

    Parameters
    ----------
    views, experts
        As in :func:`speeds`.

    Returns
    -------
    speed : ndarray of float32, shape (tracks,)
        Within two semitones.
    fit : ndarray of float32, shape (tracks,)
        Height of the peak over the spread of the curve; 0 where the track's own speed is the best.
    """
    known = [expert for expert in experts if isinstance(expert, SignaturesExpert)]
    speed, fit = np.ones(len(views), dtype=np.float32), np.zeros(len(views), dtype=np.float32)
    if not known:
        return speed, fit
    views.get("levelled")  # made once, and kept for those who score it
    for start in range(0, len(views), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(views)))
        found = fits(views.take(rows), known)
        place = _peak(found)
        moved = np.abs(place) > _STANDING
        speed[rows] = np.where(moved, np.exp(place), 1.0)
        fit[rows] = np.where(moved, found.max(axis=1), 0.0)
    return speed, fit


def fits(views: Views, experts: Iterable[SignaturesExpert]) -> Floats:
    """Tell how well the fine structure of a track fits at every speed.

    Parameters
    ----------
    views : Views
        Of the tracks.
    experts : iterable of SignaturesExpert
        At least one.

    Returns
    -------
    ndarray of float32, shape (tracks, speeds)
        Highest of the signatures' :func:`curves` over their spreads; speeds in equal steps of the logarithm, within
        plus and minus :data:`REACH`.
    """
    best = np.full((len(views), 2 * _LAGS + 1), -np.inf, dtype=np.float32)
    for expert in experts:
        lines, *_ = signature_parts(len(expert.columns))
        by_track = curves(views.get("levelled") - expert.mean[lines], _spectra_of(expert))
        for highest, found in zip(best, by_track, strict=True):
            np.maximum(highest, _over_spread(found).max(axis=0), out=highest)
    return best


def curves(x: Floats, spectra: Spectra) -> Iterator[Floats]:
    """Apply filters to tracks as if each had been played at other speeds.

    Parameters
    ----------
    x : ndarray, shape (tracks, len(GRID))
        Fine structure.
    spectra : ndarray of complex64, shape (filters, bins)
        From :func:`filter_spectra`.

    Yields
    ------
    ndarray of float32, shape (filters, speeds)
        Of one track after the other, the weighted sums for speeds in equal steps of the logarithm; the middle one is 1.

    References
    ----------
    Casasent, Psaltis: Position, rotation, and scale invariant optical correlation. Applied Optics 15, 1976 (a change of
    scale is a shift of the logarithm).
    """
    axis = _axis()
    logarithmic = x[:, axis.below] * (1.0 - axis.part) + x[:, axis.below + 1] * axis.part
    track = scipy.fft.rfft(logarithmic, axis.padded)
    for spectrum in track:
        found = scipy.fft.irfft(spectrum * spectra, axis.padded)
        yield np.concatenate([found[:, -_LAGS:], found[:, : _LAGS + 1]], axis=1)


def filter_spectra(filters: Floats) -> Spectra:
    """Transform filters for :func:`curves`.

    Parameters
    ----------
    filters : ndarray, shape (len(GRID), filters)
        Weights.

    Returns
    -------
    ndarray of complex64, shape (filters, bins)
        Conjugate spectra over the logarithmic axis.
    """
    axis = _axis()
    found = np.empty((filters.shape[1], axis.padded // 2 + 1), dtype=np.complex64)
    for spectrum, weights in zip(found, filters.T, strict=True):
        # The transpose of the interpolation: with it, a shift's sum is that of the weights and the interpolated view.
        spread = np.bincount(axis.point, weights * (1.0 - axis.beyond), axis.length)
        spread += np.bincount(axis.point + 1, weights * axis.beyond, axis.length)
        spectrum[:] = np.conj(scipy.fft.rfft(spread.astype(np.float32), axis.padded))
    return found


_KEPT: WeakKeyDictionary[SignaturesExpert, Spectra] = WeakKeyDictionary()


def _spectra_of(expert: SignaturesExpert) -> Spectra:
    """Spectra of an expert's filters, made once and kept as long as it."""
    found = _KEPT.get(expert)
    if found is None:
        lines, *_ = signature_parts(len(expert.columns))
        found = _KEPT[expert] = filter_spectra(expert.filters[lines])
    return found


def _peak(curves: Floats) -> npt.NDArray[np.float64]:
    """Logarithm of the speed at which each curve is highest, by a parabola through the three points at the top."""
    top = np.clip(curves.argmax(axis=1), 1, curves.shape[1] - 2)
    rows = np.arange(len(curves))
    before, here, after = (curves[rows, top + step].astype(np.float64) for step in (-1, 0, 1))
    bend = np.minimum(before - 2.0 * here + after, -1e-9)
    return (top - _LAGS + np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) * _STEP


def _over_spread(curves: Floats) -> Floats:
    """Curves without their slow course, in robust standard deviations."""
    fine = curves - uniform_filter1d(curves, round(_TREND / _STEP) | 1, axis=1)
    return fine / (1.4826 * np.median(np.abs(fine), axis=1, keepdims=True) + _LEAST_SPREAD)


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis over an even one, and the way between them.

    Attributes
    ----------
    length : int
        Points of the logarithmic axis.
    padded : int
        Points with which a transform is fast and shifts do not run into each other.
    below, part : ndarray, shape (length,)
        Even point at or below each logarithmic one, and how far on it lies to the next.
    point, beyond : ndarray, shape (len(GRID),)
        The same the other way.
    """

    length: int
    padded: int
    below: npt.NDArray[np.int64]
    part: Floats
    point: npt.NDArray[np.int64]
    beyond: npt.NDArray[np.float64]


@lru_cache(maxsize=1)
def _axis() -> _Axis:
    even = GRID.astype(np.float64)
    logarithmic = np.arange(np.log(even[0]), np.log(even[-1]), _STEP)
    below, part = _between((np.exp(logarithmic) - even[0]) / (even[1] - even[0]), len(even))
    point, beyond = _between((np.log(even) - np.log(even[0])) / _STEP, len(logarithmic))
    padded = scipy.fft.next_fast_len(len(logarithmic) + _LAGS, real=True)
    return _Axis(len(logarithmic), padded, below, part.astype(np.float32), point, beyond)


def _between(position: npt.NDArray[np.float64], size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    below = np.minimum(position.astype(np.int64), size - 2)
    return below, position - below
