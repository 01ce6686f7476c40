"""What a score looks like from outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .experts import Evidence
from .features import FAMILIES

__all__ = ["VERDICTS", "ReadOnly", "Result"]

VERDICTS = ("ai", "human", "uncertain")
"""The three answers."""


class ReadOnly(dict[str, Any]):
    """A dict that refuses to be changed; unlike a proxy it can be copied and sent to another process."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a result cannot be changed")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[ReadOnly], tuple[dict[str, Any]]]:
        return ReadOnly, (dict(self),)


@dataclass(frozen=True, repr=False)
class Result:
    """The answer for one track.

    Attributes
    ----------
    path : str
        What was scored.
    probability : float
        Calibrated probability in [0, 1] that the track is AI-generated, where both kinds are equally likely
        beforehand.
    verdict : str
        ``"ai"``, ``"human"`` or ``"uncertain"``.
    families : Mapping of str to float or None
        Log-odds that each family adds: above 0 speaks for AI, below for a person; None where it abstains. With `start`
        they add up to the log-odds of `probability`, of which no more than 12 are claimed.
    features : Mapping of str to float
        Everything that was measured; NaN where it does not apply.
    reasons : tuple of Evidence
        What moved the answer most, compared with what each expert says of a typical track; strongest first.
    warnings : tuple of str
        Sentences about the file or the answer.
    duration : float
        Seconds decoded; with effort ``"fast"`` those that the container tells.
    sample_rate, channels : int
        Of the file.
    codec : str
        Reported, never scored.
    model_version : str
        Model that answered, with its additions.
    effort : str
        ``"full"``, or ``"fast"`` where excerpts stand for the track.
    speed : float
        How much faster than it was made the track plays, told by where lines that the model knows lie; 1 where nothing
        shows. It is undone before the track is judged.
    thresholds : Mapping of str to float
        Probabilities from which on the verdict was to be ``"ai"``, and up to which ``"human"``, for this length.
    start : float
        Log-odds before any evidence, for a track of this length.
    withheld : bool
        Whether the track got no verdict whatever its probability, for a reason that a warning names.
    error_rates : Mapping of str to float
        Shares of tracks of this length with a wrong verdict, on sources that the model never saw:
        ``"false_positives"``, of people's tracks called ``"ai"``, ``"false_positives_high"``, the upper end of the 95 %
        interval of that share, ``"missed"``, of AI tracks called ``"human"``, and ``"missed_high"``, likewise. Where a
        recalibration measured this length, the first two are the rate to expect on music like its tracks and the upper
        end of its 95 % interval, and ``"bound"`` is the rate asked for. Empty where the model states none.
    """

    path: str
    probability: float
    verdict: str
    families: Mapping[str, float | None]
    features: Mapping[str, float]
    reasons: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()
    duration: float = math.nan
    sample_rate: int = 0
    channels: int = 0
    codec: str = ""
    model_version: str = ""
    effort: str = "full"
    speed: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=ReadOnly)
    start: float = 0.0
    withheld: bool = False
    error_rates: Mapping[str, float] = field(default_factory=ReadOnly)

    def __float__(self) -> float:
        return self.probability

    def __repr__(self) -> str:
        """Return the answer in one line; the hundreds of features are left to :meth:`to_dict`."""
        return (
            f"Result(path={self.path!r}, verdict={self.verdict!r}, probability={self.probability:.4f}, "
            f"duration={self.duration:.1f}, model_version={self.model_version!r})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; what is NaN becomes None."""
        return {
            "path": self.path,
            "verdict": self.verdict,
            "probability": round(self.probability, 6),
            "thresholds": {name: _plain(value) for name, value in self.thresholds.items()},
            "withheld": self.withheld,
            "error_rates": {name: _plain(value) for name, value in self.error_rates.items()},
            "start": _plain(self.start),
            "families": {name: _plain(self.families.get(name)) for name in FAMILIES},
            "reasons": [{"name": r.name, "log_odds": _plain(r.weight), "value": _plain(r.value)} for r in self.reasons],
            "features": {name: _plain(value) for name, value in self.features.items()},
            "warnings": list(self.warnings),
            "duration": _plain(self.duration),
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "codec": self.codec,
            "model_version": self.model_version,
            "effort": self.effort,
            "speed": self.speed,
        }


def _plain(value: float | None) -> float | None:
    return round(float(value), 6) if value is not None and math.isfinite(value) else None
