"""Verdicts: from which probability on, and with what error rates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = [
    "BRIEF",
    "SHORT",
    "Thresholds",
    "choose_thresholds",
    "cross_verdicts",
    "design_effect",
    "rate_interval",
    "wilson",
]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

SHORT = 60.0
"""Seconds below which a track has thresholds of its own: short excerpts are judged with less to go by."""

BRIEF = 15.0
"""Seconds from which on the threshold for ``ai`` may fall to that of tracks of :data:`SHORT` seconds."""

_SURE = 2.3263  # one-sided 99 %: how sure a bound must be for some of people's tracks to lie beyond a threshold
_PROMISED = 1.6449  # one-sided 95 %: how sure it must be for none to be enough
_FEWEST = 50  # human and AI tracks of one length that thresholds of its own are taken from
_TOP = 0.9999
_SURELY = 1e-6  # of certainty, beyond which log-odds are not counted
_LIKENESS = 0.5  # intraclass correlation of errors taken for granted; 0.52 among people's tracks of the shipped table
_DOUBT = 2.0  # sources that this assumption counts as


def wilson(count: float, total: float, *, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share (Wilson, JASA 22, 1927).

    Parameters
    ----------
    count, total : float
        So many of so many; effective numbers need not be whole.
    z : float
        Quantile of the normal distribution; by default that of a confidence of 95 %.

    Returns
    -------
    low, high : float
        0 and 1 where `total` is 0.
    """
    if total <= 0:
        return 0.0, 1.0
    p = count / total
    centre = p + z * z / (2 * total)
    half = z * float(np.sqrt(p * (1 - p) / total + z * z / (4 * total * total)))
    scale = 1 + z * z / total
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def rate_interval(flags: Mask, sources: Words) -> tuple[float, float]:
    """95 % interval of a share among tracks that come from few sources: Wilson's, on n over the design effect.

    Parameters
    ----------
    flags : ndarray of bool, shape (tracks,)
        Which tracks count.
    sources : ndarray of str, shape (tracks,)
        Where each comes from: tracks of one source err together.

    Returns
    -------
    low, high : float
        0 and 1 where there are no tracks.
    """
    total = len(flags) / design_effect(flags, sources)
    return wilson(float(flags.mean()) * total if len(flags) else 0.0, total)


def design_effect(flags: Mask, sources: Words) -> float:
    """Tell how many tracks of these sources say as much about a share as one track of a source of its own would.

    Parameters
    ----------
    flags, sources
        As in :func:`rate_interval`.

    Returns
    -------
    float
        At least 1: the variance of the share over sources, ``G / (G - 1) * sum((y_g - p n_g)^2) / n^2`` with `y_g` of
        the `n_g` tracks of each of `G` sources flagged, over the binomial one, ``p (1 - p) / (n - 1)`` (Rao and Scott,
        Biometrics 48, 1992). Few flagged sources tell little of that, and none nothing: what it lacks of Kish's
        ``1 + (sum(n_g^2) / n - 1) * rho`` (Survey Sampling, 1965) with an intraclass correlation of 0.5 is added by
        ``2 / (2 + k)``, with `k` the sources that have flagged tracks, or if they are fewer, others.
    """
    if not len(flags):
        return 1.0
    _, which, sizes = np.unique(sources, return_inverse=True, return_counts=True)
    counts = np.bincount(which, weights=flags)
    n, groups, share = len(flags), len(sizes), float(flags.mean())
    assumed = 1.0 + (float(np.sum(sizes**2)) / n - 1.0) * _LIKENESS
    found = 1.0
    if groups > 1 and 0.0 < share < 1.0:
        spread = groups / (groups - 1) * float(np.sum((counts - share * sizes) ** 2))
        found = max(1.0, spread / n**2 * (n - 1) / (share * (1.0 - share)))
    telling = min(int((counts > 0).sum()), int((counts < sizes).sum()))
    return found + _DOUBT / (_DOUBT + telling) * max(assumed - found, 0.0)


