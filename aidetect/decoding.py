"""Read any audio file as a stream of float blocks, in flat memory.

Two decoders share the work, chosen by the first bytes of the file and never by its name:

* libsndfile (package ``soundfile``) reads the uncompressed containers: WAV, RF64, W64, AIFF, AU, CAF.
* FFmpeg's libraries (package ``av``) read everything compressed: MP3, FLAC, Ogg Vorbis, Opus, AAC/M4A, WMA,
  WebM, the sound of videos, and whatever libsndfile refuses.

For MP3 and FLAC the two cost the same and for Vorbis and Opus FFmpeg is two to three times cheaper; above all it
steps over damaged packets instead of giving up, and it does not print to the terminal as libmpg123 does.
libsndfile stays the second try for Ogg and FLAC.

Nothing but :class:`~aidetect.errors.AidetectError` leaves this module because of what a file contains.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soxr

from .channels import downmix_matrix, layout_of
from .containers import recognised
from .decoders import (
    CHUNK,
    MAX_CHANNELS,
    MIN_RATE,
    Chunk,
    DecoderSource,
    check_format,
    judgeable,
    open_ffmpeg,
    open_sndfile,
    scale_into,
)
from .errors import (
    AidetectError,
    AudioError,
    DecodeError,
    NoAudioStreamError,
    NotAudioError,
    UnsupportedAudioError,
)
from .inputs import AudioInput, take

__all__ = ["MAX_RATE", "MIN_RATE", "AudioStream", "open_array", "open_audio", "open_input"]

MAX_RATE = 48_000
"""Highest sample rate delivered; files above it are resampled."""

_ABSURD = 1e10  # a sample beyond this (+200 dB) is damage, and its square would overflow float32
_LEAD_IN = 0.2  # s before an excerpt: the first frames after a jump lean on frames that were not read
_TOLERANCE = 0.15  # seconds a header may announce too much: encoder delay and padding

Samples = npt.NDArray[np.float32]


class AudioStream:
    """A decoded file or array, read once from start to end in blocks.

    Obtained from :func:`open_audio` or :func:`open_array`; use it as a context manager so that the file is
    closed. Memory does not grow with the length of the file.

    Attributes
    ----------
    name : str
        The path, the name of a file object or ``"<memory>"``, or what the caller named an array; for messages.
    native_rate, native_channels : int
        Sample rate and number of channels of the file.
    rate : int
        Sample rate of the blocks: the native one up to 48 kHz; above, 44.1 kHz for its multiples, else 48 kHz.
    channels : int
        Channels of the blocks, 1 or 2. More than two are mixed down to stereo (see `Notes`).
    codec : str
        Lower-case name of the coding, such as ``"mp3"``, ``"opus"``, ``"pcm_16"``; empty for arrays.
    warnings : list of str
        What was wrong with the file, in plain words. Complete only after the last block.
    seconds : float
        Length of what was delivered so far.

    Notes
    -----
    The downmix uses the coefficients of ITU-R BS.775 (front 1, centre and surrounds 0.7071, LFE left out),
    divided by their sum so that it cannot clip unless the source does. Channels beyond BS.775 (height, wide,
    front-of-centre) go to their own side with 0.7071, or to both with 0.5.
    """

    def __init__(self, name: str, source: DecoderSource, closers: list[Callable[[], None]]) -> None:
        self.name = name
        self.codec = source.codec
        self.warnings: list[str] = []
        self.seconds = 0.0
        self._source = source
        self._closers = closers
        self._started = False
        self._closed = False
        self._holes = 0
        self._decoded = 0.0  # s, before any conversion
        first = None
        for chunk in source.chunks:
            if chunk.samples.shape[1]:
                first = chunk
                break
        if first is None:
            raise DecodeError(
                f"{name}: its header is in order but not one sample could be decoded; "
                "the file is damaged, get a fresh copy."
            )
        self._first: Chunk | None = first
        self.native_rate = first.rate
        self.native_channels = int(first.samples.shape[0])
        self._format = (first.rate, first.layout)
        check_format(name, self.native_rate, self.native_channels)
        self.rate = _delivered_rate(self.native_rate)
        self.channels = min(self.native_channels, 2)

    def __repr__(self) -> str:
        return (
            f"<AudioStream {self.name!r} {self.codec or 'array'} {self.native_rate} Hz "
            f"{self.native_channels} ch -> {self.rate} Hz {self.channels} ch>"
        )

    def __enter__(self) -> AudioStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. The blocks already delivered stay valid."""
        if self._closed:
            return
        self._closed = True
        self._first = None
        for closer in self._closers:
            try:
                closer()
            except Exception:  # nothing was written: a failing close loses nothing
                pass

    def blocks(self, seconds: float = 10.0) -> Iterator[Samples]:
        """Yield the sound in blocks, once.

        Parameters
        ----------
        seconds : float, default 10
            Length of a block.

        Yields
        ------
        numpy.ndarray
            float32, C-contiguous, shape ``(channels, round(seconds * rate))``; the last one may be shorter.
            Each block is a fresh array that the caller may keep or change.

        Raises
        ------
        ValueError
            If `seconds` is not a positive number.
        RuntimeError
            If the blocks were already asked for, or the stream is closed.
        DecodeError
            Where the blocks are read: if not one sample comes out, so that there is always a block.
        """
        _check_seconds(seconds)
        if self._closed or self._started:
            state = "is closed" if self._closed else "was already read"
            raise RuntimeError(f"{self.name}: this AudioStream {state}; open it again")
        self._started = True
        return self._blocks(max(1, round(seconds * self.rate)))

    @property
    def length(self) -> float | None:
        """Seconds as the header tells or the bit rate suggests; None where neither does, or nothing can be skipped.

        None too where the file is seen to be cut short without decoding it: what is missing is told by :meth:`blocks`.
        """
        source = self._source
        if source.restart is None or source.length is None or source.endless:
            return None
        cut = source.announced is not None and source.length < source.announced - _TOLERANCE
        return None if cut else source.length

    def excerpts(self, starts: Iterable[float], seconds: float = 10.0) -> Iterator[Samples]:
        """Yield one block for each time, without decoding what lies between; in place of :meth:`blocks`.

        Parameters
        ----------
        starts : iterable of float
            Where the blocks begin, s; kept to a frame, in Ogg to a page, which may last seconds.
        seconds : float, default 10
            Length of a block.

        Yields
        ------
        numpy.ndarray
            As in :meth:`blocks`; shorter, or left out, where the file ends or is damaged.

        Raises
        ------
        ValueError
            If `seconds` is not a positive number.
        RuntimeError
            If the stream was already read or is closed, or cannot be read in excerpts, as an array cannot.

        Notes
        -----
        `warnings` tells of the samples in the excerpts alone: whether the file is whole is known only to who reads all.
        """
        _check_seconds(seconds)
        if self._closed or self._started or self._source.restart is None:
            raise RuntimeError(f"{self.name}: this AudioStream cannot be read in excerpts")
        self._started = True
        return self._excerpts(starts, max(1, round(seconds * self.rate)), self._source.restart)

    def _excerpts(
        self, starts: Iterable[float], wanted: int, restart: Callable[[float], Iterator[Chunk]]
    ) -> Iterator[Samples]:
        try:
            for start in starts:
                begin = max(start - _LEAD_IN, 0.0)  # nothing leads in to the start of the file
                try:
                    self._source.chunks = restart(begin)
                    self._first = next(self._source.chunks, None)
                except Exception:  # a container that cannot be sought in
                    continue
                lead = max(round((start - begin) * self.rate), 0)
                pieces, held = [], 0
                for piece in self._delivered():
                    pieces.append(piece)
                    held += piece.shape[1]
                    if held >= lead + wanted:
                        break
                if held > lead:
                    self.seconds += min(held - lead, wanted) / self.rate
                    yield np.ascontiguousarray(np.concatenate(pieces, axis=1)[:, lead : lead + wanted])
            self._report()
        finally:
            self.close()

    def _blocks(self, length: int) -> Iterator[Samples]:
        pieces: list[Samples] = []
        held = 0
        delivered = 0
        try:
            for piece in self._delivered():
                start = 0
                while held + piece.shape[1] - start >= length:
                    stop = start + length - held
                    pieces.append(piece[:, start:stop])
                    block = np.concatenate(pieces, axis=1)
                    pieces, held, start = [], 0, stop
                    delivered += length
                    self.seconds = delivered / self.rate
                    yield block
                if start < piece.shape[1]:
                    pieces.append(piece[:, start:])
                    held += piece.shape[1] - start
            if not self._closed:  # by the caller, half way through
                self._judge()
                if not delivered + held:
                    raise DecodeError(
                        f"{self.name}: not one sample of sound comes out of it; it is damaged or much too short."
                    )
            if pieces:
                delivered += held
                self.seconds = delivered / self.rate
                yield np.concatenate(pieces, axis=1)
        finally:
            self.close()

    def _native(self) -> Iterator[Chunk]:
        """Yield the native chunks, made finite."""
        chunk, self._first = self._first, None
        while chunk is not None:
            count = chunk.samples.shape[1]
            if count and chunk.rate > 0:
                self._mend(chunk.samples)
                yield chunk
                self._decoded += count / chunk.rate  # not reached where the chunk ends the reading
            if self._closed:
                break
            chunk = next(self._source.chunks, None)

    def _mend(self, x: Samples) -> None:
        """Replace what is no finite, sane number by silence, in place."""
        with np.errstate(invalid="ignore"):
            if float(x.max()) <= _ABSURD and float(x.min()) >= -_ABSURD:  # false for NaN
                return
            bad = ~(np.abs(x) <= _ABSURD)
        x[bad] = 0.0
        self._holes += int(bad.sum())

    def _judge(self) -> None:
        """Say what was missing, after the whole file was read."""
        source = self._source
        announced, decoded = source.announced, self._decoded
        if announced is not None and decoded < announced - _TOLERANCE:
            self.warnings.append(
                f"the file is damaged or cut short: {decoded:.1f} s of the {announced:.1f} s it announces "
                "could be decoded"
            )
        elif source.endless:
            self.warnings.append(
                f"the file is damaged or cut short: it stops after {decoded:.1f} s without its end mark"
            )
        elif source.skipped:
            self.warnings.append(
                f"the file is damaged: {source.skipped} unreadable "
                f"{'piece was' if source.skipped == 1 else 'pieces were'} left out, "
                f"{decoded:.1f} s could be decoded"
            )
        self._report()

    def _report(self) -> None:
        """Say what was amiss with the samples that were read."""
        if self._holes:
            self.warnings.append(
                f"{self._holes} samples were not finite numbers (NaN or infinite) and were replaced by silence"
            )
        self.warnings.extend(self._source.notes)

    def _note(self, text: str) -> None:
        if text not in self._source.notes:
            self._source.notes.append(text)

    def _delivered(self) -> Iterator[Samples]:
        """Yield pieces of any length at the rate and number of channels promised."""
        current: tuple[int, tuple[str, ...]] | None = None
        matrix: Samples | None = None
        resampler: soxr.ResampleStream | None = None
        for chunk in self._native():
            if (chunk.rate, chunk.layout) != current:
                if resampler is not None:
                    yield from self._resampled(resampler, np.zeros((self.channels, 0), np.float32), last=True)
                    resampler = None
                channels = chunk.samples.shape[0]
                current = (chunk.rate, chunk.layout)
                if not judgeable(chunk.rate, channels):
                    self._note(
                        f"the file changes to {channels} channel{'s' * (channels > 1)} at {chunk.rate} Hz, which "
                        "cannot be judged; the sound from there on was left out"
                    )
                    # The note says why there is less than was announced.
                    self._source.announced, self._source.endless = None, False
                    return
                if current != self._format:
                    self._note(
                        "the sample rate or the channels change within the file; all was brought to the first format"
                    )
                matrix = None
                if channels > 2 or channels != self.channels:
                    matrix = downmix_matrix(chunk.layout) if channels > 2 else np.ones((2, 1), np.float32)
                    if self.channels == 1:
                        matrix = (
                            matrix.mean(axis=0, keepdims=True) if channels > 2 else np.full((1, 2), 0.5, np.float32)
                        )
                if chunk.rate != self.rate:
                    resampler = soxr.ResampleStream(chunk.rate, self.rate, self.channels, dtype="float32", quality="HQ")
            x = chunk.samples if matrix is None else matrix @ chunk.samples
            if resampler is None:
                yield x
            else:
                yield from self._resampled(resampler, x, last=False)
        if resampler is not None:
            yield from self._resampled(resampler, np.zeros((self.channels, 0), np.float32), last=True)

    @staticmethod
    def _resampled(resampler: soxr.ResampleStream, x: Samples, *, last: bool) -> Iterator[Samples]:
        frames = np.ascontiguousarray(x.T)
        y = np.asarray(resampler.resample_chunk(frames, last=last), dtype=np.float32)
        if y.size:
            yield np.ascontiguousarray(y.reshape(len(y), -1).T)


