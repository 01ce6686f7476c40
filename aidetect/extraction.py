"""From an audio stream to the features of a track, in one pass over the samples."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from . import compression, grain, hits, modulation, repetition, shimmer, tones, transients, vocals
from .analysis import (
    GRID,
    WINDOW_SECONDS,
    LongFrames,
    ShortFrames,
    centre_channel,
    long_frames,
    middle,
    short_frames,
    window_spectrum,
)
from .decoding import AudioStream, open_array, open_input
from .errors import SilentAudioError, TooShortError
from .features import describe_features
from .inputs import take
from .loudness import LoudnessMeter

__all__ = ["EXTRACTOR_VERSION", "MIN_SECONDS", "Effort", "TrackFeatures", "extract", "extract_array", "extract_stream"]

Floats = npt.NDArray[np.float32]
Effort = Literal["full", "fast"]
"""All of a track, or excerpts of it."""

EXTRACTOR_VERSION = 5
"""Raised whenever a number that :func:`extract` returns changes its meaning; part of every cache key."""
MIN_SECONDS = 4.0
"""Least sound, in seconds, from which an answer is given."""

_LEAST_SOUND = 0.9 * MIN_SECONDS  # s; steps of a tenth of a second, and pauses, take some of a short clip
_EXCERPTS = 5
_LEAST_WITH_SOUND = 2  # of the excerpts
_LEAST_FOR_EXCERPTS = 2 * _EXCERPTS * WINDOW_SECONDS  # s
_MIN_WINDOW = 2.0  # s; a shorter rest at the end is measured for loudness only
_MAX_PARTS = 60  # of five seconds: a quarter of an hour settles how steady a spectrum is, and memory stays flat
_CLOSE_SECONDS = 4.0  # in the middle of a window, in which transients and grain are measured
_MIN_VOICE_SECONDS = 1.0  # of short frames with a voice in a window
_MIN_VOICE_FRAMES = 16  # long frames (3 s) with a voice that make a vocal spectrum


@dataclass(frozen=True)
class TrackFeatures:
    """Everything the detector reads about one track.

    Attributes
    ----------
    name : str
        File name, or what the caller named the array.
    duration : float
        Seconds decoded; with effort ``"fast"`` the length that the container tells, of which the excerpts bear out
        nine tenths: the last one ends there or later.
    sample_rate, channels : int
        Of the file, before any conversion.
    codec : str
        Reported, never scored.
    values : Mapping of str to float
        One entry per feature of :func:`aidetect.describe_features`; NaN where it does not apply.
    details : ndarray of int8, shape (len(GRID),)
        Fine structure of the long-term spectrum, as :func:`aidetect.shimmer.quantise` stores it.
    modulation : ndarray of int8, shape (len(RATES),)
        Lines in the envelope, as :meth:`aidetect.modulation.ModulationSpectrum.heights` stores them.
    warnings : tuple of str
        Sentences for the user.
    effort : str
        ``"full"``, or ``"fast"`` where excerpts stand for the track.
    """

    name: str
    duration: float
    sample_rate: int
    channels: int
    codec: str
    values: Mapping[str, float]
    details: npt.NDArray[np.int8]
    modulation: npt.NDArray[np.int8]
    warnings: tuple[str, ...] = ()
    effort: str = "full"


def extract(source: str | os.PathLike[str] | BinaryIO, *, effort: Effort = "full") -> TrackFeatures:
    """Measure a file.

    Parameters
    ----------
    source : path or binary file object
        Any audio file that :mod:`aidetect.decoding` reads.
    effort : str
        ``"fast"`` measures five windows of ten seconds spread over the track, and decodes no more where the container
        can be sought in: for a fraction of the cost. Loudness and peaks, which need all of a track, are then missing,
        and damage goes unnoticed where it leaves the windows whole. Files under 100 s, of unknown length, cut short
        before the last window ends, or silent but for one window, are measured in full.

    Raises
    ------
    AudioError
        One of its subclasses, with a message for people.
    """
    if effort not in ("full", "fast"):
        raise ValueError(f"effort must be 'full' or 'fast', not {effort!r}")
    with closing(take(source)) as item:  # a pipe can be taken but once
        with open_input(item) as stream:
            length = stream.length
            if effort == "full" or length is None or not _LEAST_FOR_EXCERPTS <= length < math.inf:
                return extract_stream(stream)
            found = _extract_excerpts(stream, length)
        if found is not None:
            return found
        with open_input(item) as stream:
            return extract_stream(stream)


def _extract_excerpts(stream: AudioStream, length: float) -> TrackFeatures | None:
    """Measure some windows; None where one is not all there, or fewer than two hold sound."""
    middles = (np.arange(_EXCERPTS) + 0.5) / _EXCERPTS * length
    blocks = list(stream.excerpts((middles - WINDOW_SECONDS / 2).tolist(), WINDOW_SECONDS))
    whole = [block for block in blocks if block.shape[1] == round(WINDOW_SECONDS * stream.rate)]
    if len(whole) < _EXCERPTS:  # the length is wrong or the file damaged: reading all of it tells
        return None
    track = _Track()
    for block in whole:
        track.add(block, rate=stream.rate)
    if track.windows < _LEAST_WITH_SOUND:
        return None
    return _features(stream, {}, track, duration=length, effort="fast")


def extract_array(y: npt.ArrayLike, sr: float, *, name: str = "<array>") -> TrackFeatures:
    """Measure samples in memory, librosa's conventions: float, shape ``(n,)`` or ``(channels, n)``."""
    with open_array(y, sr, name=name) as stream:
        return extract_stream(stream)


