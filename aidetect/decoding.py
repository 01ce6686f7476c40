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

import io
import math
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, NoReturn

import av
import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from .errors import (
    AidetectError,
    AudioError,
    DecodeError,
    EmptyFileError,
    FileMissingError,
    FolderError,
    NoAudioStreamError,
    NotAudioError,
    UnsupportedAudioError,
)

__all__ = ["MAX_RATE", "MIN_RATE", "AudioStream", "open_array", "open_audio"]

MAX_RATE = 48_000
"""Highest sample rate delivered; files above it are resampled."""
MIN_RATE = 8_000
"""Lowest sample rate accepted."""

_MAX_NATIVE_RATE = 192_000
_MAX_CHANNELS = 8
_CHUNK = 1 << 16  # frames taken from a decoder at a time
_ABSURD = 1e10  # a sample beyond this (+200 dB) is damage, and its square would overflow float32
_SPOOL = 64 << 20  # a pipe is kept in memory up to here, in an unnamed temporary file beyond
_LEAD_IN = 0.2  # s before an excerpt: the first frames after a jump lean on frames that were not read
_TOLERANCE = 0.15  # seconds a header may announce too much: encoder delay and padding
_PY_IO_BUFFER = 1 << 18
_CONVERT = "convert it to WAV or FLAC with another program and try again"

Samples = npt.NDArray[np.float32]

# ---------------------------------------------------------------------------------------------------------------
# Channel layouts
# ---------------------------------------------------------------------------------------------------------------

_MASK_ORDER = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC",
    "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
)  # fmt: skip
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


def _downmix_matrix(layout: tuple[str, ...]) -> Samples:
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


def _layout(labels: tuple[str, ...], channels: int) -> tuple[str, ...]:
    """Return `labels` if they name every one of `channels` channels, else the usual order for that number."""
    if len(labels) == channels and len(set(labels)) == channels and all(label in _MIX for label in labels):
        return labels
    return _DEFAULT_LAYOUTS.get(channels, ("?",) * channels)


def _delivered_rate(rate: int) -> int:
    """Return the rate at which a file of sample rate `rate` is delivered."""
    if rate <= MAX_RATE:
        return rate
    return 44_100 if rate % 11_025 == 0 else 48_000


# ---------------------------------------------------------------------------------------------------------------
# Sources: something that yields chunks of native samples
# ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Chunk:
    """Native samples, shape (channels, n), with the format they are in."""

    samples: Samples
    rate: int
    layout: tuple[str, ...]


@dataclass(slots=True)
class _Source:
    """One opened decoder."""

    chunks: Iterator[_Chunk]
    codec: str
    close: Callable[[], None]
    announced: float | None = None  # seconds the header promises, None where it promises nothing to rely on
    endless: bool = False  # an Ogg file without its end mark
    skipped: int = 0  # damaged packets stepped over
    notes: list[str] = field(default_factory=list)
    length: float | None = None  # seconds, as far as can be told without decoding; for choosing excerpts only
    restart: Callable[[float], Iterator[_Chunk]] | None = None  # go on at a time in seconds


@dataclass(slots=True)
class _Input:
    """The bytes to decode: a path or a seekable binary file, and what was learnt from looking at them."""

    name: str
    path: str | None
    file: BinaryIO
    own: bool  # whether `file` is ours to close
    size: int
    head: bytes

    def close(self) -> None:
        if self.own:
            self.file.close()


def _scale(x: npt.NDArray[Any], out: Samples) -> None:
    """Write `x`, of any real sample type, into `out` with integers scaled to [-1, 1)."""
    kind = x.dtype.kind
    if kind == "f":
        np.copyto(out, x, casting="unsafe")
        return
    half = float(2 ** (8 * x.dtype.itemsize - 1))
    if x.dtype.itemsize > 4:
        scaled = x.astype(np.float64)
        np.copyto(out, (scaled - half) / half if kind == "u" else scaled / half, casting="unsafe")
        return
    np.multiply(x, np.float32(1.0 / half), out=out, casting="unsafe", dtype=np.float32)
    if kind == "u":
        out -= 1.0


