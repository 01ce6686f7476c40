"""Training: experts on labelled tracks, a combiner on predictions for unseen sources, thresholds on their errors."""

from __future__ import annotations

import collections
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .dataset import FeatureTable, build_table, concatenate, load_table
from .detector import Combiner, Detector, Expert, combine, default_model_path, narrow
from .errors import TrainingError
from .experts import LinearExpert, Views
from .features import describe_features
from .fitting import RECIPES, VOCAL_ONLY, Recipe, fit_expert, fit_gate
from .labels import CLASSES, LabelledTrack, from_folders, read_labels
from .novelty import KnownRange, fit_range, limit_of
from .store import FeatureStore
from .verdicts import choose_thresholds

__all__ = [
    "OutOfSource",
    "add_generator",
    "fit_combiners",
    "fit_detector",
    "fold_detectors",
    "out_of_source",
    "row_weights",
    "split_groups",
    "train",
    "with_addition",
]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

FOLDS = 5
MIN_SOURCES = 3
"""Least number of sources per class, from which rates on unseen sources can be told at all."""
ADDITION_SHARE = 0.15
"""Least weight of a generator that is added, as a share of all AI tracks."""
COPY_WEIGHT = 0.35
"""Weight of an altered copy of a track: it is shorter and poorer than the track."""
_LEAST_SPREAD = 0.1  # log-odds: an expert that says nearly the same of every track must not be blown up
_MIN_TRACKS = 8


# ---------------------------------------------------------------------------------------------------------------
# Splits and weights
# ---------------------------------------------------------------------------------------------------------------


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


def row_weights(table: FeatureTable) -> Floats:
    """Weights that keep a big source or generator from dominating; both classes weigh the same in all.

    A source of n tracks counts as the square root of n; within AI, a generator of m tracks is divided once more by the
    fourth root of m. Altered copies count :data:`COPY_WEIGHT` of a plain track.
    """
    ai = table.column("label") == "ai"
    plain = table.column("variant") == ""
    sources, generators = table.column("source").tolist(), table.column("generator").tolist()
    of_source, of_generator = collections.Counter(sources), collections.Counter(generators)
    weight = np.array([of_source[name] ** -0.5 for name in sources])
    weight *= np.where(ai, [of_generator[name] ** -0.25 for name in generators], 1.0)
    weight *= np.where(plain, 1.0, COPY_WEIGHT)
    for side in (ai, ~ai):
        if side.any():
            weight[side] *= 0.5 * len(weight) / weight[side].sum()
    return weight.astype(np.float32)


# ---------------------------------------------------------------------------------------------------------------
# Predictions on unseen sources
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OutOfSource:
    """Predictions for tracks by models that saw nothing of their sources.

    Attributes
    ----------
    scores : Mapping of str to ndarray, shape (tracks,)
        Log-odds of every expert.
    sings : ndarray of bool, shape (tracks,)
        What the gate said.
    fold : ndarray of int, shape (tracks,)
        Which fold each track was tested in.
    experts : Mapping of int to tuple
        The experts that did not see each fold.
    gates : Mapping of int to LinearExpert
        The gates that did not see each fold.
    known : Mapping of int to KnownRange
        What the tracks outside each fold are like.
    shares : ndarray, shape (tracks,)
        Share of the features outside the range of the other folds.
    """

    scores: Mapping[str, Floats]
    sings: Mask
    fold: Ints
    experts: Mapping[int, tuple[Expert, ...]] = field(default_factory=dict)
    gates: Mapping[int, LinearExpert] = field(default_factory=dict)
    known: Mapping[int, KnownRange] = field(default_factory=dict)
    shares: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def withheld(self, table: FeatureTable) -> Mask:
        """On which tracks no verdict is given, whatever their probability."""
        found = narrow(table.values)
        for number, known in self.known.items():
            found[self.fold == number] |= self.shares[self.fold == number] > known.limit
        return found