def _check_seconds(seconds: float) -> None:
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(f"seconds must be a positive number, not {seconds!r}")


def _delivered_rate(rate: int) -> int:
    """Return the rate at which a file of sample rate `rate` is delivered."""
    if rate <= MAX_RATE:
        return rate
    return 44_100 if rate % 11_025 == 0 else 48_000


def open_audio(source: str | os.PathLike[str] | BinaryIO) -> AudioStream:
    """Open an audio file, whatever its format, for reading in blocks.

    Parameters
    ----------
    source : str, os.PathLike or binary file object
        A path, or an object with ``read``. A seekable object is read in place, from its beginning, and stays
        open; any other is first read to its end.

    Returns
    -------
    AudioStream
        With its first samples already decoded, so that an unreadable file fails here.

    Raises
    ------
    FileMissingError, FolderError, EmptyFileError
        Nothing there to read.
    NotAudioError, NoAudioStreamError
        Read, but no audio.
    UnsupportedAudioError
        More than 8 channels, or a sample rate outside 8 to 192 kHz.
    DecodeError
        Audio, but damaged so that not one sample can be decoded.

    Examples
    --------
    >>> with open_audio("song.mp3") as stream:  # doctest: +SKIP
    ...     for block in stream.blocks():
    ...         print(block.shape)
    """
    item = take(source)
    try:
        stream = open_input(item)
    except BaseException:
        item.close()
        raise
    stream._closers.append(item.close)
    return stream


