"""Measuring a detector: discrimination, calibration, verdicts; over all tracks and slice by slice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .combiner import combine, probability_of
from .dataset import FeatureTable, table_of
from .detector import Detector
from .errors import TrainingError
from .features import FAMILIES
from .fitting import RECIPES, usable
from .heldout import out_of_family, out_of_source
from .kin import family_of
from .labels import LabelledTrack
from .splits import MIN_SOURCES, fewest_groups, folds_of
from .stacking import Lesson, cross_fitted
from .verdicts import cross_verdicts, design_effect, rate_interval, wilson

__all__ = ["Evaluation", "Metrics", "cross_validate", "evaluate", "metrics", "rate_interval", "wilson"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]

_BINS = 10


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of predictions.

    Attributes
    ----------
    human, ai : int
        Tracks.
    auroc : float
        Area under the receiver operating characteristic.
    tpr_at_5, tpr_at_1 : float
        Share of AI tracks found where 5 % and 1 % of the human tracks are flagged.
    brier, calibration_error : float
        Brier score, and expected calibration error over ten bins, both classes weighing the same; NaN without one.
    false_positives, false_positives_low, false_positives_high : float
        Share of human tracks with the verdict ``ai``, and the ends of its 95 % interval by sources
        (:func:`~aidetect.verdicts.rate_interval`).
    found, found_low, found_high, missed, missed_low, missed_high : float
        Shares of AI tracks with the verdicts ``ai`` and ``human``, and their intervals.
    uncertain : float
        Share of all tracks.
    human_sources, ai_sources, flagged_sources : int
        Sources of the tracks, and those of human tracks of which one has the verdict ``ai``.
    human_effective, ai_effective : float
        Of so many tracks, each of a source of its own, the two shares would be as uncertain.
    """

    human: int
    ai: int
    auroc: float
    tpr_at_5: float
    tpr_at_1: float
    brier: float
    calibration_error: float
    false_positives: float
    false_positives_low: float
    false_positives_high: float
    found: float
    found_low: float
    found_high: float
    missed: float
    missed_low: float
    missed_high: float
    uncertain: float
    human_sources: int
    ai_sources: int
    flagged_sources: int
    human_effective: float
    ai_effective: float

    def to_dict(self) -> dict[str, float | int | None]:
        """Return plain numbers, rounded to four digits; NaN becomes None."""
        return {k: (None if v != v else round(v, 4)) if isinstance(v, float) else v for k, v in asdict(self).items()}


def auroc(probability: Floats, ai: Mask) -> float:
    """Probability that an AI track scores above a human one (Mann-Whitney); ties count half."""
    from scipy.stats import rankdata

    n, m = int(ai.sum()), int((~ai).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(probability)[ai].sum() - n * (n + 1) / 2) / (n * m))


def tpr_at(probability: Floats, ai: Mask, rate: float) -> float:
    """Share of AI tracks above the threshold that at most `rate` of the human tracks exceed."""
    human = np.sort(probability[~ai])[::-1]
    if not len(human) or not ai.any():
        return float("nan")
    allowed = int(np.floor(rate * len(human)))
    limit = human[allowed] if allowed < len(human) else -np.inf
    return float(np.mean(probability[ai] > limit))


def metrics(probability: Floats, ai: Mask, verdict: Words, source: Words | None = None) -> Metrics:
    """Compute all figures.

    Parameters
    ----------
    probability : ndarray, shape (tracks,)
        Of being AI.
    ai : ndarray of bool, shape (tracks,)
        Truth.
    verdict : ndarray of str, shape (tracks,)
        ``"ai"``, ``"human"`` or ``"uncertain"``.
    source : ndarray of str, shape (tracks,), optional
        Where tracks come from; by default, and where empty, each from a source of its own.
    """
    sources = _told_apart(np.full(len(ai), "") if source is None else source)
    flagged = verdict == "ai"
    weight = _balanced(ai)
    both = bool(ai.any() and not ai.all())
    wrong_low, wrong_high = rate_interval(flagged[~ai], sources[~ai])
    found_low, found_high = rate_interval(flagged[ai], sources[ai])
    missed_low, missed_high = rate_interval(verdict[ai] == "human", sources[ai])
    return Metrics(
        human=int((~ai).sum()),
        ai=int(ai.sum()),
        **_rates(probability, ai, verdict),
        brier=float(np.sum(weight * (probability - ai) ** 2) / weight.sum()) if both else float("nan"),
        calibration_error=_calibration_error(probability, ai) if both else float("nan"),
        false_positives_low=wrong_low,
        false_positives_high=wrong_high,
        found_low=found_low,
        found_high=found_high,
        missed_low=missed_low,
        missed_high=missed_high,
        human_sources=len(set(sources[~ai].tolist())),
        ai_sources=len(set(sources[ai].tolist())),
        flagged_sources=len(set(sources[flagged & ~ai].tolist())),
        human_effective=float((~ai).sum()) / design_effect(flagged[~ai], sources[~ai]),
        ai_effective=float(ai.sum()) / design_effect(flagged[ai], sources[ai]),
    )