@dataclass(frozen=True)
class Thresholds:
    """Probabilities at which a verdict is given.

    Attributes
    ----------
    ai : float
        From here on ``"ai"``: false positives among human tracks stay within `max_false_positive_rate`.
    human : float
        Up to here ``"human"``: AI tracks missed stay within `max_miss_rate`.
    ai_short, human_short : float, optional
        The same for tracks under :data:`SHORT` seconds; by default as for all others.
    max_false_positive_rate, max_miss_rate : float
        The bounds aimed at on tracks of sources outside training; :class:`~aidetect.evaluation.Metrics` tell how far
        they are kept.
    falls_from : float
        Seconds from which on `ai_short` falls to `ai` at :data:`SHORT`: its log-odds do so evenly with the logarithm
        of the length. By default it does not fall on the way.
    """

    ai: float
    human: float
    ai_short: float | None = None
    human_short: float | None = None
    max_false_positive_rate: float = 0.01
    max_miss_rate: float = 0.05
    falls_from: float = SHORT

    def limits(self, seconds: float) -> tuple[float, float]:
        """Where ``"ai"`` begins and ``"human"`` ends for a track of some length."""
        if seconds >= SHORT:
            return self.ai, self.human
        ai = self.ai if self.ai_short is None else self.ai_short
        if seconds > self.falls_from:
            way = float(np.log(seconds / self.falls_from) / np.log(SHORT / self.falls_from))
            ai = _between(ai, self.ai, way)
        return ai, self.human if self.human_short is None else self.human_short

    def verdict(self, probability: float, *, seconds: float = SHORT) -> str:
        """``"ai"``, ``"human"`` or ``"uncertain"``."""
        ai, human = self.limits(seconds)
        if probability >= ai:
            return "ai"
        return "human" if probability <= human else "uncertain"

    def verdicts(self, probability: Floats, *, seconds: Floats, withheld: Mask) -> npt.NDArray[np.str_]:
        """Verdicts of many tracks; ``"uncertain"`` where they are withheld."""
        given = [
            "uncertain" if hold else self.verdict(float(p), seconds=float(s))
            for p, s, hold in zip(probability, seconds, withheld, strict=True)
        ]
        return np.array(given, dtype="<U9")


def _between(start: float, end: float, way: float) -> float:
    """Probability whose log-odds lie some share of the way between those of two others."""
    first, last = (np.log(p / (1.0 - p)) for p in np.clip((start, end), _SURELY, 1.0 - _SURELY))
    return float(1.0 / (1.0 + np.exp(-(first + (last - first) * way))))


def choose_thresholds(
    probability: Floats,
    ai: Mask,
    seconds: Floats,
    *,
    withheld: Mask | None = None,
    max_false_positive_rate: float = 0.01,
    max_miss_rate: float = 0.05,
) -> Thresholds:
    """Set the verdicts' thresholds by the errors on unseen sources, for long and for short tracks.

    ``ai`` begins where so few human tracks lie that the rate stays within `max_false_positive_rate` with a confidence
    of 99 % (Wilson 1927), as if every track came from a source of its own: for a rate of 1 % none of up to 721, one of
    up to 890. That none does is a confidence of 95 % from 268 on. How high the rate may be given the sources,
    :func:`rate_interval` tells. From :data:`BRIEF` seconds on the threshold for ``ai`` falls with the length to that of
    long tracks, if 50 and more short human tracks are that long, and all short ones keep their bound even so.
    ``human`` ends where at most `max_miss_rate` of the AI tracks lie. Where the two overlap, the gap closes at the
    first. Lengths of which there are fewer than 50 tracks of a class get the thresholds of all.

    Parameters
    ----------
    probability : ndarray, shape (tracks,)
        Predictions for tracks of sources outside training.
    ai : ndarray of bool, shape (tracks,)
        Truth.
    seconds : ndarray, shape (tracks,)
        Lengths.
    withheld : ndarray of bool, shape (tracks,), optional
        Tracks that get no verdict: people's among them cannot be called AI, whatever the threshold.
    max_false_positive_rate, max_miss_rate : float
        Bounds.

    Warns
    -----
    UserWarning
        The human tracks are so few that not even without an error among them the bound would be sure.
    """
    if withheld is not None:
        probability = _of_no_account(probability, ai, withheld)
    chosen, doubts = _choose(probability, ai, seconds, max_false_positive_rate, max_miss_rate)
    for doubt in doubts:
        warnings.warn(doubt, stacklevel=2)
    return chosen


