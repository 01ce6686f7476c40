"""Decoders: libsndfile and FFmpeg, each as a source of chunks of native samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt
import soundfile as sf

from .channels import layout_of
from .containers import PcmFacts, aiff_facts, mp3_counts_frames, ogg_ends, wav_facts
from .errors import DecodeError, NoAudioStreamError, UnsupportedAudioError
from .inputs import AudioInput

__all__ = [
    "CHUNK",
    "MAX_CHANNELS",
    "MAX_NATIVE_RATE",
    "MIN_RATE",
    "Chunk",
    "DecoderSource",
    "check_format",
    "judgeable",
    "open_ffmpeg",
    "open_sndfile",
    "scale_into",
]

MIN_RATE = 8_000
"""Lowest sample rate accepted."""
MAX_NATIVE_RATE = 192_000
"""Highest sample rate accepted."""
MAX_CHANNELS = 8
"""Most channels accepted."""
CHUNK = 1 << 16
"""Frames taken from a decoder at a time."""

_PY_IO_BUFFER = 1 << 18
_CONVERT = "convert it to WAV or FLAC with another program and try again"

Samples = npt.NDArray[np.float32]


@dataclass(slots=True)
class Chunk:
    """Native samples, shape (channels, n), with the format they are in."""

    samples: Samples
    rate: int
    layout: tuple[str, ...]


@dataclass(slots=True)
class DecoderSource:
    """One opened decoder."""

    chunks: Iterator[Chunk]
    codec: str
    close: Callable[[], None]
    announced: float | None = None  # seconds the header promises, None where it promises nothing to rely on
    endless: bool = False  # an Ogg file without its end mark
    skipped: int = 0  # damaged packets stepped over
    notes: list[str] = field(default_factory=list)
    length: float | None = None  # seconds, as far as can be told without decoding; for choosing excerpts only
    restart: Callable[[float], Iterator[Chunk]] | None = None  # go on at a time in seconds


def scale_into(x: npt.NDArray[Any], out: Samples) -> None:
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


def judgeable(rate: int, channels: int) -> bool:
    """Whether sound of this format can be judged."""
    return MIN_RATE <= rate <= MAX_NATIVE_RATE and 1 <= channels <= MAX_CHANNELS


def check_format(name: str, rate: int, channels: int) -> None:
    """Raise UnsupportedAudioError, which says what of the two is in the way, unless it can be judged."""
    if judgeable(rate, channels):
        return
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnsupportedAudioError(
            f"{name}: {channels} channels; 1 to {MAX_CHANNELS} can be judged. Mix it down to stereo first."
        )
    raise UnsupportedAudioError(
        f"{name}: a sample rate of {rate} Hz; {MIN_RATE} to {MAX_NATIVE_RATE} Hz can be judged. "
        "Give the recording at its original rate."
    )


# -- libsndfile --------------------------------------------------------------------------------------------------


def open_sndfile(item: AudioInput, kind: str) -> DecoderSource:
    """Open `item` with libsndfile; raises whatever soundfile raises."""
    facts = PcmFacts()
    if kind == "WAV":
        facts = wav_facts(item.file, item.size)
    elif kind == "AIFF":
        facts = aiff_facts(item.file, item.size)
    if not facts.plain:
        raise DecodeError(f"{item.name}: not a coding for libsndfile")  # caught: the other decoder is next
    if item.path is None:
        item.file.seek(0)
    handle = sf.SoundFile(item.path if item.path is not None else item.file)
    rate, channels = int(handle.samplerate), int(handle.channels)
    codec = handle.subtype.lower() if handle.format != "FLAC" else "flac"
    if codec.startswith("mpeg_layer"):
        codec = "mp3"
    source = DecoderSource(
        chunks=iter(()),
        codec=codec,
        close=handle.close,
        announced=facts.frames / rate if facts.frames is not None and rate > 0 else None,
    )
    layout = layout_of(facts.layout, channels)

    def chunks() -> Iterator[Chunk]:
        buffer = np.empty((CHUNK, channels), dtype=np.float32)
        while True:
            try:
                got = handle.read(out=buffer)
            except Exception:  # soundfile, or a file object of the caller: what was read before stands
                source.skipped += 1
                return
            if len(got) == 0:
                return
            yield Chunk(np.array(got.T, order="C"), rate, layout)  # a copy: the buffer is filled again
            if len(got) < CHUNK:
                return

    def restart(at: float) -> Iterator[Chunk]:
        handle.seek(round(at * rate))
        return chunks()

    if not judgeable(rate, channels):
        handle.close()
        check_format(item.name, rate, channels)
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
_TRUSTED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "flac", "wav", "aiff", "w64", "ape", "wv", "tta", "tak"}


def _ffmpeg_codec(name: str) -> str:
    """Turn FFmpeg's name of a codec into the one shown."""
    if name.startswith("pcm_"):
        kind = name[4:].removesuffix("le").removesuffix("be").removesuffix("_planar")
        special = {"f32": "float", "f64": "double", "u8": "pcm_u8", "s8": "pcm_s8", "mulaw": "ulaw"}
        return special.get(kind, "pcm_" + kind[1:] if kind[:1] == "s" else kind)
    return name


def open_ffmpeg(item: AudioInput) -> DecoderSource:
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


def _ffmpeg_source(item: AudioInput, container: Any) -> DecoderSource:
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
    source = DecoderSource(
        chunks=iter(()),
        codec=_ffmpeg_codec(str(context.codec.canonical_name).lower()),
        close=container.close,
    )
    if kind in _TRUSTED or (kind == "mp3" and mp3_counts_frames(item.file)):
        if stream.duration is not None and stream.time_base is not None:
            source.announced = float(stream.duration * stream.time_base)
        elif container.duration is not None and not container.streams.video:
            source.announced = container.duration / 1e6
    elif kind == "ogg":
        source.endless = not ogg_ends(item.file, item.size)
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

    def chunks() -> Iterator[Chunk]:
        fifo = av.AudioFifo()
        layout = None
        for frame in frames():
            frame.pts = None  # time stamps of a damaged file jump; the samples are simply joined
            before, layout = layout, frame.layout.name
            try:
                if before not in (None, layout):  # AudioFifo does not look, and reads beyond the channels there are
                    raise ValueError
                fifo.write(frame)
            except ValueError:  # the format changes within the stream
                chunk = _drain(fifo)
                if chunk is not None:
                    yield chunk
                fifo = av.AudioFifo()
                fifo.write(frame)
            if fifo.samples >= CHUNK:
                chunk = _drain(fifo)
                if chunk is not None:
                    yield chunk
        chunk = _drain(fifo)
        if chunk is not None:
            yield chunk

    def restart(at: float) -> Iterator[Chunk]:
        container.seek(round(at * 1e6))  # to the frame before it, and with an empty decoder
        return chunks()

    source.chunks = chunks()
    if stream.duration is not None and stream.time_base is not None:
        source.length = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        source.length = container.duration / 1e6
    source.restart = restart
    return source


def _drain(fifo: Any) -> Chunk | None:
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
        scale_into(data, out)
        data = out
    names = tuple(str(channel.name) for channel in frame.layout.channels)
    return Chunk(data, int(frame.sample_rate), layout_of(names, channels))


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
