"""Training: experts on labelled tracks, a combiner on predictions for unseen sources, thresholds on their errors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .combiner import probability_of
from .dataset import FeatureTable, table_of
from .detector import Detector
from .errors import TrainingError
from .evaluation import metrics
from .fitting import RECIPES, Recipe, fit_expert, fit_gate, usable
from .heldout import out_of_family, out_of_source
from .labels import CLASSES, LabelledTrack
from .modelfile import check_destination
from .novelty import fit_range, limit_of
from .prevalence import LENGTHS, length_of
from .splits import FOLDS, MIN_SOURCES, fewest_groups, folds_of, row_weights
from .stacking import Lesson, cross_fitted
from .verdicts import choose_thresholds, cross_verdicts

__all__ = ["fit_detector", "fold_detectors", "train"]

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_MIN_TRACKS = 8
_TELLS_LITTLE = 0.6  # AUROC; 0.5 is chance


def train(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack] | FeatureTable,
    *,
    out: str | os.PathLike[str] | None = None,
    version: str | None = None,
    augment: int = 1,
    simulate: int = 1,
    store: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    max_false_positive_rate: float = 0.01,
    report: Callable[[str], None] | None = None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> Detector:
    """Train a detector on labelled audio, or on a saved feature table.

    Parameters
    ----------
    labels : path, sequence of LabelledTrack, or FeatureTable
        A labels file (CSV), tracks from :func:`aidetect.labels.from_folders`, a folder that holds a feature table, or
        the table itself.
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
        Bound for the verdict ``ai``, between 0 and 1.
    report : callable, optional
        Gets one line for everything that is left out. Without it, one warning tells how many tracks that is and what is
        wrong with the first.
    progress : callable
        ``progress(items, total)`` wraps the measuring.

    Returns
    -------
    Detector

    Raises
    ------
    LabelsError, TrainingError, OutputError
    ValueError
        `augment` or `simulate` below 0, or a rate that is none.

    Warns
    -----
    UserWarning
        Tracks are left out, a class comes from too few sources, generators share too many of theirs to be left out
        together with them, the human tracks are too few to promise the bound, or the model tells little more than
        chance.
    """
    if not 0.0 < max_false_positive_rate < 1.0:
        raise ValueError("max_false_positive_rate must lie between 0 and 1")
    if augment < 0 or simulate < 0:
        raise ValueError("augment and simulate must be at least 0")
    if out is not None:
        check_destination(out)
    table = labels
    if not isinstance(table, FeatureTable):
        table = table_of(
            table, augment=augment, simulate=simulate, store=store, jobs=jobs, report=report, progress=progress
        )
    name = version or (Path(out).stem if out is not None else "own")
    detector = fit_detector(table, version=name, jobs=jobs, max_false_positive_rate=max_false_positive_rate)
    detector = replace(detector, about={**detector.about, "plain": table.plain_digest()})
    reached = detector.about["metrics"]["auroc"]
    if reached < _TELLS_LITTLE:
        warnings.warn(
            f"AUROC {reached:.2f} where chance is 0.50: this model tells little; try more tracks from more sources.",
            stacklevel=2,
        )
    if out is not None:
        detector.save(out)
    return detector


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

    Warns
    -----
    UserWarning
        A class comes from too few sources, generators share too many of theirs to be left out together with them, or
        the human tracks are too few to promise the bound.
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
    fold, unseen_sources = _honest_folds(table, seed)
    found = out_of_source(table, fold, recipes=recipes, views=views, jobs=jobs)
    lesson = Lesson.of(table, found, out_of_family(table, recipes=recipes, seed=seed, jobs=jobs))
    logits, _ = cross_fitted(found, lesson)
    probability = probability_of(logits)
    withheld = found.withheld(table, probability)
    thresholds = choose_thresholds(
        probability[plain],
        ai[plain],
        table.seconds()[plain],
        withheld=withheld[plain],
        max_false_positive_rate=max_false_positive_rate,
        max_miss_rate=max_miss_rate,
    )
    rows = np.arange(len(table))
    experts = tuple(fit_expert(recipe, table, views, weight, rows, seed=seed) for recipe in recipes)
    # Errors are counted with thresholds of other folds: those above were chosen on these very tracks.
    verdicts = cross_verdicts(
        probability,
        ai,
        table.seconds(),
        fold,
        counted=plain,
        withheld=withheld,
        max_false_positive_rate=max_false_positive_rate,
        max_miss_rate=max_miss_rate,
    )
    length = np.array([length_of(s) for s in table.seconds().tolist()])
    source = table.column("source")
    about = {
        "version": version,
        "data": table.digest(),
        "tracks": {"human": int((plain & ~ai).sum()), "ai": int((plain & ai).sum())},
        "sources": {name: len(set(table.column("source")[ai == (name == "ai")].tolist())) for name in CLASSES},
        "generators": sorted(set(table.column("generator")[ai].tolist()) - {""}),
        "unseen_sources": unseen_sources,
        "metrics": metrics(probability[plain], ai[plain], verdicts[plain], source[plain]).to_dict(),
        "metrics_by_length": {
            name: metrics(probability[rows], ai[rows], verdicts[rows], source[rows]).to_dict()
            for name, rows in ((name, plain & (length == name)) for name in LENGTHS)
            if len(set(ai[rows].tolist())) == len(CLASSES)
        },
        "ai_quantiles": _quantiles(probability[plain & ai]),
        # What is withheld is found by no threshold.
        "ai_quantiles_by_length": {
            name: _quantiles(np.where(withheld, 0.0, probability)[rows])
            for name, rows in ((name, plain & ai & (length == name)) for name in LENGTHS)
            if rows.any()
        },
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


def _quantiles(probability: npt.NDArray[np.floating]) -> list[float]:
    """Two hundred and one of them; seven digits tell apart even what is nearly sure."""
    found: list[float] = np.quantile(probability, np.linspace(0.0, 1.0, 201)).astype(float).round(7).tolist()
    return found


def _honest_folds(table: FeatureTable, seed: int) -> tuple[Ints, bool]:
    """Split by source where there are enough, else by track, and say so; whether sources are unseen."""
    fewest = fewest_groups(table)
    if fewest >= MIN_SOURCES:
        return folds_of(table, folds=min(FOLDS, fewest), seed=seed), True
    warnings.warn(
        f"a class comes from {fewest} source(s) only, so errors are counted on other tracks of the same sources: "
        "the measured rates are too good, and the thresholds built on them too bold.",
        stacklevel=3,
    )
    names = table.column("id")
    numbers = {name: i % FOLDS for i, name in enumerate(np.random.default_rng(seed).permutation(sorted(set(names))))}
    return np.array([numbers[name] for name in names], dtype=np.int64), False


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
    withheld = found.withheld(table, probability)
    detectors = {}
    for number, experts in found.experts.items():
        rest = fold != number
        combiners = lesson.combiners(rest)
        chosen = rest & plain
        thresholds = choose_thresholds(
            probability[chosen], ai[chosen], table.seconds()[chosen], withheld=withheld[chosen]
        )
        detectors[number] = Detector(
            experts, found.gates[number], combiners, thresholds, found.known[number], {"version": f"fold {number}"}
        )
    return detectors, dict(zip(table.column("source").tolist(), fold.tolist(), strict=True))
