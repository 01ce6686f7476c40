"""The catalogue of features: what each number is called, its unit, its meaning and where its formula comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

__all__ = ["FAMILIES", "Feature", "describe_features", "feature_number"]

FAMILIES = ("compression", "shimmer", "vocals")
"""The three families of evidence, in the order in which reports show them."""


@dataclass(frozen=True)
class Feature:
    """One number measured from a track.

    Attributes
    ----------
    name : str
        Name as in `Result.features`.
    family : str
        One of :data:`FAMILIES`.
    unit : str
        Physical unit, or ``"1"`` for a plain number.
    meaning : str
        One line in words.
    source : str
        Standard or paper that defines the formula; ``"aidetect"`` where the formula is this library's own.
    scored : bool
        Whether the detector may use it. Levels, lengths, bandwidth and traces of a container are reported and never
        scored: they tell the history of a file, not its maker.
    """

    name: str
    family: str
    unit: str
    meaning: str
    source: str
    scored: bool = True


@lru_cache(maxsize=1)
def describe_features() -> tuple[Feature, ...]:
    """List every feature aidetect measures, family by family.

    Returns
    -------
    tuple of Feature
        In the order of the columns of a feature table.
    """
    from . import compression, grain, hits, repetition, shimmer, tones, transients, vocals

    modules = (compression, shimmer, tones, transients, grain, repetition, hits, vocals)
    return tuple(chain.from_iterable(module.FEATURES for module in modules))


def feature_number(name: str) -> int:
    """Column of a feature in a feature table; KeyError where nothing is called that."""
    return _numbers()[name]


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    return {feature.name: number for number, feature in enumerate(describe_features())}