def _choose(
    probability: Floats, ai: Mask, seconds: Floats, max_false_positive_rate: float, max_miss_rate: float
) -> tuple[Thresholds, list[str]]:
    """Choose thresholds, and name the bounds that cannot be promised."""
    limits, doubts = [], []
    lengths = ((seconds >= SHORT, f"of {SHORT:.0f} s and more"), (seconds < SHORT, f"under {SHORT:.0f} s"))
    for here, length in lengths:
        enough = min((here & ai).sum(), (here & ~ai).sum()) >= _FEWEST
        rows = here if enough else np.ones(len(ai), dtype=bool)
        humans = int((rows & ~ai).sum())
        length = "of all lengths" if humans == (~ai).sum() else length
        needed = _fewest(max_false_positive_rate)
        if humans < needed:
            doubts.append(
                f"{humans} human tracks {length} cannot promise that at most {100 * max_false_positive_rate:g} % of "
                "people's tracks are called AI with a confidence of 95 %, even if none of these is: at least "
                f"{needed} are needed, from many sources."
            )
        allowed = _allowed(humans, max_false_positive_rate)
        limits.append(_limits(probability[rows & ~ai], probability[rows & ai], allowed, max_miss_rate))
    (ai_long, human_long), (ai_short, human_short) = limits
    chosen = Thresholds(ai_long, human_long, ai_short, human_short, max_false_positive_rate, max_miss_rate)
    people = ~ai & (seconds < SHORT)
    return _fallen(chosen, probability[people], seconds[people]), list(dict.fromkeys(doubts))


def _fallen(chosen: Thresholds, people: Floats, seconds: Floats) -> Thresholds:
    """Let the threshold of short tracks fall with their length, if people's tracks keep the bound all the same."""
    falling = replace(chosen, falls_from=BRIEF)
    known = int((seconds >= BRIEF).sum()) >= _FEWEST
    above = sum(p >= falling.limits(s)[0] for p, s in zip(people.tolist(), seconds.tolist(), strict=True))
    kept = above <= _allowed(len(people), chosen.max_false_positive_rate)
    return falling if known and kept and falling.limits(SHORT)[0] < chosen.limits(BRIEF)[0] else chosen


def cross_verdicts(
    probability: Floats,
    ai: Mask,
    seconds: Floats,
    fold: npt.NDArray[np.int64],
    *,
    counted: Mask,
    withheld: Mask,
    max_false_positive_rate: float = 0.01,
    max_miss_rate: float = 0.05,
) -> npt.NDArray[np.str_]:
    """Give verdicts by thresholds from other folds, so that none is chosen on what it is tried on.

    Parameters
    ----------
    probability, ai, seconds, max_false_positive_rate, max_miss_rate
        As in :func:`choose_thresholds`.
    fold : ndarray of int, shape (tracks,)
        Which tracks belong together.
    counted, withheld : ndarray of bool, shape (tracks,)
        From which tracks thresholds are taken, and on which no verdict is given.
    """
    verdict = np.full(len(ai), "", dtype="<U9")
    telling = _of_no_account(probability, ai, withheld)
    for number in sorted(set(fold.tolist())):
        here, rest = fold == number, counted & (fold != number)
        limits, _ = _choose(telling[rest], ai[rest], seconds[rest], max_false_positive_rate, max_miss_rate)
        verdict[here] = limits.verdicts(probability[here], seconds=seconds[here], withheld=withheld[here])
    return verdict


def _of_no_account(probability: Floats, ai: Mask, withheld: Mask) -> Floats:
    """Put people's tracks that get no verdict below every threshold."""
    return np.where(withheld & ~ai, np.float32(0.0), probability)


def _limits(human: Floats, ai: Floats, allowed: int, miss_rate: float) -> tuple[float, float]:
    human_side, ai_side = np.sort(human)[::-1], np.sort(ai)
    top = float(human_side[allowed])
    above = min([float(p) for p in ai_side if p > top], default=1.0)
    upper = max(min(0.5 * (top + above), _TOP), float(np.nextafter(human_side[allowed], np.float32(2.0))), 0.5)
    missed = min(int(np.floor(miss_rate * len(ai_side))), len(ai_side) - 1)
    return upper, min(float(np.nextafter(ai_side[missed], np.float32(0.0))), upper, 0.5)


def _allowed(total: int, rate: float) -> int:
    """Most errors among `total` tracks, if any, that leave the rate within its bound with a confidence of 99 %."""
    count = 0
    while count + 1 < total and wilson(count + 1, total, z=_SURE)[1] <= rate:
        count += 1
    return count


def _fewest(rate: float) -> int:
    """Fewest tracks of which none errs that show a rate within its bound: Wilson's upper end of none is z²/(n + z²)."""
    return int(np.ceil(_PROMISED**2 * (1.0 - rate) / rate))
