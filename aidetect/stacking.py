"""Stacking: what the word of each expert is worth, learned from predictions for what the experts had not met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .combiner import Combiner, combine, log_length, soft_clip
from .dataset import FeatureTable
from .fitting import VOCAL_ONLY
from .heldout import HeldOut
from .splits import family_weights, row_weights

__all__ = ["Lesson", "cross_fitted", "fit_combiners"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_FLOOR = 0.6  # share of people's tracks below whose score an expert's word is levelled off
_CEILING = 0.995  # the same above which it is levelled off as well: of what is rarer, too little is known
_SOFT = 0.3  # of half the range in which two thirds of people's tracks lie: how softly
_UNSEEN_SHARE = 0.25  # of the combiner's lesson: tracks of generators that the experts had not met
_COPY_WEIGHT = 1.0  # of a track: what an expert's word is worth is to hold for altered music as well
_LEAST_SPREAD = 0.1  # log-odds: an expert that says nearly the same of every track must not be blown up
_LENGTH_STEPS = (8.0, 15.0, 30.0, 60.0, 150.0)  # s, between which both classes weigh the same


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
        ai, seconds, weight = table.column("label") == "ai", table.seconds(), row_weights(table, copies=_COPY_WEIGHT)
        if unseen is None:
            return cls(ai, seconds, ((known, weight),))
        named = family_weights(table, copies=_COPY_WEIGHT)
        if (unseen.fold < 0).any():
            named[unseen.fold < 0] = 0.0
            named[ai] *= named[~ai].sum() / max(float(named[ai].sum()), 1e-9)
        return cls(
            ai,
            seconds,
            ((known, weight * np.float32(1.0 - _UNSEEN_SHARE)), (unseen, named * np.float32(_UNSEEN_SHARE))),
        )

    def combiners(self, rows: Mask) -> dict[str, Combiner]:
        """Fit combiners on some of the tracks."""
        names = list(self.parts[0][0].scores)
        parts = [(held, weight, rows & (held.fold >= 0)) for held, weight in self.parts]
        return fit_combiners(
            {name: np.concatenate([held.scores[name][here] for held, _, here in parts]) for name in names},
            np.concatenate([held.sings[here] for held, _, here in parts]),
            np.concatenate([self.ai[here] for _, _, here in parts]),
            np.concatenate([weight[here] for _, weight, here in parts]),
            seconds=np.concatenate([self.seconds[here] for _, _, here in parts]),
        )


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
        Log-odds by expert; NaN where one abstained.
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
    low, floor, high, top = (
        np.array([np.nanquantile(scores[n][~ai], q) for n in scores]) for q in (0.16, _FLOOR, 0.84, _CEILING)
    )
    width = np.maximum(_SOFT * 0.5 * (high - low), _SOFT * _LEAST_SPREAD)
    ceiling = np.maximum(top, floor + 2.0 * width)
    limits = zip(scores, floor, ceiling, width, strict=True)
    x = np.stack([soft_clip(scores[n], low=f, high=c, width=w) for n, f, c, w in limits], axis=1)
    middle = 0.5 * (_mean(x[ai], weight[ai]) + _mean(x[~ai], weight[~ai]))
    x = np.where(np.isfinite(x), x, middle)
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


def _mean(x: npt.NDArray[np.float64], weight: Floats) -> npt.NDArray[np.float64]:
    """Weighted means of columns, of what is not NaN."""
    each = np.where(np.isfinite(x), weight[:, np.newaxis].astype(np.float64), 0.0)
    found: npt.NDArray[np.float64] = (each * np.nan_to_num(x)).sum(axis=0) / np.maximum(each.sum(axis=0), 1e-9)
    return found


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
