"""Additions: teaching a detector a generator that it does not know."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .combiner import Combiner
from .dataset import FeatureTable, concatenate, load_table, table_of
from .detector import Detector, Expert, default_model_path
from .errors import LabelsError
from .experts import SIGNATURE_OF, Views
from .fitting import RECIPES, SIGNATURES, fit_expert
from .labels import LabelledTrack, from_folders
from .modelfile import check_destination
from .novelty import fit_range
from .prevalence import RECALIBRATED, own_thresholds
from .splits import folds_of, row_weights

__all__ = ["add_generator", "fit_signature", "heard_by", "refitted", "signature_scores", "with_addition"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

ADDITION_SHARE = 0.3
"""Least weight of a generator that is added, as a share of all AI tracks."""
_FEW = 8  # tracks
_FLOOR = 0.998  # share of people's tracks at whose fit a signature of an addition begins to speak
_SOFT = 0.05  # of the way from there to the best fit of people's tracks: how softly


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
    report: Callable[[str], None] | None = None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> Detector:
    """Teach a detector a generator it does not know from some 20 of its tracks.

    The experts are trained again on the feature table together with the new tracks, and the generator gets a signature
    of its own; the combiner's other numbers and the thresholds, which come from unseen sources, stay. Of generators
    added before, the signatures stay; the other experts forget them. A recalibration is undone.

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
    augment : int
        Altered copies made of every track; the shipped table, too, has two of each.
    out, store, jobs, report, progress
        As in :func:`train`.

    Returns
    -------
    Detector
        Its version and every result name the addition.

    Raises
    ------
    LabelsError
        No tracks, or a table that `detector` was not trained on.
    TrainingError, OutputError
    ValueError
        `augment` below 0.

    Warns
    -----
    UserWarning
        Fewer than 8 tracks, or a recalibration that is undone.
    """
    if augment < 0:
        raise ValueError("augment must be at least 0")
    if out is not None:
        check_destination(out)
    start = detector or Detector.load()
    if isinstance(tracks, str | os.PathLike):
        tracks = from_folders(ai=[tracks], generator=generator)
    base = load_table(table or default_model_path().parent)
    if start.about.get("data") != base.digest():
        named = table or "the feature table that comes with the library"
        raise LabelsError(
            f"{named}: the model '{start.version}' was not trained on it; give the table that its training saved."
        )
    tracks = [replace(track, label="ai", generator=generator) for track in tracks]
    new = table_of(tracks, augment=augment, store=store, jobs=jobs, report=report, progress=progress)
    taught = with_addition(start, base, new, generator=generator, jobs=jobs)
    count = taught.about["additions"][-1]["tracks"]
    if count < _FEW:
        warnings.warn(
            f"'{generator}' is taught by {count} track(s) only, about 20 are needed: music that merely resembles them "
            "may be called AI.",
            stacklevel=2,
        )
    if out is not None:
        taught.save(out)
    return taught


def with_addition(
    detector: Detector, base: FeatureTable, new: FeatureTable, *, generator: str, jobs: int = 1, seed: int = 0
) -> Detector:
    """Train the experts of `detector` again on `base` and the rows of a new generator, and add its signature."""
    both = concatenate([base, new])
    ai = both.column("label") == "ai"
    weight = row_weights(both)
    added = np.arange(len(both)) >= len(base)
    weight[added] *= max(1.0, ADDITION_SHARE * float(weight[ai & ~added].sum()) / float(weight[added].sum()))
    views = both.views().prepared()
    experts = refitted(detector, both, views, weight, jobs=jobs, seed=seed)
    if "recalibration" in detector.about:
        warnings.warn(
            f"'{detector.version}' was recalibrated before the addition changed it: this is undone; recalibrate again.",
            stacklevel=2,
        )
    own = fit_signature(both, views, weight, np.flatnonzero(~ai | added), name=generator)
    fold = np.where(ai, -1, folds_of(both, seed=seed))
    scores = signature_scores(both, views, weight, added=added, fold=fold, name=generator, jobs=jobs)
    plain = both.column("variant") == ""
    count = int((new.column("variant") == "").sum())
    addition = {"generator": generator, "tracks": count, "data": new.digest()[:16]}
    kept = {key: value for key, value in detector.about.items() if key != "recalibration"}
    about = {
        **kept,
        "version": "+".join(name for name in detector.version.split("+") if name != RECALIBRATED) + f"+{generator}",
        "additions": [*detector.about.get("additions", []), addition],
    }
    return replace(
        detector,
        experts=(*(expert for expert in experts if expert.name != own.name), own),
        combiners=heard_by(detector.combiners, own.name, scores[plain & ~ai]),
        thresholds=own_thresholds(detector.thresholds, detector.about),
        known=fit_range(both.values[plain], limit=detector.known.limit),
        about=about,
    )


def refitted(
    detector: Detector, table: FeatureTable, views: Views, weight: Floats, *, jobs: int = 1, seed: int = 0
) -> tuple[Expert, ...]:
    """Train the experts of a detector again on a table; those stay that know no generators, or one alone."""
    from joblib import Parallel, delayed

    held = {expert.name: expert for expert in detector.experts}
    recipes = [recipe for recipe in RECIPES if recipe.name in held and not recipe.simulated]
    rows = np.arange(len(table))
    fitted = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(fit_expert)(recipe, table, views, weight, rows, seed=seed) for recipe in recipes
    )
    return tuple({**held, **{expert.name: expert for expert in fitted}}.values())


def fit_signature(table: FeatureTable, views: Views, weight: Floats, rows: Ints, *, name: str) -> Expert:
    """Fit an expert that knows the signature of one generator, from rows of people's music and its own."""
    alone = replace(table, rows=tuple({**row, "generator": name} for row in table.rows))
    recipe = replace(SIGNATURES, name=f"{SIGNATURE_OF}{name}")
    return fit_expert(recipe, alone, views, weight, rows)


