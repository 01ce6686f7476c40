"""How often verdicts are wrong, and how much of a catalogue is AI once that is taken out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .verdicts import SHORT

__all__ = [
    "LENGTHS",
    "Prevalence",
    "Rates",
    "error_rates",
    "estimate_prevalence",
    "length_of",
    "stated_metrics",
    "weighted",
]

LENGTHS = ("short", "long")
"""Lengths for which a model states error rates, below and from :data:`~aidetect.verdicts.SHORT` seconds on."""

_OF_PEOPLE = ("false_positives", "false_positives_high")
_Z = 1.959964  # two-sided 95 %


def length_of(seconds: float | None) -> str:
    """Tell which of :data:`LENGTHS` a track has; what is unknown counts as short."""
    return "long" if seconds is not None and seconds >= SHORT else "short"


def stated_metrics(about: Mapping[str, Any], length: str) -> Mapping[str, Any]:
    """Metrics that a model states for one of :data:`LENGTHS`, else those for all; empty where it states none."""
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
        ``"false_positives"``, ``"false_positives_high"`` and ``"missed"`` as in
        :class:`~aidetect.evaluation.Metrics`, as far as the model states them. After a recalibration the first two are
        its bound.
    """
    stated = dict(stated_metrics(about, length_of(seconds)))
    recalibration = about.get("recalibration")
    if isinstance(recalibration, Mapping):
        stated |= dict.fromkeys(_OF_PEOPLE, recalibration.get("max_false_positive_rate"))
    return {name: float(stated[name]) for name in (*_OF_PEOPLE, "missed") if _is_share(stated.get(name))}


def _is_share(x: object) -> bool:
    return isinstance(x, int | float) and 0.0 <= x <= 1.0


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


def weighted(parts: Sequence[tuple[float, Rates]]) -> Rates:
    """Rates for a mixture of tracks.

    Parameters
    ----------
    parts : sequence of (float, Rates)
        Weights, which add up to 1, and the rates of each part.

    Returns
    -------
    Rates
        Numbers of tracks are effective ones: of as many, a rate would be as uncertain as the mixture's.
    """
    return Rates(
        sum(w * r.found for w, r in parts),
        _effective([(w, r.ai_tracks) for w, r in parts]),
        sum(w * r.false_positives for w, r in parts),
        _effective([(w, r.human_tracks) for w, r in parts]),
    )


def _effective(parts: Sequence[tuple[float, float]]) -> float:
    if any(n <= 0.0 for _, n in parts):
        return 0.0
    return 1.0 / sum(w * w / n for w, n in parts)


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


def estimate_prevalence(
    flagged: int, total: int, *, found: float, ai_tracks: float, false_positives: float, human_tracks: float
) -> Prevalence | None:
    """Correct the share of flagged tracks for tracks missed and tracks wrongly flagged.

    The rates come from a finite number of tracks, which the interval takes into account. It holds for a catalogue whose
    AI and human music is as hard to tell as what the rates were measured on.

    Parameters
    ----------
    flagged, total : int
        Tracks with the verdict ``ai``, and all tracks with a verdict.
    found, ai_tracks, false_positives, human_tracks : float
        As in :class:`Rates`.

    Returns
    -------
    Prevalence or None
        None without tracks, or where the verdict tells nothing.

    References
    ----------
    Rogan, Gladen (1978), Am. J. Epidemiology 107, 71-76. Lang, Reiczigel (2014), Preventive Veterinary Medicine 113,
    13-22.
    """
    if total < 1 or ai_tracks < 1 or human_tracks < 1 or found <= false_positives:
        return None
    apparent = flagged / total
    share = _within((apparent - false_positives) / (found - false_positives))
    square = _Z * _Z
    n, n_ai, n_human = total + square, ai_tracks + 2.0, human_tracks + 2.0
    p = (flagged + square / 2.0) / n
    sensitivity = (ai_tracks * found + 1.0) / n_ai
    specificity = (human_tracks * (1.0 - false_positives) + 1.0) / n_human
    youden = sensitivity + specificity - 1.0
    middle = (p + specificity - 1.0) / youden
    of_ai = sensitivity * (1.0 - sensitivity) / n_ai
    of_human = specificity * (1.0 - specificity) / n_human
    shift = 2.0 * square * (middle * of_ai - (1.0 - middle) * of_human)
    spread = math.sqrt(p * (1.0 - p) / n + middle**2 * of_ai + (1.0 - middle) ** 2 * of_human) / youden
    return Prevalence(share, _within(middle + shift - _Z * spread), _within(middle + shift + _Z * spread), apparent)


def _within(x: float) -> float:
    return min(max(x, 0.0), 1.0)