def folds_of(table: FeatureTable, *, folds: int = FOLDS, seed: int = 0) -> Ints:
    """Deal the groups of a table into folds of about equal numbers of both classes."""
    from sklearn.model_selection import StratifiedGroupKFold

    ai = table.column("label") == "ai"
    number = np.zeros(len(table), dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for i, (_, test) in enumerate(splitter.split(ai, ai, split_groups(table))):
        number[test] = i
    return number


def out_of_source(
    table: FeatureTable,
    fold: Ints,
    *,
    recipes: Sequence[Recipe] = RECIPES,
    views: Views | None = None,
    jobs: int = 1,
) -> OutOfSource:
    """Predict every fold from all others."""
    from joblib import Parallel, delayed

    views = views or table.views()
    for recipe in recipes:
        views.get(recipe.view)  # made once, before processes share them
    ai, weight = table.column("label") == "ai", row_weights(table)
    numbers = sorted(set(fold.tolist()))

    def one(number: int, recipe: Recipe) -> Expert:
        return fit_expert(recipe, views, ai, weight, np.flatnonzero(fold != number))

    tasks = [(number, recipe) for recipe in recipes for number in numbers]
    fitted = Parallel(n_jobs=jobs, prefer="threads")(delayed(one)(*task) for task in tasks)
    scores = {recipe.name: np.zeros(len(table), dtype=np.float32) for recipe in recipes}
    for (number, recipe), expert in zip(tasks, fitted, strict=True):
        scores[recipe.name][fold == number] = expert.score(views)[fold == number]
    by_fold = {n: tuple(e for (m, _), e in zip(tasks, fitted, strict=True) if m == n) for n in numbers}
    sings = np.zeros(len(table), dtype=bool)
    pitched = np.isfinite(table.values[:, [f.name for f in describe_features()].index("f0_median")])
    gates = {number: fit_gate(table, np.flatnonzero(fold != number)) for number in numbers}
    for number, gate in gates.items():
        sings[fold == number] = gate.score(views)[fold == number] > 0.0
    plain = table.column("variant") == ""
    known = {number: fit_range(table.values[plain & (fold != number)]) for number in numbers}
    shares = np.zeros(len(table), dtype=np.float32)
    for number, found in known.items():
        shares[fold == number] = found.share_outside(table.values[fold == number])
    for number, found in known.items():
        known[number] = replace(found, limit=limit_of(shares[plain & (fold != number)]))
    return OutOfSource(scores, sings & pitched, fold, by_fold, gates, known, shares)


def fit_combiners(
    scores: Mapping[str, Floats], sings: Mask, ai: Mask, weight: Floats, *, silent: Sequence[str] = VOCAL_ONLY
) -> dict[str, Combiner]:
    """Fit the weights of the experts on predictions for unseen sources (Wolpert 1992, stacked generalisation).

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (tracks,)
        Log-odds by expert.
    sings, ai : ndarray of bool, shape (tracks,)
        Who sings, and the truth.
    weight : ndarray, shape (tracks,)
        Weights.
    silent : sequence of str
        Experts that abstain where nobody sings.
    """
    names = list(scores)
    return {
        "vocal": _combiner({n: scores[n] for n in names}, ai, weight * np.where(sings, 1.0, 0.3).astype(np.float32)),
        "instrumental": _combiner({n: scores[n] for n in names if n not in silent}, ai, weight),
    }


def _combiner(scores: Mapping[str, Floats], ai: Mask, weight: Floats) -> Combiner:
    """Logistic regression with weights that may not be negative: no expert is used against its own word."""
    from scipy.optimize import minimize

    x = np.stack([scores[name] for name in scores], axis=1).astype(np.float64)
    middle = 0.5 * (np.average(x[ai], axis=0, weights=weight[ai]) + np.average(x[~ai], axis=0, weights=weight[~ai]))
    spread = np.maximum(x.std(axis=0), _LEAST_SPREAD)
    z = (x - middle) / spread
    sign = np.where(ai, 1.0, -1.0)
    w = weight.astype(np.float64) / weight.sum()

    def loss(theta: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = sign * (z @ theta[:-1] + theta[-1])
        value = float(np.sum(w * np.logaddexp(0.0, -margin)) + 1e-3 * np.sum(theta[:-1] ** 2))
        pull = -w * sign / (1.0 + np.exp(np.clip(margin, -50, 50)))
        return value, np.append(z.T @ pull + 2e-3 * theta[:-1], pull.sum())

    bounds = [(0.0, None)] * len(scores) + [(None, None)]
    theta = minimize(loss, np.full(len(scores) + 1, 0.2), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = {name: float(t / s) for name, t, s in zip(scores, theta, spread, strict=False)}
    centres = {name: float(m) for name, m in zip(scores, middle, strict=True)}
    return Combiner(weights, centres, float(theta[-1]))


def cross_fitted(found: OutOfSource, ai: Mask, weight: Floats) -> tuple[Floats, dict[str, Floats]]:
    """Combined log-odds where the combiner, too, is fitted on other folds than it is applied to."""
    logits = np.zeros(len(ai), dtype=np.float32)
    evidence = {name: np.zeros(len(ai), dtype=np.float32) for name in found.scores}
    for number in sorted(set(found.fold.tolist())):
        test = found.fold == number
        train_on = ~test
        combiners = fit_combiners(
            {n: s[train_on] for n, s in found.scores.items()}, found.sings[train_on], ai[train_on], weight[train_on]
        )
        part, moved = combine({n: s[test] for n, s in found.scores.items()}, found.sings[test], combiners)
        logits[test] = part
        for name in moved:
            evidence[name][test] = moved[name]
    return logits, evidence


def fold_detectors(
    table: FeatureTable, *, folds: int = FOLDS, seed: int = 0, jobs: int = 1
) -> tuple[dict[int, Detector], dict[str, int]]:
    """Make one detector per fold of sources that saw nothing of it.

    Returns
    -------
    detectors : dict of int to Detector
        By fold.
    fold_of_source : dict of str to int
        Which fold, and so which detector, belongs to a source.
    """
    ai, weight = table.column("label") == "ai", row_weights(table)
    plain = table.column("variant") == ""
    fold = folds_of(table, folds=folds, seed=seed)
    found = out_of_source(table, fold, jobs=jobs)
    probability = _probability(cross_fitted(found, ai, weight)[0])
    detectors = {}
    for number, experts in found.experts.items():
        rest = fold != number
        combiners = fit_combiners(
            {n: s[rest] for n, s in found.scores.items()}, found.sings[rest], ai[rest], weight[rest]
        )
        chosen = rest & plain
        thresholds = choose_thresholds(probability[chosen], ai[chosen], table.seconds()[chosen])
        detectors[number] = Detector(
            experts, found.gates[number], combiners, thresholds, found.known[number], {"version": f"fold {number}"}
        )
    return detectors, dict(zip(table.column("source").tolist(), fold.tolist(), strict=True))


# ---------------------------------------------------------------------------------------------------------------
# A whole detector
# ---------------------------------------------------------------------------------------------------------------


def fit_detector(
    table: FeatureTable,
    *,
    version: str = "1",
    recipes: Sequence[Recipe] = RECIPES,
    max_false_positive_rate: float = 0.01,
    max_miss_rate: float = 0.05,
    jobs: int = 1,
    seed: int = 0,
) -> Detector:
    """Train on a feature table.

    Parameters
    ----------
    table : FeatureTable
        Rows labelled ``ai`` and ``human``. Rows with a ``variant`` are altered copies: they are learned from, and
        errors are counted on the plain rows only.
    version : str
        Name of the model.
    recipes : sequence of Recipe
        Experts to make.
    max_false_positive_rate, max_miss_rate : float
        Bounds of the verdicts ``ai`` and ``human``.
    jobs : int
        Threads.
    seed : int
        Of the split into folds.

    Returns
    -------
    Detector

    Raises
    ------
    TrainingError
        Too few tracks of a class.
    """
    ai = table.column("label") == "ai"
    plain = table.column("variant") == ""
    for name, side in (("human", ~ai), ("ai", ai)):
        if (side & plain).sum() < _MIN_TRACKS:
            raise TrainingError(
                f"only {int((side & plain).sum())} usable tracks labelled '{name}'; at least {_MIN_TRACKS} of each "
                "class are needed, and some hundred from many sources for rates worth stating."
            )
    views = table.views()
    weight = row_weights(table)
    fold = _honest_folds(table, ai, seed)
    found = out_of_source(table, fold, recipes=recipes, views=views, jobs=jobs)
    logits, _ = cross_fitted(found, ai, weight)
    probability = _probability(logits)
    thresholds = choose_thresholds(
        probability[plain],
        ai[plain],
        table.seconds()[plain],
        max_false_positive_rate=max_false_positive_rate,
        max_miss_rate=max_miss_rate,
    )
    rows = np.arange(len(table))
    experts = tuple(fit_expert(recipe, views, ai, weight, rows, seed=seed) for recipe in recipes)
    from .evaluation import metrics

    verdicts = thresholds.verdicts(probability, seconds=table.seconds(), withheld=found.withheld(table))
    about = {
        "version": version,
        "data": table.digest(),
        "tracks": {"human": int((plain & ~ai).sum()), "ai": int((plain & ai).sum())},
        "sources": {name: len(set(table.column("source")[ai == (name == "ai")].tolist())) for name in CLASSES},
        "generators": sorted(set(table.column("generator")[ai].tolist()) - {""}),
        "metrics": metrics(probability[plain], ai[plain], verdicts[plain]).to_dict(),
        "ai_quantiles": np.quantile(probability[plain & ai], np.linspace(0.0, 1.0, 201)).round(5).tolist(),
        "additions": [],
    }
    return Detector(
        experts=experts,
        gate=fit_gate(table, rows),
        combiners=fit_combiners(found.scores, found.sings, ai, weight),
        thresholds=thresholds,
        known=fit_range(table.values[plain], limit=limit_of(found.shares[plain])),
        about=about,
    )


def _honest_folds(table: FeatureTable, ai: Mask, seed: int) -> Ints:
    """Split by source where there are enough, else by track, and say so."""
    groups = split_groups(table)
    fewest = min(len(set(groups[ai].tolist())), len(set(groups[~ai].tolist())))
    if fewest >= MIN_SOURCES:
        return folds_of(table, folds=min(FOLDS, fewest), seed=seed)
    warnings.warn(
        f"a class comes from {fewest} source(s) only, so errors are counted on other tracks of the same sources: "
        "the measured rates are too good, and the thresholds built on them too bold.",
        stacklevel=3,
    )
    names = table.column("id")
    numbers = {name: i % FOLDS for i, name in enumerate(np.random.default_rng(seed).permutation(sorted(set(names))))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _probability(logits: Floats) -> Floats:
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -12.0, 12.0).astype(np.float64)))).astype(np.float32)