# -- looking at bytes --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _PcmFacts:
    """What the header of a WAV or AIFF file says beyond what libsndfile tells."""

    plain: bool = True  # a sample coding libsndfile knows
    frames: int | None = None
    layout: tuple[str, ...] = ()


def _read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Read without moving the file: a decoder may be half way through it."""
    before = file.tell()
    file.seek(offset)
    data = file.read(count)
    file.seek(before)
    return data if data is not None else b""


def _wav_facts(file: BinaryIO, size: int) -> _PcmFacts:
    """Walk the chunks of a RIFF/WAVE file up to its data."""
    facts = _PcmFacts()
    head = _read_at(file, 0, 12)
    order = ">" if head[:4] == b"RIFX" else "<"
    position, long_data, block = 12, None, 0
    for _ in range(1000):
        header = _read_at(file, position, 8)
        if len(header) < 8:
            break
        kind, length = header[:4], struct.unpack(order + "I", header[4:])[0]
        if kind == b"ds64":
            body = _read_at(file, position + 8, 16)
            if len(body) == 16:
                long_data = struct.unpack(order + "Q", body[8:])[0]
        elif kind == b"fmt ":
            body = _read_at(file, position + 8, min(length, 40))
            if len(body) < 16:
                break
            tag, channels, _, _, block = struct.unpack(order + "HHIIH", body[:14])
            if tag == 0xFFFE and len(body) >= 26:
                mask = struct.unpack(order + "I", body[20:24])[0]
                tag = struct.unpack(order + "H", body[24:26])[0]
                named = tuple(label for bit, label in enumerate(_MASK_ORDER) if mask >> bit & 1)
                if len(named) == channels:
                    facts.layout = named
            facts.plain = tag in (1, 3, 6, 7)
        elif kind == b"data":
            if length == 0xFFFFFFFF and long_data is not None:
                length = long_data
            # Programs that write to a pipe leave these in place of a length.
            unknown = length == 0 or 0x7FFFF000 <= length <= 0x80000000 or 0xFFFFF000 <= length <= 0xFFFFFFFF
            if not unknown and block and facts.plain:
                facts.frames = length // block
            break
        position += 8 + length + (length & 1)
        if position >= size:
            break
    return facts


def _aiff_facts(file: BinaryIO, size: int) -> _PcmFacts:
    """Find the number of frames that an AIFF file announces."""
    facts = _PcmFacts()
    position = 12
    for _ in range(1000):
        header = _read_at(file, position, 8)
        if len(header) < 8:
            break
        length = struct.unpack(">I", header[4:])[0]
        if header[:4] == b"COMM":
            body = _read_at(file, position + 8, 6)
            if len(body) == 6:
                facts.frames = struct.unpack(">HI", body)[1] or None
            break
        position += 8 + length + (length & 1)
        if position >= size:
            break
    return facts


def _id3_length(head: bytes) -> int:
    """Return the length of the ID3v2 tag that `head` starts with, 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    a, b, c, d = head[6:10]
    return 10 + ((a & 127) << 21 | (b & 127) << 14 | (c & 127) << 7 | (d & 127))


def _mp3_counts_frames(item: _Input) -> bool:
    """Tell whether an MP3 file says how long it is (a Xing, Info or VBRI header with a frame count)."""
    start = _read_at(item.file, _id3_length(item.head), 4096)
    sync = start.find(b"\xff")
    while 0 <= sync < len(start) - 1 and start[sync + 1] & 0xE0 != 0xE0:
        sync = start.find(b"\xff", sync + 1)
    if sync < 0:
        return False
    first = start[sync : sync + 200]
    for mark in (b"Xing", b"Info"):
        at = first.find(mark)
        if at >= 0 and len(first) >= at + 8:
            return bool(first[at + 7] & 1)
    return b"VBRI" in first


