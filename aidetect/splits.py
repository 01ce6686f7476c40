"""Splits and weights: what must stay on one side, and how much each track counts."""

from __future__ import annotations

import collections

import numpy as np
import numpy.typing as npt

from .dataset import FeatureTable
from .kin import family_of

__all__ = [
    "FOLDS",
    "MIN_SOURCES",
    "family_folds",
    "family_weights",
    "fewest_groups",
    "folds_of",
    "row_weights",
    "split_groups",
]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FOLDS = 5
MIN_SOURCES = 3
"""Least number of sources per class, from which rates on unseen sources can be told at all."""
COPY_WEIGHT = 0.35
"""Weight of an altered copy of a track: it is shorter and poorer than the track."""
FAMILY_FOLDS = 8
"""Parts into which families of generators are dealt to learn what evidence is worth where they are unknown."""


def split_groups(table: FeatureTable) -> Ints:
    """Number the sets of tracks that must stay on one side of a split.

    Tracks belong together that share a source, a group (versions of one song), or a title.

    Returns
    -------
    ndarray of int64, shape (tracks,)
    """
    parent: dict[str, str] = {}

    def root(x: str) -> str:
        while parent.setdefault(x, x) != x:
            x = parent[x]
        return x

    for row in table.rows:
        own = root("source:" + row["source"])
        title = row.get("title", "").casefold()
        for key in (row["group"] and "group:" + row["group"], title not in ("", "untitled") and "title:" + title):
            if key:
                parent[own] = root(key)
                own = root(key)
    roots = [root("source:" + row["source"]) for row in table.rows]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(roots))}
    return np.array([numbers[name] for name in roots], dtype=np.int64)


def fewest_groups(table: FeatureTable) -> int:
    """Count the sets of :func:`split_groups` in the class that has fewer of them: more folds cannot be dealt."""
    ai, groups = table.column("label") == "ai", split_groups(table)
    return min(len(set(groups[side].tolist())) for side in (ai, ~ai))


def folds_of(table: FeatureTable, *, folds: int = FOLDS, seed: int = 0) -> Ints:
    """Deal the groups of a table into folds of about equal numbers of both classes."""
    from sklearn.model_selection import StratifiedGroupKFold

    ai = table.column("label") == "ai"
    number = np.zeros(len(table), dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for i, (_, test) in enumerate(splitter.split(ai, ai, split_groups(table))):
        number[test] = i
    return number


def family_folds(table: FeatureTable, *, folds: int = FAMILY_FOLDS, seed: int = 0) -> Ints | None:
    """Deal families of generators into folds, the biggest apart, together with sources of people's music."""
    ai = table.column("label") == "ai"
    plain = table.column("variant") == ""
    family = np.array([family_of(name) for name in table.column("generator").tolist()])
    counts = collections.Counter(family[ai & plain].tolist())
    counts.pop("", None)
    folds = min(folds, len(counts), len(set(table.column("source")[~ai].tolist())))
    if folds < MIN_SOURCES:
        return None
    biggest = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    order = [*biggest[:folds], *np.random.default_rng(seed).permutation(biggest[folds:]).tolist()]
    number = {name: i % folds for i, name in enumerate(order)}
    fold = folds_of(table, folds=folds, seed=seed)
    fold[ai] = [number.get(name, -1) for name in family[ai].tolist()]
    return fold


def row_weights(table: FeatureTable, *, copies: float = COPY_WEIGHT) -> Floats:
    """Weights that keep a big source or generator from dominating; both classes weigh the same in all.

    A source of n tracks counts as the square root of n; within AI, a generator of m tracks is divided once more by the
    fourth root of m. Altered copies count `copies` of a plain track.
    """
    ai = table.column("label") == "ai"
    plain = table.column("variant") == ""
    sources, generators = table.column("source").tolist(), table.column("generator").tolist()
    of_source, of_generator = collections.Counter(sources), collections.Counter(generators)
    weight = np.array([of_source[name] ** -0.5 for name in sources])
    weight *= np.where(ai, [of_generator[name] ** -0.25 for name in generators], 1.0)
    weight *= np.where(plain, 1.0, copies)
    for side in (ai, ~ai):
        if side.any():
            weight[side] *= 0.5 * len(weight) / weight[side].sum()
    return weight.astype(np.float32)


def family_weights(table: FeatureTable, *, copies: float = COPY_WEIGHT) -> Floats:
    """Weights of :func:`row_weights` that keep big families from dominating, by the power of -0.3 of their size."""
    ai = table.column("label") == "ai"
    family = [family_of(name) for name in table.column("generator").tolist()]
    size = collections.Counter(name for name, a in zip(family, ai, strict=True) if a)
    weight = row_weights(table, copies=copies) * np.array(
        [size[f] ** -0.3 if a else 1.0 for f, a in zip(family, ai, strict=True)]
    )
    weight[ai] *= weight[~ai].sum() / max(float(weight[ai].sum()), 1e-9)
    return weight.astype(np.float32)
