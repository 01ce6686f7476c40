"""The parts a detector is made of: small models that each look at a track in one way.

Training builds them with scikit-learn; here they are plain arrays, and scoring needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import modulation, shimmer
from .analysis import GRID
from .extraction import TrackFeatures
from .features import feature_number

__all__ = [
    "NO_SIGNATURE",
    "SIGNATURE_OF",
    "VIEWS",
    "WIDTHS",
    "Evidence",
    "LinearExpert",
    "NetworkExpert",
    "SignaturesExpert",
    "TreesExpert",
    "Views",
    "centred",
    "signature_input",
    "signature_parts",
    "standardise",
]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

VIEWS = ("peaks", "levelled", "modulation", "values")
"""Ways to look at a track: lines over the hull, fine structure over its spread, lines in the envelope,
single features."""

SIGNATURE_OF = "signature of "
"""How evidence begins that names a generator."""
NO_SIGNATURE = f"{SIGNATURE_OF}any known generator"
"""Evidence where none fits."""

WIDTHS = {"peaks": len(GRID), "levelled": len(GRID), "modulation": len(modulation.RATES)}
"""Width of the views that are no single features."""

_CLIP = 5.0  # standard deviations a single feature may lie out
_REGIONS = ((1, 2), (2, 4), (4, 6), (6, 8), (8, 11), (11, 14), (14, 16))  # kHz, in which lines are explained


class Views:
    """The views of some tracks, computed when first asked for.

    Parameters
    ----------
    values : ndarray, shape (tracks, features)
        Columns in the order of :func:`aidetect.describe_features`.
    details : ndarray of int8, shape (tracks, len(GRID))
        As in :class:`~aidetect.extraction.TrackFeatures`.
    modulation : ndarray of int8, shape (tracks, len(RATES))
        As in :class:`~aidetect.extraction.TrackFeatures`.

    Attributes
    ----------
    doubted : ndarray of bool, shape (tracks,)
        Of which a change of speed was undone that is :func:`~aidetect.alignment.doubted`.
    """

    def __init__(self, values: Floats, details: npt.NDArray[np.int8], modulation: npt.NDArray[np.int8]) -> None:
        self.values = values
        self.doubted = np.zeros(len(values), dtype=bool)
        self._details = details
        self._modulation = modulation
        self._made: dict[str, Floats] = {}

    @classmethod
    def of(cls, tracks: Sequence[TrackFeatures]) -> Views:
        """Return the views of measured tracks, as precise as a feature table keeps them."""
        values = np.array([list(track.values.values()) for track in tracks], dtype=np.float16).astype(np.float32)
        return cls(values, np.array([t.details for t in tracks]), np.array([t.modulation for t in tracks]))

    def __len__(self) -> int:
        return len(self.values)

    def prepared(self) -> Views:
        """Make every view now, so that threads which share them do not each make their own."""
        for view in VIEWS:
            self.get(view)
        return self

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Views:
        """Return the views of some of the tracks, by a mask or numbers."""
        found = Views(self.values[rows], self._details[rows], self._modulation[rows])
        found.doubted = self.doubted[rows]
        found._made = {view: made[rows] for view, made in self._made.items()}
        return found

    def undone(self, speed: Floats, *, doubted: npt.NDArray[np.bool_] | None = None) -> Views:
        """Return the views that tracks would give without a change of speed.

        Parameters
        ----------
        speed : ndarray, shape (tracks,)
            Factor to undo: above 1 where a track was sped up. Single features stay as they are.
        doubted : ndarray of bool, shape (tracks,), optional
            Where that factor is in doubt; by default nowhere.
        """
        moved = np.flatnonzero(speed != 1.0)
        if not len(moved):
            return self
        details = _stretched(shimmer.restore(self._details[moved]), GRID, speed[moved])
        rates = _stretched(modulation.restore(self._modulation[moved]), modulation.RATES, speed[moved])
        found = Views(self.values, self._details, self._modulation)
        if doubted is not None:
            found.doubted = doubted
        for view, made in (
            ("peaks", shimmer.peak_residue(details)),
            ("levelled", _lines_and_gaps(details)),
            ("modulation", np.nan_to_num(rates)),
        ):
            found._made[view] = self.get(view).copy()
            found._made[view][moved] = made
        return found

    def get(self, view: str) -> Floats:
        """Return the matrix of one of :data:`VIEWS`, shape (tracks, width)."""
        if view == "values":
            return self.values
        if view == "modulation" and view not in self._made:
            self._made[view] = modulation.restore(self._modulation)
        if view not in self._made:
            made = {"peaks": shimmer.peak_residue, "levelled": _lines_and_gaps}[view]
            self._made[view] = made(shimmer.restore(self._details))
        return self._made[view]


def _stretched(x: Floats, axis: Floats, factor: Floats) -> Floats:
    """What lies at a frequency times the track's factor, for every frequency of an axis; NaN beyond its ends."""
    freqs = axis.astype(np.float64)
    pairs = zip(x, factor.tolist(), strict=True)
    rows = [np.interp(freqs * times, freqs, row, left=np.nan, right=np.nan) for row, times in pairs]
    return np.array(rows, dtype=np.float32)