def _rates(probability: Floats, ai: Mask, verdict: Words) -> dict[str, float]:
    """Figures that need neither sources nor calibration, by their names in :class:`Metrics`."""

    def share(mask: Mask) -> float:
        return float(mask.mean()) if mask.size else float("nan")

    return {
        "auroc": auroc(probability, ai),
        "tpr_at_5": tpr_at(probability, ai, 0.05),
        "tpr_at_1": tpr_at(probability, ai, 0.01),
        "found": share(verdict[ai] == "ai"),
        "missed": share(verdict[ai] == "human"),
        "false_positives": share(verdict[~ai] == "ai"),
        "uncertain": share(verdict == "uncertain"),
    }


def _ends(figures: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(figures, (0.025, 0.975))
    return float(low), float(high)


def _told_apart(source: Words) -> Words:
    """Name sources that have no name by the number of the row."""
    return np.array([name or f"row {i}" for i, name in enumerate(source.tolist())], dtype=np.str_)


def reliability(probability: Floats, ai: Mask) -> list[tuple[float, float, int]]:
    """Mean prediction, share of AI (both classes weighing the same) and count in ten bins of equal width."""
    return [(mean, share, count) for mean, share, count, _ in _bins(probability, ai)]


def _calibration_error(probability: Floats, ai: Mask) -> float:
    parts = [(weight * abs(mean - share), weight) for mean, share, _, weight in _bins(probability, ai)]
    return sum(part for part, _ in parts) / sum(weight for _, weight in parts) if parts else float("nan")


def _bins(probability: Floats, ai: Mask) -> Iterator[tuple[float, float, int, float]]:
    """Mean prediction, share of AI, count and weight of every bin that is not empty."""
    weight = _balanced(ai)
    which = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    for number in range(_BINS):
        here = which == number
        if here.any():
            w = weight[here]
            mean, share = (float(np.average(x[here], weights=w)) for x in (probability, ai))
            yield mean, share, int(here.sum()), float(w.sum())


def _balanced(ai: Mask) -> npt.NDArray[np.float64]:
    """Weights with which both classes weigh the same."""
    weight: npt.NDArray[np.float64] = np.where(ai, 0.5 / max(ai.sum(), 1), 0.5 / max((~ai).sum(), 1))
    return weight


@dataclass(frozen=True)
class Evaluation:
    """Predictions for labelled tracks and the figures made of them.

    Attributes
    ----------
    rows : tuple of dict
        What is known about each track.
    ai : ndarray of bool, shape (tracks,)
        Truth.
    probability : ndarray, shape (tracks,)
        Prediction.
    parts : Mapping of str to ndarray, shape (tracks,)
        Log-odds by family, and by expert as ``"expert <name>"``.
    verdict : ndarray of str, shape (tracks,)
        ``"ai"``, ``"human"`` or ``"uncertain"``.
    fold : ndarray of int, shape (tracks,)
        Which tracks were left out of training together; all 0 where one detector answered.
    """

    rows: tuple[dict[str, str], ...]
    ai: Mask
    probability: Floats
    parts: Mapping[str, Floats]
    verdict: Words
    fold: Ints

    @property
    def overall(self) -> Metrics:
        """Figures over all tracks."""
        return self.over(np.ones(len(self.ai), dtype=bool))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON types."""
        return {
            "overall": self.overall.to_dict(),
            "alone": {name: [_rounded(x) for x in figures] for name, figures in self.alone().items()},
            **{f"by_{c}": {k: m.to_dict() for k, m in self.by(c).items()} for c in ("generator", "codec")},
        }

    def by(self, column: str, *, least: int = 1) -> dict[str, Metrics]:
        """Figures per value of a column, each AI slice against all human tracks and the other way round.

        Parameters
        ----------
        column : str
            Such as ``"generator"`` or ``"codec"``.
        least : int
            Slices with fewer tracks are left out.
        """
        entries = self.entries(column)
        found = {}
        for name in sorted(set(entries.tolist())):
            here = entries == name
            if here.sum() < least:
                continue
            classes = {bool(a) for a in self.ai[here]}
            rows = here | (~self.ai if classes == {True} else self.ai if classes == {False} else False)
            found[name] = self.over(rows)
        return found

    def entries(self, column: str) -> npt.NDArray[np.str_]:
        """What every track has in a column; what is empty is ``"unknown"``."""
        return np.array([row.get(column, "") or "unknown" for row in self.rows], dtype=np.str_)

    def known_generators(self, *, least: int = 3) -> Mask:
        """Which AI tracks come from generators of which training held at least `least` tracks of other sources."""
        return self._met(lambda name: name, least)

    def known_families(self, *, least: int = 3) -> Mask:
        """Which AI tracks come from generators of whose family (:func:`~aidetect.kin.family_of`) it held as many."""
        return self._met(family_of, least)

    def _met(self, kind_of: Callable[[str], str], least: int) -> Mask:
        kind = np.array([kind_of(row.get("generator", "")) for row in self.rows], dtype=np.str_)
        known = np.zeros(len(self.rows), dtype=bool)
        for name in sorted(set(kind[self.ai].tolist()) - {""}):
            own = self.ai & (kind == name)
            for number in sorted(set(self.fold[own].tolist())):
                known[own & (self.fold == number)] = (own & (self.fold != number)).sum() >= least
        return known

    @property
    def sources(self) -> Words:
        """Where tracks come from, shape (tracks,)."""
        return _told_apart(np.array([row.get("source", "") for row in self.rows], dtype=np.str_))

    def over(self, rows: Mask) -> Metrics:
        """Figures over some of the tracks."""
        return metrics(self.probability[rows], self.ai[rows], self.verdict[rows], self.sources[rows])

    def intervals(self, *, draws: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % intervals of AUROC and rates, by drawing sources with replacement, people's and AI's apart.

        Parameters
        ----------
        draws, seed : int
            Bootstrap samples (Efron and Tibshirani 1993, of clusters), and of their random numbers.

        Returns
        -------
        dict of str to (float, float)
            By the names of :class:`Metrics`. They hold for the thresholds as they are: those are not chosen anew.
        """
        rng = np.random.default_rng(seed)
        sources = self.sources
        by_class = [
            [np.flatnonzero(side & (sources == name)) for name in sorted(set(sources[side].tolist()))]
            for side in (self.ai, ~self.ai)
        ]
        found: dict[str, list[float]] = {}
        for _ in range(draws):
            rows = np.concatenate([own[i] for own in by_class for i in rng.integers(0, max(len(own), 1), len(own))])
            for name, figure in _rates(self.probability[rows], self.ai[rows], self.verdict[rows]).items():
                found.setdefault(name, []).append(figure)
        return {name: _ends(figures) for name, figures in found.items()}

    def alone(self) -> dict[str, tuple[float, float, float]]:
        """AUROC and rates at 5 % and 1 % of every family and expert by itself; NaN where it abstains is left out."""
        found = {}
        for name, part in self.parts.items():
            ok = np.isfinite(part)
            x, y = part[ok], self.ai[ok]
            found[name] = (auroc(x, y), tpr_at(x, y, 0.05), tpr_at(x, y, 0.01))
        return found


def _rounded(x: float) -> float | None:
    return None if x != x else round(x, 4)


def cross_validate(
    table: FeatureTable, *, folds: int = 5, repeats: int = 1, jobs: int = 1, recipes: Sequence[Any] | None = None
) -> list[Evaluation]:
    """Train and test on different sources, over and over.

    Experts, gate, combiner and thresholds are all fitted without the tracks of the sources they are tested on. What
    combiner and thresholds learn from are predictions by experts that left out other folds, and so met those sources.

    Parameters
    ----------
    table : FeatureTable
        Labelled tracks; altered copies (rows with a ``variant``) are learned from and not tested on.
    folds, repeats : int
        Parts per split, and splits.
    jobs : int
        Threads.
    recipes : sequence of Recipe, optional
        Experts; by default those of the shipped model.

    Returns
    -------
    list of Evaluation
        One per repeat.

    Raises
    ------
    TrainingError
        A class comes from too few sources.
    """
    fewest = fewest_groups(table)
    if fewest < MIN_SOURCES:
        raise TrainingError(
            f"a class comes from {fewest} source(s) only; at least {MIN_SOURCES} of each are needed to test on sources "
            "outside training."
        )
    folds = min(folds, fewest)
    chosen = usable(recipes or RECIPES, table)
    views = table.views()
    ai = table.column("label") == "ai"
    unseen = out_of_family(table, recipes=chosen, jobs=jobs)
    plain = table.column("variant") == ""
    found = []
    for seed in range(repeats):
        fold = folds_of(table, folds=folds, seed=seed)
        result = out_of_source(table, fold, recipes=chosen, views=views, jobs=jobs)
        logits, evidence = cross_fitted(result, Lesson.of(table, result, unseen))
        probability = probability_of(logits)
        withheld = result.withheld(table, probability)
        verdict = cross_verdicts(probability, ai, table.seconds(), fold, counted=plain, withheld=withheld)
        parts = _parts(result.scores, evidence, chosen, result.sings)
        found.append(
            Evaluation(
                tuple(row for row, p in zip(table.rows, plain, strict=True) if p),
                ai[plain],
                probability[plain],
                {name: part[plain] for name, part in parts.items()},
                verdict[plain],
                fold[plain],
            )
        )
    return found


def _parts(
    scores: Mapping[str, Floats], evidence: Mapping[str, Floats], recipes: Sequence[Any], sings: Mask
) -> dict[str, Floats]:
    parts: dict[str, Floats] = {}
    for family in FAMILIES:
        members = [evidence[r.name] for r in recipes if r.family == family]
        if members:
            stacked = np.stack(members)
            parts[family] = np.where(np.isfinite(stacked).any(axis=0), np.nansum(stacked, axis=0), np.nan).astype(
                np.float32
            )
    for recipe in recipes:
        silent = recipe.family == "vocals"
        parts["expert " + recipe.name] = np.where(sings, scores[recipe.name], np.nan) if silent else scores[recipe.name]
    return parts


def evaluate(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack] | FeatureTable,
    *,
    detector: Detector | None = None,
    store: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    report: Callable[[str], None] | None = None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> Evaluation:
    """Score labelled tracks with a detector and compare.

    Parameters
    ----------
    labels : path, sequence of LabelledTrack, or FeatureTable
        As in :func:`aidetect.train`.
    detector : Detector, optional
        By default the one that comes with the library. On tracks it was trained on, the figures are too good.
    store, jobs, report, progress
        As in :func:`aidetect.train`.

    Raises
    ------
    LabelsError
        The labels file cannot be used.
    """
    model = detector or Detector.load()
    table = labels
    if not isinstance(table, FeatureTable):
        table = table_of(table, store=store, jobs=jobs, report=report, progress=progress)
    table = table.take(table.column("variant") == "")  # altered copies are to learn from
    views, _, doubted = model.aligned(table.views())
    scores, sings = model.scores(views), model.sings(views)
    logits, evidence = combine(scores, sings, model.combiners, seconds=table.seconds())
    probability = probability_of(logits)
    return Evaluation(
        table.rows,
        table.column("label") == "ai",
        probability,
        _parts(scores, evidence, model.experts, sings),
        model.thresholds.verdicts(
            probability, seconds=table.seconds(), withheld=model.withheld(table.values, probability, doubted)
        ),
        np.zeros(len(table), dtype=np.int64),
    )