def open_input(item: AudioInput) -> AudioStream:
    """Open what :func:`aidetect.inputs.take` returned, as :func:`open_audio` does; a second time too, from its start.

    The streams do not close `item`: that is left to the caller.
    """
    # The decoders are tried in turn.
    kind = recognised(item.head)
    attempts: list[Callable[[], DecoderSource]] = [lambda: open_ffmpeg(item)]
    if kind in ("WAV", "AIFF", "W64", "AU", "CAF"):
        attempts.insert(0, lambda: open_sndfile(item, kind))
    elif kind in ("Ogg", "FLAC"):
        attempts.append(lambda: open_sndfile(item, kind))
    verdict: AudioError | None = None
    for attempt in attempts:
        opened: DecoderSource | None = None
        try:
            opened = attempt()
            return AudioStream(item.name, opened, [opened.close])
        except (UnsupportedAudioError, NoAudioStreamError, DecodeError) as error:
            verdict = error if not isinstance(verdict, UnsupportedAudioError | NoAudioStreamError) else verdict
        except AidetectError:
            raise
        except Exception:  # soundfile and av have many classes, all of which mean: not with this decoder
            pass
        if opened is not None:
            opened.close()
    if kind is None and not isinstance(verdict, UnsupportedAudioError | NoAudioStreamError):
        raise NotAudioError(
            f"{item.name}: no audio was recognised in this file; give an audio file such as WAV, FLAC, MP3, Ogg or M4A."
        )
    if isinstance(verdict, UnsupportedAudioError | NoAudioStreamError):
        raise verdict
    hint = " (an MP4 or M4A file that is cut short loses the index at its end)" if kind == "MP4" else ""
    raise DecodeError(
        f"{item.name}: this starts like a {kind} file but not one sample could be decoded{hint}; "
        "the file is damaged or cut short, get a fresh copy."
    )


