"""How often verdicts are wrong, and how much of a catalogue is AI once that is taken out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .errors import TrainingError
from .verdicts import SHORT, Thresholds

__all__ = [
    "LENGTHS",
    "RECALIBRATED",
    "Counted",
    "Prevalence",
    "Rates",
    "error_rates",
    "estimate_prevalence",
    "length_of",
    "own_thresholds",
    "rates_of",
    "recalibrated",
    "stated_metrics",
]

LENGTHS = ("short", "long")
"""Lengths for which a model states error rates, below and from :data:`~aidetect.verdicts.SHORT` seconds on."""

RECALIBRATED = "recalibrated"
"""What the version of a recalibrated model tells."""

_OF_PEOPLE = ("false_positives", "false_positives_high")
_OF_AI = ("missed", "missed_high")
_Z = 1.959964  # two-sided 95 %
_LEAST_YOUDEN = 1e-9  # of sensitivity and specificity beyond what chance gives
_UPPER = 0.975  # share of a distribution below the upper end of such an interval


def length_of(seconds: float | None) -> str:
    """Tell which of :data:`LENGTHS` a track has; what is unknown counts as short."""
    return "long" if seconds is not None and seconds >= SHORT else "short"


def stated_metrics(about: Mapping[str, Any], length: str) -> Mapping[str, Any]:
    """Metrics that a model states for one of :data:`LENGTHS`, else those for all.

    Empty where it states none, or none that were measured on sources outside its training.
    """
    if about.get("unseen_sources") is False:
        return {}
    by_length = about.get("metrics_by_length")
    own = by_length.get(length) if isinstance(by_length, Mapping) else None
    stated = own or about.get("metrics")
    return stated if isinstance(stated, Mapping) else {}


def error_rates(about: Mapping[str, Any], *, seconds: float) -> dict[str, float]:
    """Return how often verdicts on tracks of some length are wrong.

    Parameters
    ----------
    about : mapping
        Of a detector.
    seconds : float
        Length of the track.

    Returns
    -------
    dict of str to float
        ``"false_positives"``, ``"false_positives_high"``, ``"missed"`` and ``"missed_high"`` as in
        :class:`~aidetect.evaluation.Metrics`, as far as the model states them. Where a recalibration had enough tracks
        of this length, the first two are those of :func:`recalibrated`, and ``"bound"`` is the rate that was asked of
        it. For other lengths they stay the model's own.
    """
    length = length_of(seconds)
    stated = dict(stated_metrics(about, length)) | {"bound": None}
    recalibration = about.get("recalibration")
    if isinstance(recalibration, Mapping):
        bound, lengths = recalibration.get("max_false_positive_rate"), recalibration.get("lengths")
        if not isinstance(lengths, Mapping):  # an older model, of which no more is known
            stated |= dict.fromkeys(_OF_PEOPLE, bound)
        elif isinstance(own := lengths.get(length), Mapping) and set(_OF_PEOPLE) <= set(own):
            stated |= {**{name: own[name] for name in _OF_PEOPLE}, "bound": bound}
    return {name: float(stated[name]) for name in (*_OF_PEOPLE, *_OF_AI, "bound") if _is_share(stated.get(name))}


def _is_share(x: object) -> bool:
    return isinstance(x, int | float) and 0.0 <= x <= 1.0


def own_thresholds(thresholds: Thresholds, about: Mapping[str, Any]) -> Thresholds:
    """Undo a recalibration; thresholds of a detector without one, or of an older one, stay."""
    earlier = about.get("recalibration")
    return Thresholds(**earlier["own"]) if isinstance(earlier, Mapping) and "own" in earlier else thresholds


def recalibrated(
    thresholds: Thresholds, about: Mapping[str, Any], scores: Mapping[str, Sequence[float]], *, rate: float
) -> tuple[Thresholds, dict[str, Any]]:
    """Set the verdict ``ai`` by people's tracks of one collection.

    Of n tracks of a length ``k = floor((n + 1) * rate)`` bear the threshold: it lies just above the k-th highest. On
    further tracks of the collection the rate of false positives then has the distribution Beta(k, n - k + 1), with the
    mean k / (n + 1) (Vovk 2012). Where k is 0, nothing is known of this length: its threshold may be raised to that of
    all tracks, and is not lowered. That of short tracks no longer falls with their length.

    Parameters
    ----------
    thresholds, about
        Of a detector. An earlier recalibration is undone first.
    scores : mapping of str to sequence of float
        Probabilities of different tracks, under each of :data:`LENGTHS`.
    rate : float
        Wanted of false positives, between 0 and 1.

    Returns
    -------
    thresholds : Thresholds
    note : dict
        ``"tracks"``, ``"max_false_positive_rate"``; ``"own"``, the thresholds of the model; ``"lengths"``, with each
        ``"tracks"``, ``"threshold"``, ``"recall"``, None where it is not known, and, where k is not 0,
        ``"false_positives"``, the mean, and
        ``"false_positives_high"``, the upper end of the 95 % interval.

    Raises
    ------
    TrainingError
        Too few tracks of either length.

    References
    ----------
    Vovk (2012), Conditional validity of inductive conformal predictors, PMLR 25, 475-490.
    """
    thresholds = own_thresholds(thresholds, about)
    every = [p for name in LENGTHS for p in scores[name]]
    if not any(_bearing(scores[name], rate) for name in LENGTHS):
        needed = math.ceil(1.0 / rate) - 1
        raise TrainingError(
            f"{len(every)} different human tracks ({len(scores['short'])} under {SHORT:.0f} s, {len(scores['long'])} "
            f"longer) cannot bound false positives at {rate:.1%}: at least {needed} of one of these lengths are needed."
        )
    lengths: dict[str, dict[str, Any]] = {}
    for name, seconds in zip(LENGTHS, (0.0, SHORT), strict=True):
        own, n, k = thresholds.limits(seconds)[0], len(scores[name]), _bearing(scores[name], rate)
        limit = _above(scores[name], k) if k else max(own, _above(every, _bearing(every, rate)))
        changed = k or limit > own or (name == "short" and thresholds.falls_from < SHORT)
        recall = _recall(about, name, limit) if changed else stated_metrics(about, name).get("found")
        lengths[name] = {"tracks": n, "threshold": limit, "recall": recall}
        if k:
            lengths[name] |= {"false_positives": k / (n + 1), "false_positives_high": _highest(k, n)}
    long, short = lengths["long"]["threshold"], lengths["short"]["threshold"]
    found = replace(
        thresholds,
        ai=long,
        human=min(thresholds.human, long),
        ai_short=short,
        human_short=min(thresholds.limits(0.0)[1], short),
        falls_from=SHORT,
        max_false_positive_rate=rate,
    )
    return found, {
        "tracks": len(every),
        "max_false_positive_rate": rate,
        "own": asdict(thresholds),
        "lengths": lengths,
    }


def _bearing(scores: Sequence[float], rate: float) -> int:
    return math.floor((len(scores) + 1) * rate)


def _above(scores: Sequence[float], k: int) -> float:
    return float(np.nextafter(sorted(scores)[-k], 2.0))


def _highest(k: int, n: int) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(k, n - k + 1, _UPPER))


def _recall(about: Mapping[str, Any], length: str, limit: float) -> float | None:
    """Share of AI tracks from `limit` on; of all lengths where the model is older, or knows too few of this one."""
    if about.get("unseen_sources") is False:
        return None
    by_length = about.get("ai_quantiles_by_length")
    own = by_length.get(length) if isinstance(by_length, Mapping) else None
    quantiles = np.asarray(own or about.get("ai_quantiles", []), dtype=np.float64)
    return float(np.mean(quantiles >= limit)) if quantiles.size else None


@dataclass(frozen=True)
class Rates:
    """How often the verdict ``ai`` is given.

    Attributes
    ----------
    found, ai_tracks : float
        Share of AI tracks with that verdict on sources outside training, and of how many.
    false_positives, human_tracks : float
        The same for people's tracks.
    """

    found: float
    ai_tracks: float
    false_positives: float
    human_tracks: float


def rates_of(about: Mapping[str, Any], length: str) -> Rates:
    """Rates that hold for one of :data:`LENGTHS`, with the thresholds of a recalibration if there was one.

    Numbers of tracks are effective ones where the model states them: tracks of one source count for less.

    Raises
    ------
    KeyError, TypeError, ValueError
        The model does not state them.
    """
    stated = stated_metrics(about, length)
    known: dict[str, Any] = {
        "found": stated.get("found"),
        "ai": stated.get("ai_effective") or stated.get("ai"),
        "false_positives": stated.get("false_positives"),
        "human": stated.get("human_effective") or stated.get("human"),
    }
    recalibration = about.get("recalibration")
    if recalibration and "lengths" in recalibration:
        own = recalibration["lengths"][length]
        known["found"] = own["recall"]
        if "false_positives" in own:
            known |= {"false_positives": own["false_positives"], "human": own["tracks"]}
    elif recalibration:  # of an older version: one threshold for all lengths
        known = {
            "found": recalibration["recall"],
            "ai": about["metrics"]["ai"],
            "false_positives": recalibration["max_false_positive_rate"],
            "human": recalibration["tracks"],
        }
    return Rates(*(float(x) for x in known.values()))


@dataclass(frozen=True)
class Counted:
    """Tracks of which one set of rates holds.

    Attributes
    ----------
    flagged, total : int
        Tracks with the verdict ``ai``, and all tracks with a verdict.
    rates : Rates
        How often that verdict is given to AI and to people's tracks like these.
    """

    flagged: int
    total: int
    rates: Rates


@dataclass(frozen=True)
class Prevalence:
    """Share of AI-generated tracks.

    Attributes
    ----------
    share : float
        Rogan and Gladen's estimate, kept within [0, 1].
    low, high : float
        95 % interval of Lang and Reiczigel.
    flagged : float
        Share of tracks with the verdict ``ai``, uncorrected.
    """

    share: float
    low: float
    high: float
    flagged: float


def estimate_prevalence(parts: Sequence[Counted]) -> Prevalence | None:
    """Correct the share of flagged tracks for tracks missed and tracks wrongly flagged.

    Every part, say short and long tracks, is corrected by its own rates, and may have a share of AI of its own. The
    rates come from a finite number of tracks, which the interval takes into account. It holds for a catalogue whose
    AI and human music is as hard to tell as what the rates were measured on.

    Parameters
    ----------
    parts : sequence of Counted
        Different tracks. Where flagged tracks tell nothing, since the verdict is as frequent among people's tracks, the
        share is taken to be that of the other parts, and anywhere between 0 and 1 for the interval.

    Returns
    -------
    Prevalence or None
        None without tracks, or where the verdict tells nothing anywhere.

    References
    ----------
    Rogan, Gladen (1978), Am. J. Epidemiology 107, 71-76. Lang, Reiczigel (2014), Preventive Veterinary Medicine 113,
    13-22. The interval of the sum: Zou, Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    total, telling = sum(part.total for part in parts), [part for part in parts if _tells(part)]
    if not telling:
        return None
    shares, lows, highs = np.array([_corrected(part) for part in telling]).T
    weights = np.array([part.total for part in telling]) / total
    unknown = 1.0 - float(weights.sum())
    share = float(np.average(shares, weights=weights))
    below = [*weights * np.maximum(shares - lows, 0.0), unknown * _within(share)]
    above = [*weights * np.maximum(highs - shares, 0.0), unknown * (1.0 - _within(share))]
    flagged = sum(part.flagged for part in parts) / total
    return Prevalence(_within(share), _within(share - math.hypot(*below)), _within(share + math.hypot(*above)), flagged)