def _lines_and_gaps(details: Floats) -> Floats:
    return np.clip(shimmer.levelled(details), -3.0, 5.0)


@dataclass(frozen=True)
class Evidence:
    """One thing that moved an answer.

    Attributes
    ----------
    name : str
        Feature, or region of the spectrum.
    weight : float
        What it added to the log-odds of AI.
    value : float
        The feature's value; NaN for a region.
    """

    name: str
    weight: float
    value: float


def _named(columns: tuple[str, ...], parts: npt.NDArray[np.floating], views: Views) -> list[Evidence]:
    """Pair what each feature adds with its name and its value on the first track."""
    values = views.values[0]
    return [
        Evidence(name, float(part), float(values[feature_number(name)]))
        for name, part in zip(columns, parts, strict=True)
    ]


def standardise(x: Floats, mean: Floats, scale: Floats) -> Floats:
    """Centre and scale features; what is missing becomes 0, outliers are limited to five standard deviations."""
    return np.clip(np.nan_to_num((x - mean) / scale, nan=0.0), -_CLIP, _CLIP).astype(np.float32)


@dataclass(frozen=True, eq=False)
class LinearExpert:
    """A weighted sum.

    Attributes
    ----------
    name, family, view : str
        What it is called, which family it speaks for, and what it looks at.
    columns : tuple of str
        For the view ``"values"``: the features used; else empty.
    mean, scale, weights : ndarray, shape (width,)
        Of the standardised input. A single feature that is missing counts as the mean; lines where nothing is heard
        are 0.
    bias : float
        Log-odds at the mean.
    """

    name: str
    family: str
    view: str
    columns: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: float

    def _standard(self, views: Views) -> Floats:
        x = views.get(self.view)
        if self.view == "values":
            x = x[:, [feature_number(name) for name in self.columns]]
        return self.standardise(x)

    def standardise(self, x: Floats) -> Floats:
        """Centre and scale raw input of shape (tracks, width)."""
        if self.view == "values":
            return standardise(x, self.mean, self.scale)
        return ((x - self.mean) / self.scale).astype(np.float32)

    def score(self, views: Views) -> Floats:
        """Log-odds of every track, shape (tracks,)."""
        # A sum instead of a matrix product: BLAS would start threads for it.
        return (self._standard(views) * self.weights).sum(axis=1) + np.float32(self.bias)

    def explain(self, views: Views) -> list[Evidence]:
        """What moved the answer on the first track."""
        parts = self._standard(views)[0] * self.weights
        if self.view == "values":
            return _named(self.columns, parts, views)
        if self.view == "modulation":
            return [Evidence("lines in the envelope", float(parts.sum()), float("nan"))]
        return [
            Evidence(
                f"lines at {low}-{high} kHz",
                float(parts[(1000 * low <= GRID) & (1000 * high > GRID)].sum()),
                float("nan"),
            )
            for low, high in _REGIONS
        ]


