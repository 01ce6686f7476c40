"""The two functions most scripts need."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy.typing as npt

from .detector import Detector
from .extraction import Effort
from .result import Result

__all__ = ["score", "score_array"]


def score(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    model: str | os.PathLike[str] | None = None,
    effort: Effort = "full",
) -> Result:
    """Score one file with the model that comes with the library, or another.

    Parameters
    ----------
    source : path or binary file object
        Any audio file: WAV, FLAC, MP3, Ogg Vorbis, Opus, AIFF, M4A/AAC, WMA, WebM, MP4 and more; 8 to 192 kHz, 1 to 8
        channels.
    model : path, optional
        A model file made by :func:`aidetect.train`.
    effort : str
        ``"fast"`` analyses five excerpts of ten seconds of a track of 100 s and more, at about the cost of decoding it.

    Returns
    -------
    Result

    Raises
    ------
    AudioError
        The file cannot be judged; its subclasses in :mod:`aidetect.errors` say why.
    ModelFileError
        The model cannot be used.
    ValueError
        There is no such effort.
    """
    return Detector.load(model).score(source, effort=effort)


def score_array(
    y: npt.ArrayLike, sr: float, *, name: str = "<array>", model: str | os.PathLike[str] | None = None
) -> Result:
    """Score samples in memory.

    Parameters
    ----------
    y : array_like, shape (n,) or (channels, n)
        Samples, full scale at 1 (integers: at that of their type), as ``librosa.load(path, sr=None, mono=False)``
        returns them. Resampled audio has lost what the detector looks for: keep the sample rate of the file.
    sr : float
        Sample rate, Hz.
    name : str
        What to call it in the result.
    model : path, optional
        As in :func:`score`.

    Returns
    -------
    Result

    Raises
    ------
    AudioError
        The array is no such signal, or too short.
    ModelFileError
        The model cannot be used.
    """
    return Detector.load(model).score_array(y, sr, name=name)
