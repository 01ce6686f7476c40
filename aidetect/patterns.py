"""Local patterns in the fine structure of the spectrum, wherever they lie and however fast the music is played.

The detail vector is filtered with small three-valued kernels at several dilations, as ROCKET does with time series
(Dempster, Schmidt, Webb: MiniRocket, KDD 2021). What counts is how often a kernel's answer passes a threshold within a
wide band, not where.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from . import shimmer
from .analysis import GRID

__all__ = ["WIDTH", "patterns"]

Floats = npt.NDArray[np.float32]

_EDGES = (1000, 2500, 5000, 8000, 12000, 16000)  # Hz, of the zones
_DILATIONS = (1, 2, 4, 8, 16, 32)  # grid points: details from 3 to 700 Hz wide
_KERNELS = tuple(combinations(range(9), 3))[::3]  # every third of the 84 kernels of MiniRocket
_THRESHOLDS = (1.5, 3.5, 6.5)  # in units of the kernel's spread for white details over three
WIDTH = (len(_EDGES) - 1) * len(_DILATIONS) * len(_KERNELS) * len(_THRESHOLDS)
"""Number of values :func:`patterns` returns."""


def patterns(details: Floats) -> Floats:
    """Share of points in each zone at which each kernel's answer passes each threshold.

    Parameters
    ----------
    details : ndarray, shape (tracks, len(GRID))
        Fine structure in dB, NaN beyond the bandwidth.

    Returns
    -------
    ndarray of float32, shape (tracks, WIDTH)
        NaN in zones that lie mostly beyond the bandwidth.
    """
    out = np.empty((len(details), WIDTH), dtype=np.float32)
    for start in range(0, len(details), 256):  # keeps the memory of a large table small
        part = slice(start, start + 256)
        out[part] = _patterns(details[part])
    return out


def _patterns(details: Floats) -> Floats:
    there = np.isfinite(details)
    x = shimmer.levelled(details)
    starts = np.searchsorted(GRID, _EDGES[:-1])
    counts = np.add.reduceat(there, starts, axis=1, dtype=np.int32)
    usable = counts > 0.5 * np.diff(np.append(starts, len(GRID)))
    per_point = np.where(usable, 1.0 / np.maximum(counts, 1), np.nan).astype(np.float32)
    thresholds = np.array(_THRESHOLDS, dtype=np.float32)[:, None, None]
    columns: list[Floats] = []
    for dilation in _DILATIONS:
        reach = 4 * dilation
        padded = np.pad(x, ((0, 0), (reach, reach)))
        taps = [padded[:, i * dilation : i * dilation + x.shape[1]] for i in range(9)]
        total = np.sum(taps, axis=0)
        total[~there] = np.inf  # no answer there passes anything
        for i, j, k in _KERNELS:
            answer = np.float32(3.0) * (taps[i] + taps[j] + taps[k]) - total
            passed = answer > thresholds
            columns.extend(np.add.reduceat(passed, starts, axis=2, dtype=np.int32) * per_point)
    return np.concatenate(columns, axis=1)