def _tells(part: Counted) -> bool:
    rates = part.rates
    enough = part.total >= 1 and rates.ai_tracks >= 1 and rates.human_tracks >= 1
    return enough and rates.found > rates.false_positives and sum(_adjusted(rates)) - 1.0 > _LEAST_YOUDEN


def _adjusted(rates: Rates) -> tuple[float, float]:
    """Sensitivity and specificity as if one more track of either class had been told right, and one wrong."""
    sensitivity = (rates.ai_tracks * rates.found + 1.0) / (rates.ai_tracks + 2.0)
    return sensitivity, (rates.human_tracks * (1.0 - rates.false_positives) + 1.0) / (rates.human_tracks + 2.0)


def _corrected(part: Counted) -> tuple[float, float, float]:
    """Share of AI in one part and its interval, also below 0 or above 1."""
    flagged, total, rates = part.flagged, part.total, part.rates
    share = (flagged / total - rates.false_positives) / (rates.found - rates.false_positives)
    square = _Z * _Z
    n, n_ai, n_human = total + square, rates.ai_tracks + 2.0, rates.human_tracks + 2.0
    p = (flagged + square / 2.0) / n
    sensitivity, specificity = _adjusted(rates)
    youden = sensitivity + specificity - 1.0
    middle = (p + specificity - 1.0) / youden
    of_ai = sensitivity * (1.0 - sensitivity) / n_ai
    of_human = specificity * (1.0 - specificity) / n_human
    shift = 2.0 * square * (middle * of_ai - (1.0 - middle) * of_human)
    spread = math.sqrt(p * (1.0 - p) / n + middle**2 * of_ai + (1.0 - middle) ** 2 * of_human) / youden
    return share, middle + shift - _Z * spread, middle + shift + _Z * spread


def _within(x: float) -> float:
    return min(max(x, 0.0), 1.0)