def _ogg_ends(item: _Input) -> bool:
    """Tell whether the last page of an Ogg file is whole and marked as the last."""
    offset = max(0, item.size - 131_072)
    tail = _read_at(item.file, offset, item.size - offset)
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False
    table = tail[at + 27 : at + 27 + tail[at + 26]]
    if len(table) < tail[at + 26] or len(tail) < at + 27 + len(table) + sum(table):
        return False
    return bool(tail[at + 5] & 4)


def _recognised(head: bytes) -> str | None:
    """Name the kind of audio container `head` belongs to, as far as that is beyond doubt."""
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"heic", b"heix", b"mif1", b"msf1"):
        return "MP4"
    for magic, kind in (
        (b"riff\x2e\x91\xcf\x11", "W64"),
        (b"fLaC", "FLAC"),
        (b"OggS", "Ogg"),
        (b"caff", "CAF"),
        (b".snd", "AU"),
        (b"ID3", "MP3"),
        (b"\x1aE\xdf\xa3", "Matroska"),
        (b"0&\xb2u\x8ef\xcf\x11", "WMA"),
    ):
        if head.startswith(magic):
            return kind
    return None


# -- libsndfile --------------------------------------------------------------------------------------------------


def _open_sndfile(item: _Input, kind: str) -> _Source:
    """Open `item` with libsndfile; raises whatever soundfile raises."""
    facts = _PcmFacts()
    if kind == "WAV":
        facts = _wav_facts(item.file, item.size)
    elif kind == "AIFF":
        facts = _aiff_facts(item.file, item.size)
    if not facts.plain:
        raise DecodeError(f"{item.name}: not a coding for libsndfile")  # caught: the other decoder is next
    if item.path is None:
        item.file.seek(0)
    handle = sf.SoundFile(item.path if item.path is not None else item.file)
    rate, channels = int(handle.samplerate), int(handle.channels)
    codec = handle.subtype.lower() if handle.format != "FLAC" else "flac"
    if codec.startswith("mpeg_layer"):
        codec = "mp3"
    source = _Source(
        chunks=iter(()),
        codec=codec,
        close=handle.close,
        announced=facts.frames / rate if facts.frames is not None and rate > 0 else None,
    )
    layout = _layout(facts.layout, channels)

    def chunks() -> Iterator[_Chunk]:
        buffer = np.empty((_CHUNK, channels), dtype=np.float32)
        while True:
            try:
                got = handle.read(out=buffer)
            except Exception:  # soundfile, or a file object of the caller: what was read before stands
                source.skipped += 1
                return
            if len(got) == 0:
                return
            yield _Chunk(np.array(got.T, order="C"), rate, layout)  # a copy: the buffer is filled again
            if len(got) < _CHUNK:
                return

    def restart(at: float) -> Iterator[_Chunk]:
        handle.seek(round(at * rate))
        return chunks()

    if not 1 <= channels <= _MAX_CHANNELS:
        handle.close()
        _refuse_format(item.name, rate, channels)
    source.chunks = chunks()
    if handle.seekable() and rate > 0:
        source.length, source.restart = handle.frames / rate, restart
    return source


# -- FFmpeg ------------------------------------------------------------------------------------------------------

# Only self-contained formats: a playlist (hls, concat, dash, sdp) could name other files or the network,
# and pictures or subtitles are not ours.
_FORMATS = (
    "aac ac3 eac3 aiff amr ape asf au avi caf dsf dts dtshd f4v flac flv iff loas matroska webm mlp mov "
    "mp4 m4a 3gp 3g2 mj2 mp3 mpc mpc8 mpeg mpegts mxf nut ogg oma qoa rm shn spx tak truehd tta voc w64 "
    "wav wsd wtv wv xwma"
).replace(" ", ",")
_RAW_FORMATS = {"aac", "ac3", "eac3", "amr", "dts", "loas", "mlp", "mp3", "mpeg", "mpegts", "shn", "truehd"}
_TRUSTED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "flac", "wav", "aiff", "w64", "ape", "wv", "tta", "tak"}


