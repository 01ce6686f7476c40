"""A short tune made in code, plain and passed through a simulated strided decoder: something to score without files."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["strided_decoder", "tune"]

Floats = npt.NDArray[np.float32]

_RATE = 44_100
_CHORDS = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))  # Am F C G, MIDI note numbers
_MELODY = (69, 72, 76, 74, 72, 69, 67, 69, 65, 69, 72, 76, 74, 71, 67, 71)


def tune(*, seconds: float = 24.0, rate: int = _RATE, seed: int = 0) -> Floats:
    """Play plucked strings, a singing lead with vibrato, and brushed drums.

    Parameters
    ----------
    seconds : float
        Length, s.
    rate : int
        Sample rate, Hz.
    seed : int
        Of the small irregularities of the player.

    Returns
    -------
    ndarray of float32, shape (2, n)
    """
    rng = np.random.default_rng(seed)
    out = np.zeros((2, round(seconds * rate)), dtype=np.float64)
    beat = 0.5
    for i in range(int(seconds / beat) - 1):
        chord = _CHORDS[i // 8 % len(_CHORDS)]
        at = i * beat + float(rng.normal(0.0, 0.006))
        _add(out, _pluck(chord[i % 3] - 12 * (i % 4 == 0), 1.6, rate, rng), at, rate, pan=float(rng.uniform(0.2, 0.45)))
        _add(out, _brush(rate, rng, bright=i % 2 == 1), at + float(rng.normal(0, 0.004)), rate, pan=0.6)
        if i % 2 == 0:
            note = _sing(_MELODY[i // 2 % len(_MELODY)], 0.9 * 2 * beat, rate, rng)
            _add(out, note, at + 0.02, rate, pan=0.5)
    room = rng.standard_normal((2, out.shape[1])) * 2e-4
    out = out + room
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def strided_decoder(y: Floats, *, strides: tuple[int, ...] = (8, 5, 4, 2), seed: int = 0) -> Floats:
    """Do to a signal what the upsampling layers of a neural decoder do.

    The signal is brought to a low rate and back by inserting zeros, stride after stride, each time with a short filter
    that removes the copies of the spectrum only in part. What it leaves are narrow lines at multiples of the low rate
    (Pons et al., ICASSP 2021). The result is mixed below the original.

    Parameters
    ----------
    y : ndarray, shape (channels, n)
        Signal.
    strides : tuple of int
        Of the layers.
    seed : int
        Of the filters.
    """
    rng = np.random.default_rng(seed)
    total = int(np.prod(strides))
    n = y.shape[1] // total * total
    envelope = np.abs(y[:, :n]).reshape(len(y), -1, total).mean(axis=2)  # what the "latents" carry
    x = envelope + 0.02 * envelope.mean()
    for stride in strides:
        stretched = np.zeros((len(y), x.shape[1] * stride))
        stretched[:, ::stride] = x
        kernel = np.hanning(2 * stride + 1)[1:-1] + 0.15 * rng.standard_normal(2 * stride - 1)
        x = np.stack([np.convolve(channel, kernel, mode="same") for channel in stretched])
    x = np.diff(x, n=2, axis=1, prepend=x[:, :2])  # decoders learn to mend the lows, where loss functions look hardest
    x *= 0.1 * np.abs(y).max() / (np.abs(x).max() + 1e-12)
    out = y.astype(np.float64).copy()
    out[:, :n] += x
    return (out * (0.5 / np.abs(out).max())).astype(np.float32)


def _add(out: npt.NDArray[np.float64], note: npt.NDArray[np.float64], at: float, rate: int, *, pan: float) -> None:
    start = max(0, round(at * rate))
    part = note[: max(0, out.shape[1] - start)]
    out[0, start : start + len(part)] += np.cos(0.5 * np.pi * pan) * part
    out[1, start : start + len(part)] += np.sin(0.5 * np.pi * pan) * part


def _hertz(note: float) -> float:
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def _pluck(note: int, seconds: float, rate: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A string: slightly inharmonic partials, the higher the sooner gone."""
    t = np.arange(round(seconds * rate)) / rate
    f = _hertz(note) * (1.0 + float(rng.normal(0.0, 0.0006)))
    sound = np.zeros_like(t)
    for k in range(1, 30):
        partial = f * k * np.sqrt(1.0 + 4e-4 * k * k)
        if partial > 0.45 * rate:
            break
        sound += np.sin(2 * np.pi * partial * t + rng.uniform(0, 6.28)) * np.exp(-t * (1.5 + 0.35 * k)) / k**1.2
    return 0.25 * float(rng.uniform(0.8, 1.1)) * sound * np.minimum(1.0, t / 0.003)


def _sing(note: int, seconds: float, rate: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A voice: harmonics under two formants, with vibrato that sets in late, and some breath."""
    t = np.arange(round(seconds * rate)) / rate
    vibrato = 35.0 * np.minimum(1.0, t / 0.4) * np.sin(2 * np.pi * float(rng.uniform(5.2, 5.9)) * t)
    drift = np.cumsum(rng.standard_normal(len(t))) / np.sqrt(rate) * 4.0
    f = _hertz(note) * 2.0 ** ((vibrato + drift - 60.0 * np.exp(-t / 0.05)) / 1200.0)
    phase = 2 * np.pi * np.cumsum(f) / rate
    sound = np.zeros_like(t)
    for k in range(1, 25):
        frequency = _hertz(note) * k
        if frequency > 0.45 * rate:
            break
        formants = np.exp(-(((frequency - 650) / 350) ** 2)) + 0.6 * np.exp(-(((frequency - 1150) / 400) ** 2)) + 0.05
        sound += formants * np.sin(k * phase) / k**0.3
    breath = rng.standard_normal(len(t)) * 0.01
    edge = np.minimum(1.0, np.minimum(t / 0.06, (seconds - t) / 0.08))
    return 0.3 * (sound + breath) * np.clip(edge, 0.0, 1.0)


def _brush(rate: int, rng: np.random.Generator, *, bright: bool) -> npt.NDArray[np.float64]:
    t = np.arange(round(0.25 * rate)) / rate
    grain = rng.standard_normal(len(t))
    grain = np.diff(grain, prepend=0.0) if bright else np.convolve(grain, np.ones(24) / 24, mode="same")
    return 0.08 * float(rng.uniform(0.7, 1.0)) * grain * np.exp(-t / (0.05 if bright else 0.09))
