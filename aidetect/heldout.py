"""Predictions for tracks of sources, and of families of generators, that the experts did not learn from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from . import alignment
from .dataset import FeatureTable
from .detector import Expert, unheard, unproven
from .errors import TrainingError
from .experts import LinearExpert, Views
from .features import feature_number
from .fitting import RECIPES, Recipe, fit_expert, fit_gate, usable
from .labels import CLASSES
from .novelty import KnownRange, fit_range, limit_of
from .splits import MIN_SOURCES, family_folds, row_weights, split_groups

__all__ = ["HeldOut", "out_of_family", "out_of_source"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """Predictions for tracks by models that saw nothing of their sources, or of their families either.

    Attributes
    ----------
    scores : Mapping of str to ndarray, shape (tracks,)
        Log-odds of every expert; NaN where it abstained.
    sings : ndarray of bool, shape (tracks,)
        What the gate said.
    fold : ndarray of int, shape (tracks,)
        Which fold each track was tested in.
    experts : Mapping of int to tuple
        The experts that did not see each fold.
    gates : Mapping of int to LinearExpert
        The gates that did not see each fold.
    known : Mapping of int to KnownRange
        What the tracks are like that the experts of each fold learned from.
    shares : ndarray, shape (tracks,)
        Share of the features outside the range of the other folds.
    doubted : ndarray of bool, shape (tracks,)
        Which were judged at a speed that is :func:`~aidetect.alignment.doubted`.
    """

    scores: Mapping[str, Floats]
    sings: Mask
    fold: Ints
    experts: Mapping[int, tuple[Expert, ...]] = field(default_factory=dict)
    gates: Mapping[int, LinearExpert] = field(default_factory=dict)
    known: Mapping[int, KnownRange] = field(default_factory=dict)
    shares: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    doubted: Mask = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def withheld(self, table: FeatureTable, probability: Floats) -> Mask:
        """On which tracks no verdict is given, by the same rules as :meth:`~aidetect.detector.Detector.withheld`."""
        found = unheard(table.values, probability) | unproven(self.doubted, probability)
        for number, known in self.known.items():
            found[self.fold == number] |= self.shares[self.fold == number] > known.limit
        return found


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
        From :mod:`aidetect.splits`; -1 for rows that are not predicted.
    recipes : sequence of Recipe
        Experts; those that the table has nothing to teach are left out.
    views : Views, optional
        Of `table`, where they are made already.
    apart : bool
        Whether folds divide what :func:`~aidetect.splits.split_groups` holds together, so that all that belongs to
        tracks of a fold must be kept out as well.
    jobs : int
        Threads.

    Raises
    ------
    TrainingError
        Without some fold nothing of a class is left to learn from.
    """
    from joblib import Parallel, delayed

    recipes = usable(recipes, table)
    weight, label = row_weights(table), table.column("label")
    taught = _taught(table, fold, apart=apart)
    for rows in taught.values():
        if missing := set(CLASSES) - set(label[rows].tolist()):
            raise TrainingError(
                f"without the tracks that are set aside to test on, none labelled '{min(missing)}' is left to learn "
                "from; more sources of that class are needed."
            )
    numbers = list(taught)
    views = (views or table.views()).prepared()

    def one(number: int, recipe: Recipe) -> Expert:
        return fit_expert(recipe, table, views, weight, taught[number])

    tasks = [(number, recipe) for recipe in recipes for number in numbers]
    fitted = Parallel(n_jobs=jobs, prefer="threads")(delayed(one)(*task) for task in tasks)
    by_fold = {n: tuple(e for (m, _), e in zip(tasks, fitted, strict=True) if m == n) for n in numbers}

    def tested(number: int) -> tuple[dict[str, Floats], Mask]:
        here = views.take(np.flatnonzero(fold == number))
        speed, fit = alignment.likely_speeds(here, by_fold[number])
        doubted = alignment.doubted(fit)
        here = here.undone(alignment.believed(speed, fit), doubted=doubted)
        return {expert.name: expert.score(here) for expert in by_fold[number]}, doubted

    scores = {recipe.name: np.zeros(len(table), dtype=np.float32) for recipe in recipes}
    answers = Parallel(n_jobs=jobs, prefer="threads")(delayed(tested)(number) for number in numbers)
    doubted = np.zeros(len(table), dtype=bool)
    for number, (answer, unsure) in zip(numbers, answers, strict=True):
        doubted[fold == number] = unsure
        for name, score in answer.items():
            scores[name][fold == number] = score
    sings = np.zeros(len(table), dtype=bool)
    pitched = np.isfinite(table.values[:, feature_number("f0_median")])
    gates = {number: fit_gate(table, taught[number]) for number in numbers}
    for number, gate in gates.items():
        sings[fold == number] = gate.score(views)[fold == number] > 0.0
    plain = table.column("variant") == ""
    known = {number: fit_range(table.values[rows[plain[rows]]]) for number, rows in taught.items()}
    shares = np.zeros(len(table), dtype=np.float32)
    for number, found in known.items():
        shares[fold == number] = found.share_outside(table.values[fold == number])
    for number, found in known.items():
        known[number] = replace(found, limit=limit_of(shares[plain & (fold >= 0) & (fold != number)]))
    return HeldOut(scores, sings & pitched, fold, by_fold, gates, known, shares, doubted)


def _taught(table: FeatureTable, fold: Ints, *, apart: bool) -> dict[int, Ints]:
    """Which rows teach those that every fold is tested by; parameters as in :func:`out_of_source`."""
    group, found = split_groups(table) if apart else fold, {}
    for number in sorted(set(fold.tolist()) - {-1}):
        met = np.isin(group, group[fold == number])
        found[number] = np.flatnonzero(~met)
    return found


def out_of_family(
    table: FeatureTable, *, recipes: Sequence[Recipe] = RECIPES, seed: int = 0, jobs: int = 1
) -> HeldOut | None:
    """Predict every track from models that met neither its source nor any generator of its family.

    Folds are not predicted, and become -1, without whose sources a class would have no tracks left to learn from.

    Returns
    -------
    HeldOut or None
        None where the table names fewer than three families, or fewer than three folds can be predicted.

    Warns
    -----
    UserWarning
        Families share so many sources, with each other or with people's music, that fewer than three folds can be.
    """
    fold = family_folds(table, seed=seed)
    if fold is None:
        return None
    label, taught = table.column("label"), _taught(table, fold, apart=True)
    kept = [number for number, rows in taught.items() if set(CLASSES) <= set(label[rows].tolist())]
    if len(kept) < MIN_SOURCES:
        warnings.warn(
            "generators share so many of their sources with each other or with people's music that none can be left "
            "out together with its sources: what evidence is worth is learned from known generators only, and may "
            "count for too much or too little with others.",
            stacklevel=3,
        )
        return None
    fold = np.where(np.isin(fold, kept), fold, -1)
    return out_of_source(table, fold, recipes=recipes, apart=True, jobs=jobs)
