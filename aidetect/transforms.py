"""What happens to music on its way: codecs, resampling, speed, filters, noise.

Training puts both classes through these, so that the history of a file cannot stand for its maker, and the
robustness benchmark measures each of them. All take and return float32 samples of shape (channels, n).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from .decoding import open_audio

__all__ = [
    "CODECS",
    "GRID",
    "Transform",
    "codec",
    "draw",
    "equalise",
    "limiter",
    "low_pass",
    "noise",
    "resample",
    "reverb",
    "shift",
    "speed",
    "stretch",
    "through_rate",
]

Floats = npt.NDArray[np.float32]

CODECS = ("mp3", "ogg", "opus", "aac")
"""Lossy codecs by name: MP3 and Ogg Vorbis are written by libsndfile, Opus and AAC by FFmpeg's libraries."""


@dataclass(frozen=True)
class Transform:
    """A named change of a signal.

    Attributes
    ----------
    name : str
        As in tables.
    apply : callable
        ``apply(y, rate) -> (y, rate)``.
    """

    name: str
    apply: Callable[[Floats, int], tuple[Floats, int]]


def codec(y: Floats, rate: int, *, name: str, kbps: int) -> tuple[Floats, int]:
    """Encode and decode once.

    Parameters
    ----------
    y : ndarray, shape (channels, n)
        One or two channels.
    rate : int
        Sample rate, Hz; converted where the codec does not know it.
    name : str
        One of :data:`CODECS`.
    kbps : int
        Bit rate in kbit/s, of both channels together.
    """
    wanted = _codec_rate(name, rate)
    if wanted != rate:
        y, rate = resample(y, rate, to=wanted)
    peak = float(np.abs(y).max(initial=0.0))
    y = y if peak <= 1.0 else y / np.float32(peak)
    data = _encode_sndfile(y, rate, name, kbps) if name in ("mp3", "ogg") else _encode_ffmpeg(y, rate, name, kbps)
    with open_audio(io.BytesIO(data)) as decoded:
        return np.concatenate(list(decoded.blocks()), axis=1), decoded.rate


def _encode_sndfile(y: Floats, rate: int, name: str, kbps: int) -> bytes:
    """Libsndfile knows levels, not bit rates: 1 is the least that the format has."""
    import soundfile as sf

    out = io.BytesIO()
    if name == "mp3":
        least, most = (32, 320) if rate >= 32_000 else (8, 160)
        level = min((most - min(max(kbps, least), most)) / (most - least), 0.99)  # libsndfile refuses 1
        sf.write(out, y.T, rate, format="MP3", compression_level=level, bitrate_mode="CONSTANT")
    else:  # 64 kbit/s is Vorbis' quality 0, 112 is 3, 256 is 8 of 10
        quality = float(np.interp(kbps, (45, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), np.arange(-1, 10) / 10.0))
        sf.write(out, y.T, rate, format="OGG", subtype="VORBIS", compression_level=min(1.0 - max(quality, 0.0), 0.99))
    return out.getvalue()


def _encode_ffmpeg(y: Floats, rate: int, name: str, kbps: int) -> bytes:
    import av

    out = io.BytesIO()
    layout = "mono" if len(y) == 1 else "stereo"
    encoder, container_name = {"opus": ("libopus", "ogg"), "aac": ("aac", "adts")}[name]
    with av.open(out, "w", format=container_name) as container:
        stream: Any = container.add_stream(encoder, rate=rate)
        stream.layout = layout
        stream.bit_rate = 1000 * kbps
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        position = 0
        for start in range(0, y.shape[1], rate):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y[:, start : start + rate]), "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
            position += frame.samples
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return out.getvalue()


def _codec_rate(name: str, rate: int) -> int:
    known = {
        "opus": (48_000,),
        "mp3": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
        "aac": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    }.get(name, (16_000, 22_050, 24_000, 32_000, 44_100, 48_000))
    return min(known, key=lambda r: (r < rate, abs(r - rate)))


def resample(y: Floats, rate: int, *, to: int) -> tuple[Floats, int]:
    """Convert the sample rate (soxr, high quality)."""
    import soxr

    return np.ascontiguousarray(soxr.resample(y.T, rate, to).T, dtype=np.float32), to


def through_rate(y: Floats, rate: int, *, rate_between: int) -> tuple[Floats, int]:
    """Convert to another sample rate and back."""
    if rate <= rate_between:
        return y, rate
    low, _ = resample(y, rate, to=rate_between)
    return resample(low, rate_between, to=rate)


def speed(y: Floats, rate: int, *, factor: float) -> tuple[Floats, int]:
    """Play `factor` times faster: tempo and pitch change together."""
    import soxr

    return np.ascontiguousarray(soxr.resample(y.T, rate * factor, rate).T, dtype=np.float32), rate


