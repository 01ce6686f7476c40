"""The combiner: what the experts found becomes one probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["EXTREME", "Combiner", "combine", "log_length", "probability_of", "soft_clip"]

Floats = npt.NDArray[np.float32]

EXTREME = 12.0
"""Log-odds beyond which no probability is claimed."""

_LENGTH, _LENGTHS = 30.0, (4.0, 135.0)  # s; where the factor of evidence is stated, and between which it changes
_LEAST_RELIANCE = 0.05
_SAME = 0.01  # log-odds


@dataclass(frozen=True)
class Combiner:
    """Weighted sum of what the experts found, calibrated on tracks of unseen sources.

    An expert that finds its kind of trace speaks for AI; one that does not says little, since there are other kinds.
    Its log-odds are therefore levelled off below `floors`. Above `ceilings`, which hardly any of people's tracks
    reaches, they are levelled off too, so that no expert alone outweighs all others.

    Little sound says little: the sum is multiplied by a factor that grows with the length of a track, and never changes
    its sign.

    Attributes
    ----------
    weights, floors, ceilings, widths, centres : Mapping of str to float
        Per expert; its evidence is ``weight * (soft_clip(log-odds) - centre)``. Experts not named stay silent, and one
        whose log-odds are NaN speaks for neither side.
    bias : float
        Log-odds without any evidence.
    certainty, growth : float
        The factor at 30 s, and what it grows by with the natural logarithm of the length.
    """

    weights: Mapping[str, float]
    floors: Mapping[str, float]
    ceilings: Mapping[str, float]
    widths: Mapping[str, float]
    centres: Mapping[str, float]
    bias: float
    certainty: float
    growth: float

    def reliance(self, seconds: Floats) -> Floats:
        """Factor of all evidence by the length of a track in s, shape (tracks,)."""
        factor: Floats = np.maximum(self.certainty + self.growth * log_length(seconds), _LEAST_RELIANCE)
        return factor.astype(np.float32)

    def evidence(self, scores: Mapping[str, Floats]) -> dict[str, Floats]:
        """What every expert adds to the log-odds."""
        return {
            name: (weight * (self._level(name, scores[name]) - self.centres[name])).astype(np.float32)
            for name, weight in self.weights.items()
        }

    def gain(self, name: str, start: float, end: float) -> float:
        """By how much the sum rises per unit of an expert's log-odds, on the way from one value to another.

        What moved an expert from `start` to `end` moved the sum by its share of this (integrated gradients;
        Sundararajan, Taly, Yan 2017), so that parts add up even where the expert is levelled off.
        """
        if abs(end - start) < _SAME:
            start, end = start - _SAME, end + _SAME
        first, last = self._level(name, np.array([start, end], dtype=np.float32))
        return self.weights[name] * float(last - first) / (end - start)

    def _level(self, name: str, score: Floats) -> npt.NDArray[np.float64]:
        return soft_clip(score, low=self.floors[name], high=self.ceilings[name], width=self.widths[name])


def log_length(seconds: Floats) -> Floats:
    """Natural logarithm of a length over 30 s, from four seconds to two minutes; what is longer tells no more."""
    found: Floats = np.log(np.clip(seconds, *_LENGTHS) / _LENGTH)
    return found


def soft_clip(score: Floats, *, low: float, high: float, width: float) -> npt.NDArray[np.float64]:
    """Excess of `score` over `low`, bent smoothly to 0 below it and to ``high - low`` above `high`.

    Parameters
    ----------
    score : ndarray
        Log-odds.
    low, high : float
        Where it bends.
    width : float
        Scale of the bends: half a unit of it beyond a limit, the slope is about two thirds or one third.
    """
    x = score.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of an expert that abstains
        found: npt.NDArray[np.float64] = width * (
            np.logaddexp(0.0, (x - low) / width) - np.logaddexp(0.0, (x - high) / width)
        )
    return found


def combine(
    scores: Mapping[str, Floats],
    sings: npt.NDArray[np.bool_],
    combiners: Mapping[str, Combiner],
    *,
    seconds: Floats,
) -> tuple[Floats, dict[str, Floats]]:
    """Add up the experts' log-odds with the combiner that fits each track.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (tracks,)
        Log-odds of each expert; NaN where it abstains.
    sings : ndarray of bool, shape (tracks,)
        Which tracks have a voice.
    combiners : mapping of str to Combiner
        ``"vocal"`` and ``"instrumental"``.
    seconds : ndarray, shape (tracks,)
        Lengths.
    """
    evidence = {name: np.full(len(sings), np.nan, dtype=np.float32) for name in scores}
    logits = np.zeros(len(sings), dtype=np.float32)
    for kind, rows in (("vocal", sings), ("instrumental", ~sings)):
        combiner = combiners[kind]
        factor = combiner.reliance(seconds[rows])
        for name, part in combiner.evidence({n: s[rows] for n, s in scores.items()}).items():
            evidence[name][rows] = factor * part
            logits[rows] += factor * np.nan_to_num(part)
        logits[rows] += factor * np.float32(combiner.bias)
    return logits, evidence


def probability_of(logits: Floats) -> Floats:
    """Turn log-odds into probabilities."""
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -EXTREME, EXTREME).astype(np.float64)))).astype(np.float32)
