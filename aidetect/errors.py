"""Every error aidetect raises on purpose. All derive from :class:`AidetectError`."""

from __future__ import annotations

__all__ = [
    "AidetectError",
    "AudioError",
    "DecodeError",
    "EmptyFileError",
    "FileMissingError",
    "FolderError",
    "LabelsError",
    "ModelFileError",
    "NoAudioStreamError",
    "NotAudioError",
    "OutputError",
    "SilentAudioError",
    "TooShortError",
    "TrainingError",
    "UnsupportedAudioError",
]


class AidetectError(Exception):
    """Base class: the message names the file, what is wrong with it and what to do."""


class AudioError(AidetectError):
    """An audio input that cannot be judged."""


class FileMissingError(AudioError):
    """The path does not exist or may not be read."""


class FolderError(AudioError):
    """The path is a folder where a file was expected."""


class EmptyFileError(AudioError):
    """The file holds no bytes at all."""


class NotAudioError(AudioError):
    """No decoder recognises the file as audio."""


class NoAudioStreamError(AudioError):
    """The container was recognised but holds no audio stream."""


class UnsupportedAudioError(AudioError):
    """Audio outside what the analysis covers: sample rate, number of channels, array shape."""


class DecodeError(AudioError):
    """The stream broke before a single sample could be decoded."""


class SilentAudioError(AudioError):
    """Every sample is (nearly) zero."""


class TooShortError(AudioError):
    """Less sound than an answer needs."""


class LabelsError(AidetectError):
    """A labels file that cannot be used for training or evaluation."""


class TrainingError(AidetectError):
    """Labelled material from which no honest model can be trained."""


class ModelFileError(AidetectError):
    """A model file that is damaged, foreign, or of a newer format."""


class OutputError(AidetectError):
    """Results cannot be written where they were asked for."""