def extract_stream(stream: AudioStream) -> TrackFeatures:
    """Measure an open stream to its end."""
    meter = LoudnessMeter(rate=stream.rate, channels=stream.channels)
    clips = compression.ClipCounter()
    track = _Track()
    samples, heard = 0, False
    for block in stream.blocks(WINDOW_SECONDS):
        meter.feed(block)
        clips.feed(block)
        if block.shape[1] >= _MIN_WINDOW * stream.rate:
            track.add(block, rate=stream.rate)
        else:
            heard = centre_channel(block) is not None
        samples += block.shape[1]
    duration = samples / stream.rate
    sound = meter.seconds_of_sound()
    if duration >= MIN_SECONDS and not track.windows and not heard:
        raise SilentAudioError(f"{stream.name}: silent throughout; there is nothing to judge.")
    if duration < MIN_SECONDS or sound < _LEAST_SOUND:
        raise TooShortError(
            f"{stream.name}: only {sound:.1f} s of sound; at least {MIN_SECONDS:.0f} s are needed to judge a track "
            f"(30 s or more are better)."
        )
    values = compression.loudness_features(meter) | clips.values()
    return _features(stream, values, track, duration=duration, effort="full")


def _features(
    stream: AudioStream, values: Mapping[str, float], track: _Track, *, duration: float, effort: str
) -> TrackFeatures:
    pooled, details = track.pooled()
    values = {**values, **pooled}
    names = [feature.name for feature in describe_features()]
    return TrackFeatures(
        name=stream.name,
        duration=duration,
        sample_rate=stream.native_rate,
        channels=stream.native_channels,
        codec=stream.codec,
        values=MappingProxyType({name: float(values.get(name, np.nan)) for name in names}),
        details=shimmer.quantise(details),
        modulation=track.modulation.heights(),
        warnings=tuple(stream.warnings),
        effort=effort,
    )


