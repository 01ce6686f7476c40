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

from . import alignment
from .dataset import FeatureTable, build_table, concatenate, load_table
from .detector import Combiner, Detector, Expert, combine, default_model_path, log_length, narrow, soft_clip
from .errors import TrainingError
from .experts import LinearExpert, Views
from .features import describe_features
from .fitting import RECIPES, VOCAL_ONLY, Recipe, fit_expert, fit_gate, usable
from .kin import family_of
from .labels import CLASSES, LabelledTrack, from_folders, read_labels
from .novelty import KnownRange, fit_range, limit_of
from .store import FeatureStore
from .verdicts import choose_thresholds

__all__ = [
    "HeldOut",
    "add_generator",
    "fit_combiners",
    "fit_detector",
    "fold_detectors",
    "out_of_family",
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
ADDITION_SHARE = 0.3
"""Least weight of a generator that is added, as a share of all AI tracks."""
COPY_WEIGHT = 0.35
"""Weight of an altered copy of a track: it is shorter and poorer than the track."""
FAMILY_FOLDS = 8
"""Parts into which families of generators are dealt to learn what evidence is worth where they are unknown."""
_FLOOR = 0.6  # share of people's tracks below whose score an expert's word is levelled off
_CEILING = 0.8  # share of AI tracks above whose score it is levelled off as well
_SOFT = 0.3  # of half the range in which two thirds of people's tracks lie: how softly
_UNSEEN_SHARE = 0.25  # of the combiner's lesson: tracks of generators that the experts had not met
_LEAST_SPREAD = 0.1  # log-odds: an expert that says nearly the same of every track must not be blown up
_LENGTH_STEPS = (8.0, 15.0, 30.0, 60.0, 150.0)  # s, between which both classes weigh the same
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
# Predictions on unseen sources and families
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldOut:
    """Predictions for tracks by models that saw nothing of their sources, or of their families either.

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
    apart: bool = False,
    jobs: int = 1,
) -> HeldOut:
    """Predict every fold from all others.

    Parameters
    ----------
    table : FeatureTable
        Labelled rows.
    fold : ndarray of int, shape (tracks,)
        From :func:`folds_of`, or :func:`family_folds`; -1 for rows that are not predicted.
    recipes : sequence of Recipe
        Experts; those that the table has nothing to teach are left out.
    views : Views, optional
        Of `table`, where they are made already.
    apart : bool
        Whether folds divide sources, so that other tracks of the sources of a fold must be kept out as well.
    jobs : int
        Threads.
    """
    from joblib import Parallel, delayed

    recipes = usable(recipes, table)
    views = views or table.views()
    for recipe in recipes:
        views.get(recipe.view)  # made once, before processes share them
    weight, source = row_weights(table), table.column("source")
    numbers = sorted(set(fold.tolist()) - {-1})
    taught = {}
    for number in numbers:
        met = np.isin(source, list(set(source[fold == number].tolist()))) if apart else fold == number
        taught[number] = np.flatnonzero(~met)

    def one(number: int, recipe: Recipe) -> Expert:
        return fit_expert(recipe, table, views, weight, taught[number])

    tasks = [(number, recipe) for recipe in recipes for number in numbers]
    fitted = Parallel(n_jobs=jobs, prefer="threads")(delayed(one)(*task) for task in tasks)
    by_fold = {n: tuple(e for (m, _), e in zip(tasks, fitted, strict=True) if m == n) for n in numbers}
    scores = {recipe.name: np.zeros(len(table), dtype=np.float32) for recipe in recipes}
    for number, experts in by_fold.items():
        here = np.flatnonzero(fold == number)
        tested = views.take(here)
        tested = tested.undone(alignment.speeds(tested, experts))
        for expert in experts:
            scores[expert.name][here] = expert.score(tested)
    sings = np.zeros(len(table), dtype=bool)
    pitched = np.isfinite(table.values[:, [f.name for f in describe_features()].index("f0_median")])
    gates = {number: fit_gate(table, taught[number]) for number in numbers}
    for number, gate in gates.items():
        sings[fold == number] = gate.score(views)[fold == number] > 0.0
    plain = table.column("variant") == ""
    known = {number: fit_range(table.values[plain & (fold != number)]) for number in numbers}
    shares = np.zeros(len(table), dtype=np.float32)
    for number, found in known.items():
        shares[fold == number] = found.share_outside(table.values[fold == number])
    for number, found in known.items():
        known[number] = replace(found, limit=limit_of(shares[plain & (fold != number)]))
    return HeldOut(scores, sings & pitched, fold, by_fold, gates, known, shares)


def out_of_family(
    table: FeatureTable, *, recipes: Sequence[Recipe] = RECIPES, seed: int = 0, jobs: int = 1
) -> HeldOut | None:
    """Predict every track from models that met neither its source nor any generator of its family.

    Returns
    -------
    HeldOut or None
        None where the table names fewer than three families.
    """
    fold = family_folds(table, seed=seed)
    return None if fold is None else out_of_source(table, fold, recipes=recipes, apart=True, jobs=jobs)


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


def family_weights(table: FeatureTable) -> Floats:
    """Weights of :func:`row_weights` that keep big families from dominating, by the power of -0.3 of their size."""
    ai = table.column("label") == "ai"
    family = [family_of(name) for name in table.column("generator").tolist()]
    size = collections.Counter(name for name, a in zip(family, ai, strict=True) if a)
    weight = row_weights(table) * np.array([size[f] ** -0.3 if a else 1.0 for f, a in zip(family, ai, strict=True)])
    weight[ai] *= weight[~ai].sum() / max(float(weight[ai].sum()), 1e-9)
    return weight.astype(np.float32)


@dataclass(frozen=True)
class Lesson:
    """What a combiner learns from: held-out predictions for every track of a table.

    Attributes
    ----------
    ai : ndarray of bool, shape (tracks,)
        Truth.
    seconds : ndarray, shape (tracks,)
        Lengths.
    parts : tuple of (HeldOut, ndarray)
        Predictions and weights: for unseen sources and, where families are known, for unseen families.
    """

    ai: Mask
    seconds: Floats
    parts: tuple[tuple[HeldOut, Floats], ...]

    @classmethod
    def of(cls, table: FeatureTable, known: HeldOut, unseen: HeldOut | None) -> Lesson:
        """Weigh predictions for unseen sources and for unseen families."""
        ai, seconds, weight = table.column("label") == "ai", table.seconds(), row_weights(table)
        if unseen is None:
            return cls(ai, seconds, ((known, weight),))
        named = np.where(unseen.fold >= 0, family_weights(table), 0.0).astype(np.float32)
        return cls(
            ai,
            seconds,
            ((known, weight * np.float32(1.0 - _UNSEEN_SHARE)), (unseen, named * np.float32(_UNSEEN_SHARE))),
        )

    def combiners(self, rows: Mask) -> dict[str, Combiner]:
        """Fit combiners on some of the tracks."""
        names = list(self.parts[0][0].scores)
        return fit_combiners(
            {name: np.concatenate([held.scores[name][rows] for held, _ in self.parts]) for name in names},
            np.concatenate([held.sings[rows] for held, _ in self.parts]),
            np.concatenate([self.ai[rows]] * len(self.parts)),
            np.concatenate([weight[rows] for _, weight in self.parts]),
            seconds=np.concatenate([self.seconds[rows]] * len(self.parts)),
        )


def fit_combiners(
    scores: Mapping[str, Floats],
    sings: Mask,
    ai: Mask,
    weight: Floats,
    *,
    seconds: Floats,
    silent: Sequence[str] = VOCAL_ONLY,
) -> dict[str, Combiner]:
    """Fit the weights of the experts on held-out predictions (Wolpert 1992, stacked generalisation).

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (tracks,)
        Log-odds by expert.
    sings, ai : ndarray of bool, shape (tracks,)
        Who sings, and the truth.
    weight : ndarray, shape (tracks,)
        Weights.
    seconds : ndarray, shape (tracks,)
        Lengths.
    silent : sequence of str
        Experts that abstain where nobody sings.
    """
    names = list(scores)
    sung = weight * np.where(sings, 1.0, 0.3).astype(np.float32)
    return {
        "vocal": _combiner({n: scores[n] for n in names}, ai, sung, seconds),
        "instrumental": _combiner({n: scores[n] for n in names if n not in silent}, ai, weight, seconds),
    }


def _combiner(scores: Mapping[str, Floats], ai: Mask, weight: Floats, seconds: Floats) -> Combiner:
    """Logistic regression with weights that may not be negative: no expert is used against its own word."""
    low, floor, high = (np.array([np.quantile(scores[n][~ai], q) for n in scores]) for q in (0.16, _FLOOR, 0.84))
    width = np.maximum(_SOFT * 0.5 * (high - low), _SOFT * _LEAST_SPREAD)
    ceiling = np.maximum([np.quantile(scores[n][ai], _CEILING) for n in scores], floor + 2.0 * width)
    limits = zip(scores, floor, ceiling, width, strict=True)
    x = np.stack([soft_clip(scores[n], low=f, high=c, width=w) for n, f, c, w in limits], axis=1)
    middle = 0.5 * (np.average(x[ai], axis=0, weights=weight[ai]) + np.average(x[~ai], axis=0, weights=weight[~ai]))
    spread = np.maximum(x.std(axis=0), _LEAST_SPREAD)
    z = np.column_stack([(x - middle) / spread, np.ones(len(ai))])
    theta = _logistic(z, ai, weight, positive=len(scores))
    # Lengths differ between the classes of a corpus; among tracks of like length both must weigh the same.
    total = z @ theta
    by_length = np.column_stack([total, total * log_length(seconds)])
    certainty, growth = _logistic(by_length, ai, _alike_in_length(weight, ai, seconds), positive=0)

    def named(numbers: npt.NDArray[np.float64]) -> dict[str, float]:
        return {name: float(number) for name, number in zip(scores, numbers, strict=True)}

    return Combiner(
        weights=named(theta[:-1] / spread),
        floors=named(floor),
        ceilings=named(ceiling),
        widths=named(width),
        centres=named(middle),
        bias=float(theta[-1]),
        certainty=float(certainty),
        growth=float(growth),
    )


def _logistic(
    z: npt.NDArray[np.float64], ai: Mask, weight: Floats, *, positive: int, strength: float = 1e-3
) -> npt.NDArray[np.float64]:
    """Fit log-odds ``z @ theta``; the first `positive` of them are kept from below zero and small."""
    from scipy.optimize import minimize

    sign = np.where(ai, 1.0, -1.0)
    w = weight.astype(np.float64) / weight.sum()
    damped = np.where(np.arange(z.shape[1]) < positive, strength, 0.0)

    def loss(theta: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = sign * (z @ theta)
        value = float(np.sum(w * np.logaddexp(0.0, -margin)) + np.sum(damped * theta**2))
        pull = -w * sign / (1.0 + np.exp(np.clip(margin, -50, 50)))
        return value, z.T @ pull + 2.0 * damped * theta

    bounds = [(0.0, None)] * positive + [(None, None)] * (z.shape[1] - positive)
    found: npt.NDArray[np.float64] = minimize(
        loss, np.full(z.shape[1], 0.2), jac=True, bounds=bounds, method="L-BFGS-B"
    ).x
    return found


def _alike_in_length(weight: Floats, ai: Mask, seconds: Floats) -> Floats:
    """Weights with which both classes weigh the same among tracks of like length; where only one is, none."""
    found = weight.copy()
    step = np.digitize(seconds, _LENGTH_STEPS)
    for number in sorted(set(step.tolist())):
        here = step == number
        total = float(weight[here].sum())
        for side in (here & ai, here & ~ai):
            found[side] *= 0.5 * total / max(float(weight[side].sum()), 1e-9)
        if not (here & ai).any() or not (here & ~ai).any():
            found[here] = 0.0
    return found if found.any() else weight


def cross_fitted(found: HeldOut, lesson: Lesson) -> tuple[Floats, dict[str, Floats]]:
    """Combined log-odds where the combiner, too, is fitted on other folds than it is applied to."""
    logits = np.zeros(len(lesson.ai), dtype=np.float32)
    evidence = {name: np.zeros(len(lesson.ai), dtype=np.float32) for name in found.scores}
    for number in sorted(set(found.fold.tolist()) - {-1}):
        test = found.fold == number
        scores = {name: score[test] for name, score in found.scores.items()}
        logits[test], moved = combine(scores, found.sings[test], lesson.combiners(~test), seconds=lesson.seconds[test])
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
    ai = table.column("label") == "ai"
    plain = table.column("variant") == ""
    fold = folds_of(table, folds=folds, seed=seed)
    found = out_of_source(table, fold, jobs=jobs)
    lesson = Lesson.of(table, found, out_of_family(table, jobs=jobs))
    probability = probability_of(cross_fitted(found, lesson)[0])
    detectors = {}
    for number, experts in found.experts.items():
        rest = fold != number
        combiners = lesson.combiners(rest)
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
    recipes = usable(recipes, table)
    views = table.views()
    weight = row_weights(table)
    fold = _honest_folds(table, ai, seed)
    found = out_of_source(table, fold, recipes=recipes, views=views, jobs=jobs)
    lesson = Lesson.of(table, found, out_of_family(table, recipes=recipes, seed=seed, jobs=jobs))
    logits, _ = cross_fitted(found, lesson)
    probability = probability_of(logits)
    thresholds = choose_thresholds(
        probability[plain],
        ai[plain],
        table.seconds()[plain],
        max_false_positive_rate=max_false_positive_rate,
        max_miss_rate=max_miss_rate,
    )
    rows = np.arange(len(table))
    experts = tuple(fit_expert(recipe, table, views, weight, rows, seed=seed) for recipe in recipes)
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
        combiners=lesson.combiners(np.ones(len(table), dtype=bool)),
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


def probability_of(logits: Floats) -> Floats:
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -12.0, 12.0).astype(np.float64)))).astype(np.float32)


def train(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack],
    *,
    out: str | os.PathLike[str] | None = None,
    version: str | None = None,
    augment: int = 1,
    simulate: int = 1,
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
    simulate : int
        Pairs of excerpts made of every human track, one of each passed through a simulated decoder.
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
    table = table_of(
        labels, augment=augment, simulate=simulate, store=store, jobs=jobs, report=report, progress=progress
    )
    name = version or (Path(out).stem if out is not None else "own")
    detector = fit_detector(table, version=name, jobs=jobs, max_false_positive_rate=max_false_positive_rate)
    if out is not None:
        detector.save(out)
    return detector


def table_of(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack],
    *,
    augment: int = 0,
    simulate: int = 0,
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
    return build_table(
        labels, variants=variants, simulations=simulate, store=kept, jobs=jobs, report=report, progress=progress
    )


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
    held = {expert.name: expert for expert in detector.experts}
    recipes = [recipe for recipe in RECIPES if recipe.name in held and not recipe.simulated]
    for recipe in recipes:
        views.get(recipe.view)
    rows = np.arange(len(both))
    fitted = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(fit_expert)(recipe, both, views, weight, rows, seed=seed) for recipe in recipes
    )
    experts = {**held, **{expert.name: expert for expert in fitted}}.values()
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