@dataclass(frozen=True, eq=False)
class NetworkExpert:
    """A network with one hidden layer of rectified units.

    Attributes
    ----------
    name, family : str
        What it is called and which family it speaks for.
    columns : tuple of str
        Features it reads.
    mean, scale : ndarray, shape (columns,)
        Of the standardised input; what is missing counts as the mean.
    hidden : ndarray, shape (columns, units)
        Weights of the hidden layer.
    offsets, weights : ndarray, shape (units,)
        Offsets of the hidden units, and what each adds to the log-odds.
    bias : float
        Log-odds where every unit is silent.
    """

    name: str
    family: str
    columns: tuple[str, ...]
    mean: Floats
    scale: Floats
    hidden: Floats
    offsets: Floats
    weights: Floats
    bias: float

    @property
    def view(self) -> str:
        """What it looks at."""
        return "values"

    def _standard(self, views: Views) -> Floats:
        x = views.values[:, [feature_number(name) for name in self.columns]]
        return standardise(x, self.mean, self.scale)

    def score(self, views: Views) -> Floats:
        """Log-odds of every track, shape (tracks,)."""
        units = np.maximum(self._standard(views) @ self.hidden + self.offsets, 0.0)
        return (units * self.weights).sum(axis=1) + np.float32(self.bias)

    def explain(self, views: Views) -> list[Evidence]:
        """What moved the answer on the first track: input times gradient."""
        z = self._standard(views)[0]
        active = (z[:, None] * self.hidden).sum(axis=0) + self.offsets > 0.0
        parts = z * (self.hidden[:, active] * self.weights[active]).sum(axis=1)
        return _named(self.columns, parts, views)


@dataclass(frozen=True, eq=False)
class SignaturesExpert:
    """How well the track fits what each known generator has that people's music has not; the best fit counts.

    One sum for all generators blurs their lines into each other; a filter per generator keeps them apart, and another
    generator is one more column. A filter has three parts, for fine structure, envelope and single features. The last
    two may add up to `limit` only: a steady pulse at a generator's rate is soon met by chance, lines at a thousand
    places are not.

    Attributes
    ----------
    name, family : str
        What it is called and which family it speaks for.
    columns : tuple of str
        Single features it reads beside the lines of spectrum and envelope.
    generators : tuple of str
        Whose signatures it knows.
    mean, scale : ndarray, shape (width,)
        Of people's music: fine structure, envelope, single features. A single feature that is missing counts as the
        mean; lines where nothing is heard are 0.
    filters : ndarray, shape (width, generators)
        Matched filters, in standard deviations of people's music.
    offsets : ndarray, shape (3, generators)
        What brings the median of people's music to 0 in every part.
    limit : float
        Most that the envelope, and the single features, may add to a fit.
    abstains : bool
        Whether it says nothing where the speed of a track is in doubt. The speed was chosen for its best fit among
        thousands, which is as high for some of people's music: there the other experts are to tell what they see.
    """

    name: str
    family: str
    columns: tuple[str, ...]
    generators: tuple[str, ...]
    mean: Floats
    scale: Floats
    filters: Floats
    offsets: Floats
    limit: float
    abstains: bool = True

    @property
    def view(self) -> str:
        """What it looks at."""
        return "values"

    @property
    def bias(self) -> float:
        """Its score where the track is as people's music mostly is."""
        return 0.0

    def fits(self, views: Views) -> Floats:
        """Fit of every signature in standard deviations of people's music, shape (tracks, generators)."""
        x = centred(signature_input(views, self.columns), self.mean, self.scale, singles=len(self.columns))
        found, *others = (
            x[:, part] @ self.filters[part] + offsets
            for part, offsets in zip(signature_parts(len(self.columns)), self.offsets, strict=True)
        )
        for part in others:
            found += np.minimum(part, np.float32(self.limit))
        return found

    def score(self, views: Views) -> Floats:
        """Fit of the best signature, shape (tracks,); NaN where it abstains."""
        found: Floats = self.fits(views).max(axis=1)
        return np.where(views.doubted, np.float32(np.nan), found) if self.abstains else found

    def explain(self, views: Views) -> list[Evidence]:
        """Which signature the first track fits best, and how well."""
        fits = self.fits(views)[0]
        best = int(fits.argmax())
        name = f"{SIGNATURE_OF}{self.generators[best]}" if fits[best] > 0.0 else NO_SIGNATURE
        return [Evidence(name, float(fits[best]), float("nan"))]