class _Track:
    """What the windows of a track add up to."""

    def __init__(self) -> None:
        self.windows = 0
        self._short = _Means()
        self._vocal_short = _Means()
        self._power: Any = 0.0
        self._freqs: Floats = GRID
        self._long = _Spectrum()
        self._vocal_long = _Spectrum()
        self._voices: list[vocals.VoiceWindow] = []
        self._tones = tones.ToneSpectrum()
        self._repetition = repetition.RepetitionSearch()
        self.modulation = modulation.ModulationSpectrum()

    def add(self, block: Floats, *, rate: int) -> None:
        """Take in one window of samples, shape (channels, n)."""
        centre = centre_channel(block)
        if centre is None:
            return
        index = self.windows
        self.windows += 1
        if not _measures(index):
            return
        long = long_frames(centre, rate=rate)
        self._long.add(long.levels, long.freqs, halves=True)
        if not _looks_closely(index):
            return
        short = short_frames(block, centre, rate=rate)
        spectrum = short.power.mean(axis=0)
        bandwidth = compression.effective_bandwidth(spectrum, short.freqs)
        self._power, self._freqs = self._power + spectrum, short.freqs
        whole = window_spectrum(centre, rate=rate)
        close = middle(centre, rate=rate, seconds=_CLOSE_SECONDS)
        self._short.add(
            compression.band_dynamics(short, bandwidth=bandwidth),
            shimmer.texture(short, bandwidth=bandwidth),
            shimmer.momentary_statistics(long.levels.mean(axis=0), long.freqs, bandwidth=bandwidth),
            transients.transients(close, rate=rate, bandwidth=bandwidth),
            grain.grain(close, rate=rate, bandwidth=bandwidth),
            hits.hits(whole, bandwidth=bandwidth),
        )
        if self._tones.wants_more():
            self._tones.add(whole)
            self.modulation.add(whole, bandwidth=bandwidth)
        if self._repetition.wants_more():
            self._repetition.add(whole, bandwidth=bandwidth)
        if _listens(index):
            self._add_voice(vocals.analyse_voice(centre, rate=rate, spectrum=whole), long, short, bandwidth)

    def _add_voice(self, voice: vocals.VoiceWindow, long: LongFrames, short: ShortFrames, bandwidth: float) -> None:
        self._voices.append(voice)
        sung = vocals.voiced_mask(voice, times=long.times)
        if sung.any():
            self._vocal_long.add(long.levels[sung], long.freqs, halves=False)
        sung = vocals.voiced_mask(voice, times=short.times)
        if sung.sum() * (short.times[1] - short.times[0]) >= _MIN_VOICE_SECONDS:
            self._vocal_short.add(shimmer.texture(short, bandwidth=bandwidth, frames=sung))

    def pooled(self) -> tuple[dict[str, float], Floats]:
        """Pool everything: named numbers, and the fine structure of the mean spectrum, shape (len(GRID),)."""
        bandwidth = compression.effective_bandwidth(self._power, self._freqs)
        values = compression.codec_traces(self._power, self._freqs, bandwidth)
        values |= self._short.means() | self._tones.values() | self._repetition.values()
        details, found = self._long.values(bandwidth)
        values |= found
        voice = vocals.vocal_features(self._voices)
        values |= voice
        vocal = dict.fromkeys((f.name for f in shimmer.FEATURES if f.name.startswith(shimmer.VOCAL)), np.nan)
        if np.isfinite(voice["f0_median"]) and self._vocal_long.frames >= _MIN_VOICE_FRAMES:
            _, found = self._vocal_long.values(bandwidth)
            vocal |= {shimmer.VOCAL + name: value for name, value in (found | self._vocal_short.means()).items()}
        return vocal | values, details


class _Means:
    """Running means of named numbers over windows; what is NaN is left out."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, *parts: Mapping[str, float]) -> None:
        for part in parts:
            for name, value in part.items():
                there = math.isfinite(value)
                self._sums[name] = self._sums.get(name, 0.0) + (value if there else 0.0)
                self._counts[name] = self._counts.get(name, 0) + there

    def means(self) -> dict[str, float]:
        return {
            name: total / self._counts[name] if self._counts[name] else math.nan for name, total in self._sums.items()
        }


class _Spectrum:
    """Running mean of long spectra, with the parts that show how steady it is."""

    def __init__(self) -> None:
        self.frames = 0
        self._sum: Any = 0.0
        self._freqs: Floats = GRID
        self._parts: list[Floats] = []

    def add(self, frames: Floats, freqs: Floats, *, halves: bool) -> None:
        self._freqs = freqs
        self._sum = self._sum + frames.sum(axis=0)
        self.frames += len(frames)
        if len(self._parts) < _MAX_PARTS and len(frames) >= 8:
            cuts = np.array_split(frames, 2) if halves and len(frames) >= 16 else [frames]
            self._parts += [part.mean(axis=0) for part in cuts]

    def values(self, bandwidth: float) -> tuple[Floats, dict[str, float]]:
        spectrum = shimmer.on_grid(self._sum / max(self.frames, 1), self._freqs, bandwidth=bandwidth)
        parts = [shimmer.on_grid(part, self._freqs, bandwidth=bandwidth) for part in self._parts]
        details = shimmer.detail(spectrum)
        return details, (shimmer.detail_statistics(details) | shimmer.comb(details) | shimmer.steadiness(parts))


def _measures(index: int) -> bool:
    """Whether window `index` gets long frames: all in the first 100 s, then every fourth."""
    return index < 10 or index % 4 == 2


def _looks_closely(index: int) -> bool:
    """Whether it gets short frames, tones and modulation too: the first three, then one in two minutes."""
    return index < 3 or index % 12 == 2


def _listens(index: int) -> bool:
    """Whether a voice is looked for, the dearest step: twice, then every two minutes, for two hours."""
    return index < 2 or (index % 12 == 2 and 2 < index < 720)