def signature_scores(
    table: FeatureTable, views: Views, weight: Floats, *, added: Mask, fold: Ints, name: str, jobs: int = 1
) -> Floats:
    """Fit of one generator's signature for tracks whose fold of people's music it was made without.

    Parameters
    ----------
    table, views, weight
        Labelled rows, their views and weights.
    added : ndarray of bool, shape (tracks,)
        Rows of the generator.
    fold : ndarray of int, shape (tracks,)
        Folds of sources; -1 for rows that are not scored.
    name : str
        The generator.
    jobs : int
        Threads.

    Returns
    -------
    ndarray of float32, shape (tracks,)
        0 where not scored.
    """
    from joblib import Parallel, delayed

    human = table.column("label") == "human"
    numbers = sorted(set(fold.tolist()) - {-1})
    taught = [np.flatnonzero((human & (fold != number)) | added) for number in numbers]
    fitted = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(fit_signature)(table, views, weight, rows, name=name) for rows in taught
    )
    scores = np.zeros(len(table), dtype=np.float32)
    for number, expert in zip(numbers, fitted, strict=True):
        here = np.flatnonzero(fold == number)
        scores[here] = expert.score(views.take(here))
    return scores


def heard_by(combiners: Mapping[str, Combiner], name: str, people: Floats) -> dict[str, Combiner]:
    """Let combiners hear the signature of an addition, as far as people's tracks allow.

    It is silent up to a fit that two in a thousand of people's tracks reach. Beyond the best of n of them at most 3 / n
    lie with a confidence of 95 % (rule of three; Hanley, Lippman-Hand 1983); where half of the generator's tracks do,
    such a fit is worth the logarithm of n / 6, and what lies between is worth its share of that.

    Parameters
    ----------
    combiners : mapping of str to Combiner
        Of a detector.
    name : str
        Of the expert.
    people : ndarray, shape (tracks,)
        Its scores of people's tracks that it was made without.
    """
    floor, ceiling = float(np.quantile(people, _FLOOR)), float(people.max())
    width = max(_SOFT * (ceiling - floor), 1e-3)
    ceiling = max(ceiling, floor + 2.0 * width)
    weight = max(float(np.log(len(people) / 6.0)), 0.0) / (ceiling - floor)
    return {
        kind: replace(
            combiner,
            weights={**combiner.weights, name: weight},
            floors={**combiner.floors, name: floor},
            ceilings={**combiner.ceilings, name: ceiling},
            widths={**combiner.widths, name: width},
            centres={**combiner.centres, name: 0.0},
        )
        for kind, combiner in combiners.items()
    }