def train(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack],
    *,
    out: str | os.PathLike[str] | None = None,
    version: str | None = None,
    augment: int = 1,
    store: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    max_false_positive_rate: float = 0.01,
    report: Callable[[str], None] = lambda message: None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> Detector:
    """Train a detector on labelled audio, or on a saved feature table.

    Parameters
    ----------
    labels : path or sequence of LabelledTrack
        A labels file (CSV), tracks from :func:`aidetect.labels.from_folders`, or a folder that holds a feature table.
    out : path, optional
        Where the model is written.
    version : str, optional
        Name of the model; by default that of the file.
    augment : int
        Altered copies (codec, bandwidth, speed, gain, noise) made of every track, so that the history of a file
        cannot stand for its maker.
    store : path, optional
        Folder in which features are kept between runs.
    jobs : int
        Processes.
    max_false_positive_rate : float
        Bound for the verdict ``ai``.
    report : callable
        Gets one line for every track that is left out.
    progress : callable
        ``progress(items, total)`` wraps the measuring.

    Returns
    -------
    Detector

    Raises
    ------
    LabelsError, TrainingError, OutputError
    """
    table = table_of(labels, augment=augment, store=store, jobs=jobs, report=report, progress=progress)
    name = version or (Path(out).stem if out is not None else "own")
    detector = fit_detector(table, version=name, jobs=jobs, max_false_positive_rate=max_false_positive_rate)
    if out is not None:
        detector.save(out)
    return detector