def _ffmpeg_codec(name: str) -> str:
    """Turn FFmpeg's name of a codec into the one shown."""
    if name.startswith("pcm_"):
        kind = name[4:].removesuffix("le").removesuffix("be").removesuffix("_planar")
        special = {"f32": "float", "f64": "double", "u8": "pcm_u8", "s8": "pcm_s8", "mulaw": "ulaw"}
        return special.get(kind, "pcm_" + kind[1:] if kind[:1] == "s" else kind)
    return name


def _open_ffmpeg(item: _Input) -> _Source:
    """Open `item` with FFmpeg's libraries; raises AudioError or whatever av raises."""
    target: Any = None
    if item.path is not None:
        try:
            target = "file:" + item.path
            target.encode("utf-8")
        except UnicodeEncodeError:
            target = None
    if target is None:
        item.file.seek(0)
        target = _Reader(item.file)
    container = av.open(
        target,
        mode="r",
        container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
        metadata_errors="replace",
        buffer_size=_PY_IO_BUFFER,
    )
    try:
        return _ffmpeg_source(item, container)
    except BaseException:
        container.close()
        raise


def _ffmpeg_source(item: _Input, container: Any) -> _Source:
    stream = container.streams.best("audio")
    if stream is None and container.streams.audio:
        stream = container.streams.audio[0]
    if stream is None:
        if container.streams.video:
            raise NoAudioStreamError(f"{item.name}: this video holds no sound; give a file with an audio track.")
        raise NoAudioStreamError(f"{item.name}: the file holds no audio track; give a file with sound.")
    context = stream.codec_context
    if context is None:
        raise UnsupportedAudioError(f"{item.name}: no decoder for its sound is installed; {_CONVERT}.")
    context.thread_count = 1  # files are the unit of parallel work; more threads here cost time and memory
    kind = str(container.format.name)
    source = _Source(
        chunks=iter(()),
        codec=_ffmpeg_codec(str(context.codec.canonical_name).lower()),
        close=container.close,
    )
    if kind in _TRUSTED or (kind == "mp3" and _mp3_counts_frames(item)):
        if stream.duration is not None and stream.time_base is not None:
            source.announced = float(stream.duration * stream.time_base)
        elif container.duration is not None and not container.streams.video:
            source.announced = container.duration / 1e6
    elif kind == "ogg":
        source.endless = not _ogg_ends(item)
        if stream.duration is not None and stream.time_base is not None:
            source.announced = float(stream.duration * stream.time_base)

    def frames() -> Iterator[Any]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except Exception:  # the container breaks off here; hand out what the decoder still holds
                source.skipped += 1
                try:
                    yield from context.decode(None)
                except Exception:
                    pass
                return
            try:
                decoded = packet.decode()
            except Exception:
                source.skipped += 1
                continue
            yield from decoded

    def chunks() -> Iterator[_Chunk]:
        fifo = av.AudioFifo()
        for frame in frames():
            frame.pts = None  # time stamps of a damaged file jump; the samples are simply joined
            try:
                fifo.write(frame)
            except ValueError:  # the format changes within the stream
                chunk = _drain(fifo)
                if chunk is not None:
                    yield chunk
                fifo = av.AudioFifo()
                fifo.write(frame)
            if fifo.samples >= _CHUNK:
                chunk = _drain(fifo)
                if chunk is not None:
                    yield chunk
        chunk = _drain(fifo)
        if chunk is not None:
            yield chunk

    def restart(at: float) -> Iterator[_Chunk]:
        container.seek(round(at * 1e6))  # to the frame before it, and with an empty decoder
        return chunks()

    source.chunks = chunks()
    if stream.duration is not None and stream.time_base is not None:
        source.length = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        source.length = container.duration / 1e6
    source.restart = restart
    return source


