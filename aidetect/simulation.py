"""Simulated decoders: what becomes of people's music when the phase is lost, guessed or blurred.

Generators draw a spectrogram, or something as coarse, and a decoder makes a waveform of it. These functions do the same
to any music, so that exact twins can be compared: an expert that tells people's music from its own simulation owes
nothing to the generators of a corpus, to genre or to mastering.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .transforms import Transform, draw, low_pass, resample

__all__ = ["KINDS", "blur_phase", "draw_simulation", "invert", "invert_mel"]

Floats = npt.NDArray[np.float32]

KINDS = ("inversion", "mel inversion", "blurred phase")
"""Kinds of simulated decoders, as in the generator column of a table."""
_OVERLAP = 4  # frames over every sample, as librosa has it by default
_MOMENTUM = 0.9


def invert(y: Floats, rate: int, *, seconds: float, iterations: int, seed: int) -> Floats:
    """Throw the phase away and guess it anew.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Samples.
    rate : int
        Sample rate, Hz.
    seconds : float
        Length of a frame.
    iterations : int
        Of the guess; more sound better.
    seed : int
        Of the phase it starts from.

    Returns
    -------
    ndarray of float32, shape (n,)

    References
    ----------
    Perraudin, Balazs, Sondergaard: A fast Griffin-Lim algorithm. WASPAA 2013.
    """
    import librosa

    size = _frame(rate, seconds)
    return _guess(np.abs(librosa.stft(y, n_fft=size)), size, len(y), iterations, seed)


def invert_mel(y: Floats, rate: int, *, seconds: float, iterations: int, bands: int, top: float, seed: int) -> Floats:
    """Keep a mel spectrogram only, and guess all the rest.

    Parameters
    ----------
    y, rate, seconds, iterations, seed
        As in :func:`invert`.
    bands : int
        Mel bands.
    top : float
        Hz; what lies higher is lost.
    """
    import librosa

    size = _frame(rate, seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # bands narrower than a bin are left out below
        weights = librosa.filters.mel(sr=rate, n_fft=size, n_mels=bands, fmax=min(top, rate / 2.0), norm=None)
    weights = weights[weights.sum(axis=1) > 0.0]
    weights /= weights.sum(axis=1, keepdims=True)
    mel = weights @ np.abs(librosa.stft(y, n_fft=size))
    spread = weights.T @ mel / np.maximum(weights.sum(axis=0), 1e-3)[:, None]
    return _guess(spread, size, len(y), iterations, seed)


def blur_phase(
    y: Floats, rate: int, *, seconds: float, spread: float, above: float, smooth: float, seed: int
) -> Floats:
    """Let the phase of every bin wander on its own.

    Parameters
    ----------
    y, rate, seconds, seed
        As in :func:`invert`.
    spread : float
        Standard deviation of the wandering, rad.
    above : float
        Hz; full effect 2 kHz above it, none below.
    smooth : float
        How slow it is: standard deviation of the smoothing, frames and bins.
    """
    import librosa

    size = _frame(rate, seconds)
    spectra = librosa.stft(y, n_fft=size)
    wander = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(spectra.shape), smooth)
    wander *= spread / max(float(wander.std()), 1e-9)
    freqs = np.arange(len(spectra)) * rate / size
    amount = np.clip((freqs - above) / 2000.0, 0.0, 1.0)[:, None]
    blurred = (spectra * np.exp(1j * wander * amount)).astype(np.complex64)
    return np.asarray(librosa.istft(blurred, n_fft=size, length=len(y)))


def _guess(magnitude: Floats, size: int, length: int, iterations: int, seed: int) -> Floats:
    import librosa

    found = librosa.griffinlim(
        np.asarray(magnitude, dtype=np.float32),
        n_iter=iterations,
        n_fft=size,
        momentum=_MOMENTUM,
        length=length,
        random_state=seed,
    )
    return np.asarray(found, dtype=np.float32)


def _frame(rate: int, seconds: float) -> int:
    return max(_OVERLAP, round(rate * seconds / _OVERLAP) * _OVERLAP)


def draw_simulation(rng: np.random.Generator, *, decode: bool = True) -> tuple[str, Transform]:
    """Draw a simulated decoder of random kind and quality, and what its output goes through afterwards.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the choices, so that a seed names a simulation.
    decode : bool
        Whether the decoder is used; if not, everything else is done to the music all the same: the exact twin.

    Returns
    -------
    kind : str
        One of :data:`KINDS`.
    transform : Transform
        Takes any channels and gives one.
    """
    kind = str(rng.choice(KINDS, p=(0.5, 0.25, 0.25)))
    seed, seconds = int(rng.integers(1 << 30)), float(rng.choice([0.032, 0.046, 0.064, 0.1]))
    lower = int(rng.choice([16_000, 22_050, 24_000, 32_000])) if rng.random() < 0.4 else None
    iterations, bands = int(rng.choice([4, 8, 16, 32])), int(rng.choice([80, 128, 256, 512]))
    spread, above, smooth = float(rng.uniform(0.3, 2.5)), float(rng.uniform(200, 4000)), float(rng.uniform(0.3, 3.0))
    top = float(rng.choice([8_000, 10_000, 12_000, 16_000]))
    decoders: dict[str, Callable[[Floats, int], Floats]] = {
        "inversion": lambda y, rate: invert(y, rate, seconds=seconds, iterations=iterations, seed=seed),
        "mel inversion": lambda y, rate: invert_mel(
            y, rate, seconds=seconds, iterations=iterations, bands=bands, top=top, seed=seed
        ),
        "blurred phase": lambda y, rate: blur_phase(
            y, rate, seconds=seconds, spread=spread, above=above, smooth=smooth, seed=seed
        ),
    }
    afterwards = draw(rng)

    def apply(y: Floats, rate: int) -> tuple[Floats, int]:
        mono = y.mean(axis=0, dtype=np.float32)
        if lower is not None and lower < rate:
            low, rate = resample(mono[None], rate, to=lower)
            mono = low[0]
        if decode:
            mono = decoders[kind](mono, rate)
        elif kind == "mel inversion":  # what it cuts off must not tell the two apart
            mono = low_pass(mono[None], rate, cutoff=top)[0][0]
        peak = max(float(np.abs(mono).max(initial=0.0)), 1e-9)
        return afterwards.apply((mono * (0.9 / peak))[None].astype(np.float32), rate)

    return kind, Transform(f"{kind} + {afterwards.name}", apply)
