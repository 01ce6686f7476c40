"""Channel layouts: which loudspeaker a channel is meant for, and how many channels become two."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["MASK_ORDER", "downmix_matrix", "layout_of"]

Samples = npt.NDArray[np.float32]

MASK_ORDER = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC",
    "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
)  # fmt: skip
"""Loudspeakers in the order of the bits of a WAVE channel mask."""
_DEFAULT_LAYOUTS: dict[int, tuple[str, ...]] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
_HALF = math.sqrt(0.5)
_MIX: dict[str, tuple[float, float]] = {
    # ITU-R BS.775: front 1, centre and surrounds -3 dB, no LFE.
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF, _HALF),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "BL": (_HALF, 0.0),
    "BR": (0.0, _HALF),
    "SL": (_HALF, 0.0),
    "SR": (0.0, _HALF),
    "BC": (0.5, 0.5),
    # Not in BS.775: what carries the sound of one side goes there, the rest to both.
    "FLC": (_HALF, 0.0),
    "FRC": (0.0, _HALF),
    "WL": (_HALF, 0.0),
    "WR": (0.0, _HALF),
    "TFL": (_HALF, 0.0),
    "TFR": (0.0, _HALF),
    "TBL": (_HALF, 0.0),
    "TBR": (0.0, _HALF),
    "TSL": (_HALF, 0.0),
    "TSR": (0.0, _HALF),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
}
_MIX_OTHER = (0.5, 0.5)


def downmix_matrix(layout: tuple[str, ...]) -> Samples:
    """Return the (2, channels) matrix that folds `layout` to stereo.

    The ITU-R BS.775 coefficients, divided by the larger sum of a row: full scale in every channel at once
    comes out at full scale and no higher. Channels that BS.775 does not know go to their side with -3 dB,
    or with one half to both sides where they have none.
    """
    mix = np.array([_MIX.get(label, _MIX_OTHER) for label in layout], dtype=np.float64).T
    top = float(mix.sum(axis=1).max())
    if top <= 0.0:  # nothing but LFE
        mix = np.ones((2, len(layout)))
        top = float(len(layout))
    return (mix / top).astype(np.float32)


def layout_of(labels: tuple[str, ...], channels: int) -> tuple[str, ...]:
    """Return `labels` if they name every one of `channels` channels, else the usual order for that number."""
    if len(labels) == channels and len(set(labels)) == channels and all(label in _MIX for label in labels):
        return labels
    return _DEFAULT_LAYOUTS.get(channels, ("?",) * channels)