def _drain(fifo: Any) -> _Chunk | None:
    """Take all samples out of an AudioFifo."""
    if fifo.samples <= 0:
        return None
    frame = fifo.read(0, True)
    if frame is None or frame.samples <= 0:
        return None
    channels = int(frame.layout.nb_channels)
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, channels).T
    if data.dtype != np.float32 or not data.flags.c_contiguous:
        out = np.empty(data.shape, dtype=np.float32)
        _scale(data, out)
        data = out
    names = tuple(str(channel.name) for channel in frame.layout.channels)
    return _Chunk(data, int(frame.sample_rate), _layout(names, channels))


class _Reader:
    """The part of a file object that FFmpeg may use: it must not close the caller's file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.name = "<memory>"

    def read(self, count: int) -> bytes:
        try:
            return self._file.read(count) or b""
        except Exception:  # an exception here would surface in the middle of native code
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


# ---------------------------------------------------------------------------------------------------------------
# The stream
# ---------------------------------------------------------------------------------------------------------------


def _refuse_format(name: str, rate: int, channels: int) -> NoReturn:
    if not 1 <= channels <= _MAX_CHANNELS:
        raise UnsupportedAudioError(
            f"{name}: {channels} channels; 1 to {_MAX_CHANNELS} can be judged. Mix it down to stereo first."
        )
    raise UnsupportedAudioError(
        f"{name}: a sample rate of {rate} Hz; {MIN_RATE} to {_MAX_NATIVE_RATE} Hz can be judged. "
        "Give the recording at its original rate."
    )


class AudioStream:
    """A decoded file or array, read once from start to end in blocks.

    Obtained from :func:`open_audio` or :func:`open_array`; use it as a context manager so that the file is
    closed. Memory does not grow with the length of the file.

    Attributes
    ----------
    name : str
        The path, or ``"<memory>"``; for messages.
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

    def __init__(self, name: str, source: _Source, closers: list[Callable[[], None]]) -> None:
        self.name = name
        self.codec = source.codec
        self.warnings: list[str] = []
        self.seconds = 0.0
        self._source = source
        self._closers = closers
        self._started = False
        self._closed = False
        self._holes = 0
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
        self._first: _Chunk | None = first
        self.native_rate = first.rate
        self.native_channels = int(first.samples.shape[0])
        if not MIN_RATE <= self.native_rate <= _MAX_NATIVE_RATE or self.native_channels > _MAX_CHANNELS:
            _refuse_format(name, self.native_rate, self.native_channels)
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
        """
        if not (seconds > 0 and math.isfinite(seconds)):
            raise ValueError(f"seconds must be a positive number, not {seconds!r}")
        if self._closed or self._started:
            state = "is closed" if self._closed else "was already read"
            raise RuntimeError(f"{self.name}: this AudioStream {state}; open it again")
        self._started = True
        return self._blocks(max(1, round(seconds * self.rate)))

    @property
    def length(self) -> float | None:
        """Seconds as the header tells or the bit rate suggests; None where neither does, or nothing can be skipped."""
        return self._source.length if self._source.restart else None

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
        """
        if self._closed or self._started or self._source.restart is None:
            raise RuntimeError(f"{self.name}: this AudioStream cannot be read in excerpts")
        self._started = True
        # What a whole file must fulfil says nothing of its parts.
        self._first, self._source.announced, self._source.endless = None, None, False
        wanted, lead = round(seconds * self.rate), round(_LEAD_IN * self.rate)
        try:
            for start in starts:
                try:
                    self._source.chunks = self._source.restart(max(start - _LEAD_IN, 0.0))
                    self._first = next(self._source.chunks, None)
                except Exception:  # a container that cannot be sought in
                    continue
                pieces, held = [], 0
                for piece in self._delivered():
                    pieces.append(piece)
                    held += piece.shape[1]
                    if held >= lead + wanted:
                        break
                self._source.skipped = 0  # frames that lean on what was not read
                if held > lead:
                    self.seconds += min(held - lead, wanted) / self.rate
                    yield np.ascontiguousarray(np.concatenate(pieces, axis=1)[:, lead : lead + wanted])
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
            if pieces:
                delivered += held
                self.seconds = delivered / self.rate
                yield np.concatenate(pieces, axis=1)
        finally:
            self.close()

    def _native(self) -> Iterator[_Chunk]:
        """Yield the native chunks, made finite, then say what was missing."""
        first, self._first = self._first, None
        decoded = 0.0
        chunk = first
        while chunk is not None:
            count = chunk.samples.shape[1]
            if count and chunk.rate > 0:
                self._mend(chunk.samples)
                decoded += count / chunk.rate
                yield chunk
            if self._closed:
                break
            chunk = next(self._source.chunks, None)
        self._judge(decoded)

    def _mend(self, x: Samples) -> None:
        """Replace what is no finite, sane number by silence, in place."""
        with np.errstate(invalid="ignore"):
            if float(x.max()) <= _ABSURD and float(x.min()) >= -_ABSURD:  # false for NaN
                return
            bad = ~(np.abs(x) <= _ABSURD)
        x[bad] = 0.0
        self._holes += int(bad.sum())

    def _judge(self, decoded: float) -> None:
        source = self._source
        announced = source.announced
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
        if self._holes:
            self.warnings.append(
                f"{self._holes} samples were not finite numbers (NaN or infinite) and were replaced by silence"
            )
        self.warnings.extend(source.notes)

    def _delivered(self) -> Iterator[Samples]:
        """Yield pieces of any length at the rate and number of channels promised."""
        current: tuple[int, tuple[str, ...]] | None = None
        matrix: Samples | None = None
        resampler: soxr.ResampleStream | None = None
        for chunk in self._native():
            if (chunk.rate, chunk.layout) != current:
                if resampler is not None:
                    yield from self._resampled(resampler, np.zeros((self.channels, 0), np.float32), last=True)
                channels = chunk.samples.shape[0]
                if current is not None:
                    self._source.notes.append(
                        "the sample rate or the channels change within the file; all was brought to the first format"
                    )
                    if channels > _MAX_CHANNELS or not MIN_RATE <= chunk.rate <= _MAX_NATIVE_RATE:
                        return
                current = (chunk.rate, chunk.layout)
                matrix = None
                if channels > 2 or channels != self.channels:
                    matrix = _downmix_matrix(chunk.layout) if channels > 2 else np.ones((2, 1), np.float32)
                    if self.channels == 1:
                        matrix = (
                            matrix.mean(axis=0, keepdims=True) if channels > 2 else np.full((1, 2), 0.5, np.float32)
                        )
                resampler = None
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


