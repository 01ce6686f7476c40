"""How much of a catalogue is AI, once the known errors of the verdicts are taken out."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Prevalence", "estimate_prevalence"]

_Z = 1.959964  # two-sided 95 %


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
    flagged: int, total: int, *, found: float, ai_tracks: int, false_positives: float, human_tracks: int
) -> Prevalence | None:
    """Correct the share of flagged tracks for tracks missed and tracks wrongly flagged.

    The rates come from a finite number of tracks, which the interval takes into account. It holds for a catalogue whose
    AI and human music is as hard to tell as what the rates were measured on.

    Parameters
    ----------
    flagged, total : int
        Tracks with the verdict ``ai``, and all tracks with a verdict.
    found, ai_tracks : float, int
        Share of AI tracks with that verdict on sources outside training, and of how many.
    false_positives, human_tracks : float, int
        The same for people's tracks.

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