def signature_input(views: Views, columns: tuple[str, ...]) -> Floats:
    """Join fine structure, envelope and single features, shape (tracks, width)."""
    chosen = [feature_number(name) for name in columns]
    return np.concatenate([views.get("levelled"), views.get("modulation"), views.values[:, chosen]], axis=1)


def signature_parts(singles: int) -> tuple[slice, slice, slice]:
    """Where fine structure, envelope and `singles` single features lie in :func:`signature_input`."""
    first, second = len(GRID), len(GRID) + len(modulation.RATES)
    return slice(0, first), slice(first, second), slice(second, second + singles)


def centred(x: Floats, mean: Floats, scale: Floats, *, singles: int) -> Floats:
    """Centre lines, standardise the last columns, which are single features."""
    lines = x.shape[1] - singles
    return np.concatenate([x[:, :lines] - mean[:lines], standardise(x[:, lines:], mean[lines:], scale[lines:])], axis=1)


@dataclass(frozen=True, eq=False)
class TreesExpert:
    """A sum of regression trees.

    Attributes
    ----------
    name, family : str
        What it is called and which family it speaks for.
    columns : tuple of str
        Features it reads.
    fill : ndarray, shape (columns,)
        What stands for a missing feature: its median in training, so that being missing says nothing.
    roots : ndarray, shape (trees,)
        Number of the first node of every tree.
    feature, left, right : ndarray, shape (nodes,)
        Column that is compared (-1 in a leaf) and the nodes to go on with.
    threshold, value : ndarray, shape (nodes,)
        Go left where the feature is not above the threshold; log-odds in a leaf, their mean in other nodes.
    bias : float
        Log-odds before any tree.
    """

    name: str
    family: str
    columns: tuple[str, ...]
    fill: Floats
    roots: Ints
    feature: Ints
    left: Ints
    right: Ints
    threshold: Floats
    value: Floats
    bias: float

    @property
    def view(self) -> str:
        """What it looks at."""
        return "values"

    def _inputs(self, views: Views) -> Floats:
        x = views.values[:, [feature_number(name) for name in self.columns]]
        return np.where(np.isfinite(x), x, self.fill).astype(np.float32)

    def score(self, views: Views) -> Floats:
        """Log-odds of every track, shape (tracks,)."""
        x = self._inputs(views)
        node = np.broadcast_to(self.roots, (len(x), len(self.roots))).copy()
        rows = np.arange(len(x))[:, None]
        while True:
            column = self.feature[node]
            inner = column >= 0
            if not inner.any():
                return self.value[node].sum(axis=1) + np.float32(self.bias)
            below = x[rows, np.maximum(column, 0)] <= self.threshold[node]
            node = np.where(inner, np.where(below, self.left[node], self.right[node]), node)

    def explain(self, views: Views) -> list[Evidence]:
        """What moved the answer on the first track: changes of the mean along each tree's path."""
        x = self._inputs(views)[0]
        moved = np.zeros(len(self.columns))
        node = self.roots.copy()
        while (self.feature[node] >= 0).any():
            inner = self.feature[node] >= 0
            at, column = node[inner], self.feature[node[inner]]
            following = np.where(x[column] <= self.threshold[at], self.left[at], self.right[at])
            np.add.at(moved, column, self.value[following] - self.value[at])
            node[inner] = following
        return _named(self.columns, moved, views)