# ---------------------------------------------------------------------------------------------------------------
# Opening
# ---------------------------------------------------------------------------------------------------------------


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
    item = _take(source)
    try:
        return _decode(item)
    except BaseException:
        try:
            item.close()
        except OSError:
            pass
        raise


def _decode(item: _Input) -> AudioStream:
    """Try the decoders in turn."""
    kind = _recognised(item.head)
    attempts: list[Callable[[], _Source]] = [lambda: _open_ffmpeg(item)]
    if kind in ("WAV", "AIFF", "W64", "AU", "CAF"):
        attempts.insert(0, lambda: _open_sndfile(item, kind))
    elif kind in ("Ogg", "FLAC"):
        attempts.append(lambda: _open_sndfile(item, kind))
    verdict: AudioError | None = None
    for attempt in attempts:
        opened: _Source | None = None
        try:
            opened = attempt()
            return AudioStream(item.name, opened, [opened.close, item.close])
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


def _take(source: str | os.PathLike[str] | BinaryIO) -> _Input:
    """Look at what was given and turn it into a path or a seekable file."""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if isinstance(path, str):
            return _take_path(path)
    if isinstance(source, np.ndarray):
        raise UnsupportedAudioError("an array was given where a file was expected; use open_array(y, sr).")
    if not callable(getattr(source, "read", None)):
        raise UnsupportedAudioError(
            f"a {type(source).__name__} was given where a path or a binary file object was expected; "
            "wrap bytes in io.BytesIO."
        )
    return _take_file(source)


