"""What lies too far from the music a detector learned from to be judged by it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import shimmer
from .features import describe_features, feature_number

__all__ = ["KnownRange", "fit_range", "limit_of"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_TAIL = 0.005  # share of the training tracks left out at each end of a feature's range
_STRANGE = 0.995  # share of tracks of unseen sources that must pass


@dataclass(frozen=True, eq=False)
class KnownRange:
    """Ranges in which the features of training tracks lie.

    Attributes
    ----------
    columns : tuple of str
        Features looked at.
    low, high : ndarray, shape (columns,)
        Where the outer half percent of the training tracks begins at each end.
    limit : float
        Largest share of features outside their range that a track may have.
    """

    columns: tuple[str, ...]
    low: Floats
    high: Floats
    limit: float

    def share_outside(self, values: Floats) -> Floats:
        """Share of the features that lie outside their range, of those that could be measured.

        Parameters
        ----------
        values : ndarray, shape (tracks, features)
            Columns in the order of :func:`aidetect.describe_features`.

        Returns
        -------
        ndarray of float32, shape (tracks,)
        """
        x = values[:, [feature_number(name) for name in self.columns]]
        outside = (x < self.low) | (x > self.high)
        share: Floats = (outside.sum(axis=1) / np.maximum(np.isfinite(x).sum(axis=1), 1)).astype(np.float32)
        return share

    def strange(self, values: Floats) -> Mask:
        """Which tracks are unlike anything in training; parameters as in :meth:`share_outside`."""
        return self.share_outside(values) > self.limit


def fit_range(values: Floats, *, limit: float = 1.0) -> KnownRange:
    """Take the ranges from training tracks.

    Features of the voice are left out, since most tracks lack some of them.

    Parameters
    ----------
    values : ndarray, shape (tracks, features)
        Columns in the order of :func:`aidetect.describe_features`.
    limit : float
        As in :class:`KnownRange`; see :func:`limit_of`.
    """
    columns = tuple(
        f.name
        for f in describe_features()
        if f.scored and f.family != "vocals" and not f.name.startswith(shimmer.VOCAL)
    )
    x = values[:, [feature_number(name) for name in columns]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature that is missing everywhere
        low, high = np.nanquantile(x, (_TAIL, 1.0 - _TAIL), axis=0).astype(np.float32)
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    big = np.finfo(np.float32).max
    return KnownRange(columns, np.maximum(low, -big), np.minimum(high, big), limit)


def limit_of(shares: Floats) -> float:
    """Limit that all but half a percent of tracks of unseen sources keep, given their shares outside the range."""
    return float(np.quantile(shares, _STRANGE)) if len(shares) else 1.0