def open_array(y: npt.ArrayLike, sr: float, *, name: str = "<array>") -> AudioStream:
    """Read an array like a file.

    Parameters
    ----------
    y : array_like
        Samples as librosa holds them: shape ``(n,)`` or ``(channels, n)``, floats around [-1, 1], or integers,
        which are scaled by their type's full scale.
    sr : float
        Sample rate in Hz, a whole number from 8000 to 192000.
    name : str, default "<array>"
        What messages call it.

    Returns
    -------
    AudioStream
        Over a view of `y`, which must not change until the blocks are read.

    Raises
    ------
    UnsupportedAudioError
        If the array is no such signal.

    Examples
    --------
    >>> import numpy as np
    >>> stream = open_array(np.zeros((2, 22050)), 22050)
    >>> [block.shape for block in stream.blocks(0.75)]
    [(2, 16538), (2, 5512)]
    """
    try:
        x = np.asarray(y)
    except Exception:
        raise UnsupportedAudioError(f"{name}: this cannot be turned into an array of samples.") from None
    if x.dtype.kind not in "fiu":
        raise UnsupportedAudioError(
            f"{name}: samples of type {x.dtype} are no audio; give real floats or integers (y.astype('float32'))."
        )
    if x.size == 0:
        raise UnsupportedAudioError(f"{name}: the array is empty; give at least some seconds of samples.")
    if x.ndim not in (1, 2):
        raise UnsupportedAudioError(f"{name}: an array of {x.ndim} dimensions {x.shape}; give (n,) or (channels, n).")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise UnsupportedAudioError(f"{name}: the array holds NaN or infinite samples; mend or cut them out first.")
    if x.ndim == 1:
        x = x[np.newaxis]
    elif x.shape[0] > MAX_CHANNELS and x.shape[1] <= MAX_CHANNELS:
        raise UnsupportedAudioError(
            f"{name}: shape {x.shape} looks like (n, channels); give (channels, n): transpose it with y.T."
        )
    try:
        rate = int(sr)
        whole = rate == sr
    except (TypeError, ValueError, OverflowError):
        rate, whole = 0, False
    if not whole:
        raise UnsupportedAudioError(f"{name}: a sample rate of {sr!r} Hz; give a whole number such as 44100.")
    channels = int(x.shape[0])
    check_format(name, rate, channels)
    layout = layout_of((), channels)

    def chunks() -> Iterator[Chunk]:
        for start in range(0, x.shape[1], CHUNK):
            part = x[:, start : start + CHUNK]
            out = np.empty(part.shape, dtype=np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                scale_into(part, out)
            yield Chunk(out, rate, layout)

    return AudioStream(name, DecoderSource(chunks=chunks(), codec="", close=lambda: None), [])