def table_of(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack],
    *,
    augment: int = 0,
    store: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    report: Callable[[str], None] = lambda message: None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> FeatureTable:
    """Measure labelled tracks, or read a saved table; parameters as in :func:`train`."""
    if isinstance(labels, str | os.PathLike):
        if Path(labels).is_dir():
            return load_table(labels)
        labels = read_labels(labels)
    kept = FeatureStore(store) if store is not None else None
    variants = ("", *(f"aug{i + 1}" for i in range(augment)))
    return build_table(labels, variants=variants, store=kept, jobs=jobs, report=report, progress=progress)


# ---------------------------------------------------------------------------------------------------------------
# Additions
# ---------------------------------------------------------------------------------------------------------------


def add_generator(
    tracks: str | os.PathLike[str] | Sequence[LabelledTrack],
    *,
    generator: str,
    detector: Detector | None = None,
    table: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    augment: int = 2,
    store: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    report: Callable[[str], None] = lambda message: None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> Detector:
    """Teach a detector a generator it does not know from some 20 of its tracks.

    The experts are trained again on the feature table together with the new tracks; combiner and thresholds, which come
    from unseen sources, stay.

    Parameters
    ----------
    tracks : path or sequence of LabelledTrack
        A folder of tracks of the generator, or labelled tracks.
    generator : str
        Its name.
    detector : Detector, optional
        What to start from; by default the model that comes with the library.
    table : path, optional
        Folder of the feature table that `detector` was trained on; by default the one that comes with the library.
    out, augment, store, jobs, report, progress
        As in :func:`train`.

    Returns
    -------
    Detector
        Its version and every result name the addition.

    Raises
    ------
    LabelsError, TrainingError, OutputError
    """
    start = detector or Detector.load()
    if isinstance(tracks, str | os.PathLike):
        tracks = from_folders(ai=[tracks], generator=generator)
    tracks = [replace(track, label="ai", generator=generator) for track in tracks]
    new = table_of(tracks, augment=augment, store=store, jobs=jobs, report=report, progress=progress)
    base = load_table(table or default_model_path().parent)
    taught = with_addition(start, base, new, generator=generator, jobs=jobs)
    if out is not None:
        taught.save(out)
    return taught


def with_addition(
    detector: Detector, base: FeatureTable, new: FeatureTable, *, generator: str, jobs: int = 1, seed: int = 0
) -> Detector:
    """Train the experts of `detector` again on `base` and the rows of a new generator."""
    from joblib import Parallel, delayed

    both = concatenate([base, new])
    ai = both.column("label") == "ai"
    weight = row_weights(both)
    added = np.arange(len(both)) >= len(base)
    weight[added] *= max(1.0, ADDITION_SHARE * float(weight[ai & ~added].sum()) / float(weight[added].sum()))
    views = both.views()
    recipes = [recipe for recipe in RECIPES if recipe.name in {expert.name for expert in detector.experts}]
    for recipe in recipes:
        views.get(recipe.view)
    rows = np.arange(len(both))
    experts = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(fit_expert)(recipe, views, ai, weight, rows, seed=seed) for recipe in recipes
    )
    count = int((new.column("variant") == "").sum())
    addition = {"generator": generator, "tracks": count, "data": new.digest()[:16]}
    about = {
        **detector.about,
        "version": f"{detector.version}+{generator}",
        "additions": [*detector.about.get("additions", []), addition],
    }
    plain = both.column("variant") == ""
    known = fit_range(both.values[plain], limit=detector.known.limit)
    return replace(detector, experts=tuple(experts), known=known, about=about)