def _take_path(path: str) -> _Input:
    try:
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            raise FolderError(f"{path}: this is a folder; give the audio files in it.")
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISFIFO(about.st_mode)):
            raise NotAudioError(f"{path}: this is a device, not an audio file; give a file.")
        file = open(path, "rb")  # noqa: SIM115 - lives as long as the stream
    except (OSError, ValueError) as error:
        if isinstance(error, IsADirectoryError):
            raise FolderError(f"{path}: this is a folder; give the audio files in it.") from None
        missing = isinstance(error, FileNotFoundError | NotADirectoryError | ValueError)
        if missing:
            raise FileMissingError(f"{path}: there is no such file; check the name.") from None
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise FileMissingError(f"{path}: the file cannot be read ({reason}); check its permissions.") from None
    try:
        if stat.S_ISFIFO(about.st_mode):
            spooled = _spool(file, path)
            file.close()
            return _inspect(path, None, spooled, own=True)
        return _inspect(path, os.path.abspath(path), file, own=True)
    except BaseException:
        file.close()
        raise


def _take_file(file: BinaryIO) -> _Input:
    label = getattr(file, "name", None)
    name = label if isinstance(label, str) and label else "<memory>"
    try:
        seekable = bool(file.seekable())
        if seekable:
            file.seek(0)
    except Exception:  # an object without seekable(), or one that promised too much
        seekable = False
    if seekable:
        return _inspect(name, None, file, own=False)
    return _inspect(name, None, _spool(file, name), own=True)


def _spool(file: BinaryIO, name: str) -> BinaryIO:
    """Copy what cannot seek into something that can."""
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - lives as long as the stream
    try:
        while True:
            data = file.read(1 << 20)
            if not data:
                break
            spool.write(_binary(data, name))
    except BaseException as error:
        spool.close()
        if isinstance(error, AidetectError) or not isinstance(error, Exception):
            raise
        raise FileMissingError(f"{name}: reading failed ({error}); check where the data comes from.") from None
    return spool  # type: ignore[return-value]


def _binary(data: object, name: str) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise UnsupportedAudioError(f"{name}: the file was opened as text; open it in binary mode ('rb').")


def _inspect(name: str, path: str | None, file: BinaryIO, *, own: bool) -> _Input:
    try:
        file.seek(0)
        head = _binary(file.read(64), name)
        size = file.seek(0, io.SEEK_END)
        if not isinstance(size, int):
            size = file.tell()
        file.seek(0)
    except AidetectError:
        raise
    except Exception as error:
        raise FileMissingError(f"{name}: reading failed ({error}); check the file and its disk.") from None
    if not head:
        raise EmptyFileError(f"{name}: the file is empty (0 bytes); get a fresh copy.")
    return _Input(name=name, path=path, file=file, own=own, size=size, head=head)


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
    elif x.shape[0] > _MAX_CHANNELS and x.shape[1] <= _MAX_CHANNELS:
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
    if channels > _MAX_CHANNELS or not MIN_RATE <= rate <= _MAX_NATIVE_RATE:
        _refuse_format(name, rate, channels)
    layout = _layout((), channels)

    def chunks() -> Iterator[_Chunk]:
        for start in range(0, x.shape[1], _CHUNK):
            part = x[:, start : start + _CHUNK]
            out = np.empty(part.shape, dtype=np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                _scale(part, out)
            yield _Chunk(out, rate, layout)

    return AudioStream(name, _Source(chunks=chunks(), codec="", close=lambda: None), [])