def low_pass(y: Floats, rate: int, *, cutoff: float) -> tuple[Floats, int]:
    """Remove everything above `cutoff` Hz (zero phase, 300 Hz wide slope)."""
    if cutoff >= 0.48 * rate:
        return y, rate
    return _filtered(y, rate, lambda f: np.clip((cutoff + 300.0 - f) / 300.0, 0.0, 1.0)), rate


def equalise(y: Floats, rate: int, *, tilt: float, bell: float, at: float) -> tuple[Floats, int]:
    """Tilt the spectrum by `tilt` dB per octave around 1 kHz and raise one octave around `at` Hz by `bell` dB."""

    def gain(f: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        octaves = np.log2(np.maximum(f, 30.0) / 1000.0)
        level = np.clip(tilt * octaves, -12.0, 12.0) + bell * np.exp(
            -0.5 * (octaves - np.log2(at / 1000.0)) ** 2 / 0.25
        )
        shaped: npt.NDArray[np.float64] = 10.0 ** (level / 20.0)
        return shaped

    return _filtered(y, rate, gain), rate


def _filtered(y: Floats, rate: int, gain: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Floats:
    import scipy.fft

    size = scipy.fft.next_fast_len(y.shape[1] + rate // 10, real=True)
    spectrum = scipy.fft.rfft(y, size, axis=1)
    spectrum *= gain(np.fft.rfftfreq(size, 1.0 / rate)).astype(np.float32)
    return np.ascontiguousarray(scipy.fft.irfft(spectrum, size, axis=1)[:, : y.shape[1]], dtype=np.float32)


def limiter(y: Floats, rate: int, *, drive: float) -> tuple[Floats, int]:
    """Raise the level by `drive` dB against a soft ceiling (hyperbolic tangent) at the old peak."""
    peak = float(np.abs(y).max(initial=0.0)) + 1e-9
    return (peak * np.tanh(y / peak * 10.0 ** (drive / 20.0))).astype(np.float32), rate


def noise(y: Floats, rate: int, *, snr: float, seed: int = 0) -> tuple[Floats, int]:
    """Add white noise `snr` dB below the signal."""
    level = float(np.sqrt(np.mean(np.square(y)))) * 10.0 ** (-snr / 20.0)
    grain = np.random.default_rng(seed).standard_normal(y.shape, dtype=np.float32)
    return y + np.float32(level) * grain, rate


def reverb(y: Floats, rate: int, *, seconds: float, wet: float, seed: int = 0) -> tuple[Floats, int]:
    """Add exponentially decaying noise as a room (60 dB in `seconds`), at `wet` dB relative to the direct sound."""
    import scipy.fft

    length = round(seconds * rate)
    tail = np.random.default_rng(seed).standard_normal((len(y), length)) * 10.0 ** (-3.0 * np.arange(length) / length)
    tail *= 10.0 ** (wet / 20.0) / np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    size = scipy.fft.next_fast_len(y.shape[1] + length, real=True)
    room = scipy.fft.irfft(scipy.fft.rfft(y, size, axis=1) * scipy.fft.rfft(tail, size, axis=1), size, axis=1)
    return (y + room[:, : y.shape[1]]).astype(np.float32), rate


def stretch(y: Floats, rate: int, *, factor: float) -> tuple[Floats, int]:
    """Change the tempo, not the pitch (phase vocoder, librosa)."""
    import librosa

    return librosa.effects.time_stretch(y, rate=factor).astype(np.float32), rate


def shift(y: Floats, rate: int, *, semitones: float) -> tuple[Floats, int]:
    """Change the pitch, not the tempo (phase vocoder, librosa)."""
    import librosa

    return librosa.effects.pitch_shift(y, sr=rate, n_steps=semitones).astype(np.float32), rate


def _chain(*steps: Transform) -> Transform:
    def apply(y: Floats, rate: int) -> tuple[Floats, int]:
        for step in steps:
            y, rate = step.apply(y, rate)
        return y, rate

    return Transform(" + ".join(step.name for step in steps), apply)


def _grid() -> tuple[Transform, ...]:
    def codec_step(name: str, kbps: int) -> Transform:
        return Transform(f"{name} {kbps}k", lambda y, r: codec(y, r, name=name, kbps=kbps))

    def speed_step(percent: float) -> Transform:
        return Transform(f"speed {percent:+g}%", lambda y, r: speed(y, r, factor=1.0 + percent / 100.0))

    lossy = [codec_step("mp3", k) for k in (64, 96, 128, 320)]
    lossy += [codec_step("ogg", 112), codec_step("opus", 96), codec_step("aac", 128)]
    rates = [
        Transform(f"via {b / 1000:g} kHz", lambda y, r, b=b: through_rate(y, r, rate_between=b))  # type: ignore[misc]
        for b in (22_050, 32_000)
    ]
    filters = [
        Transform(f"low-pass {c / 1000:g} kHz", lambda y, r, c=c: low_pass(y, r, cutoff=c))  # type: ignore[misc]
        for c in (8_000, 11_000, 16_000)
    ]
    speeds = [speed_step(p) for p in (-6, -3, -0.5, 0.5, 3, 6)]
    pitches = [
        Transform(f"pitch {s:+d} semitones", lambda y, r, s=s: shift(y, r, semitones=s))  # type: ignore[misc]
        for s in (-2, 2)
    ]
    tempos = [
        Transform(f"tempo {p:+d}%", lambda y, r, p=p: stretch(y, r, factor=1 + p / 100))  # type: ignore[misc]
        for p in (-5, 5)
    ]
    mastering = Transform(
        "EQ and limiter",
        lambda y, r: limiter(*equalise(y, r, tilt=1.0, bell=4.0, at=3000.0), drive=6.0),
    )
    noises = [
        Transform(f"noise {s} dB", lambda y, r, s=s: noise(y, r, snr=s))  # type: ignore[misc]
        for s in (40, 30)
    ]
    room = Transform("light reverb", lambda y, r: reverb(y, r, seconds=0.6, wet=-15.0))
    chains = [
        _chain(codec_step("mp3", 128), codec_step("aac", 96)),
        _chain(speed_step(3), codec_step("mp3", 128)),
        _chain(mastering, codec_step("ogg", 112)),
        _chain(noises[0], codec_step("opus", 64)),
    ]
    return (*lossy, *rates, *filters, *speeds, *pitches, *tempos, mastering, *noises, room, *chains)


GRID: tuple[Transform, ...] = _grid()
"""The transforms of the robustness benchmark."""


def draw(rng: np.random.Generator) -> Transform:
    """Draw a random chain for training: a codec in most cases, and a few of the rest.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the choices, so that a seed names a chain.
    """
    steps: list[Transform] = []

    def maybe(chance: float, make: Callable[[], Transform]) -> None:
        if rng.random() < chance:
            steps.append(make())

    def drawn_speed() -> Transform:
        factor = float(np.exp(rng.uniform(-0.06, 0.06)))
        return Transform(f"speed x{factor:.3f}", lambda y, r: speed(y, r, factor=factor))

    def drawn_vocoder() -> Transform:
        semitones, factor = float(rng.uniform(-2.5, 2.5)), float(rng.uniform(0.92, 1.08))
        if rng.random() < 0.5:
            return Transform(f"pitch {semitones:+.1f}", lambda y, r: shift(y, r, semitones=semitones))
        return Transform(f"tempo x{factor:.3f}", lambda y, r: stretch(y, r, factor=factor))

    def drawn_eq() -> Transform:
        tilt, bell, at = float(rng.uniform(-1.5, 1.5)), float(rng.uniform(-5, 5)), float(rng.uniform(200, 8000))
        return Transform("eq", lambda y, r: equalise(y, r, tilt=tilt, bell=bell, at=at))

    def drawn_limiter() -> Transform:
        drive = float(rng.uniform(1, 8))
        return Transform("limiter", lambda y, r: limiter(y, r, drive=drive))

    def drawn_noise() -> Transform:
        snr, seed = float(rng.uniform(30, 60)), int(rng.integers(1 << 30))
        return Transform("noise", lambda y, r: noise(y, r, snr=snr, seed=seed))

    def drawn_room() -> Transform:
        seconds, wet, seed = float(rng.uniform(0.2, 1.0)), float(rng.uniform(-22, -10)), int(rng.integers(1 << 30))
        return Transform("reverb", lambda y, r: reverb(y, r, seconds=seconds, wet=wet, seed=seed))

    def drawn_rate() -> Transform:
        between = int(rng.choice([16_000, 22_050, 24_000, 32_000]))
        return Transform("rate", lambda y, r: through_rate(y, r, rate_between=between))

    def drawn_low_pass() -> Transform:
        cutoff = float(rng.uniform(7_000, 17_000))
        return Transform("low-pass", lambda y, r: low_pass(y, r, cutoff=cutoff))

    def drawn_mono() -> Transform:
        return Transform("mono", lambda y, r: (y.mean(axis=0, keepdims=True), r))

    def drawn_codec() -> Transform:
        name = str(rng.choice(["mp3", "mp3", "ogg", "opus", "aac"]))
        kbps = int(rng.choice([64, 96, 128, 160, 192, 256]))
        return Transform(
            f"{name} {kbps}k", lambda y, r: codec(y, r, name=name, kbps=kbps if len(y) == 2 else kbps // 2)
        )

    maybe(0.35, drawn_speed)
    maybe(0.1, drawn_vocoder)
    maybe(0.2, drawn_eq)
    maybe(0.2, drawn_limiter)
    maybe(0.15, drawn_noise)
    maybe(0.08, drawn_room)
    maybe(0.15, drawn_mono)
    maybe(0.15, drawn_rate)
    maybe(0.15, drawn_low_pass)
    maybe(0.8, drawn_codec)
    return _chain(*steps) if steps else Transform("plain", lambda y, r: (y, r))
