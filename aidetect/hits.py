"""Hits: whether attacks come again as the same waveform.

A drum machine, a sampler or a copied bar plays one recording of a hit over and over; who plays an instrument strikes it
anew, but the same skin, string or plate. A decoder draws every hit afresh. Fifteen milliseconds from the attack on are
compared, in which little else is as loud: what is sung over it matters less than in longer stretches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from .analysis import SLOPE, WindowSpectrum, fast_rate, flat_band, percentiles, power_of, vertex
from .features import Feature

__all__ = ["FEATURES", "hits", "matches"]

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

_LOW, _HIGH = 1000.0, 6000.0  # Hz that are compared
_NARROWEST = 2000.0  # Hz of them that must carry sound
_WHITE = 300.0  # Hz over which the spectrum is flattened, so that attacks stand out from what rings on
_RATE = 6500.0  # Hz, least sample rate at which they are compared
_STEP = 0.004  # s in which attacks are sought
_BEFORE = slice(2, 7)  # steps before, over whose mean level an attack rises
_RISE = 1.0  # nepers of power it must rise by
_FLOOR = 1e-4  # of the mean power, below which no level lies
_APART = 0.03  # s between attacks
_MOST, _LEAST = 32, 6  # hits that are compared in a window, those that rise highest; fewer say nothing
_SECONDS = 0.015  # of a hit that are compared
_REACH = 0.012  # s by which two hits may be shifted against each other


def hits(window: WindowSpectrum, *, bandwidth: float) -> dict[str, float]:
    """Tell how alike the hits of one window are.

    Parameters
    ----------
    window : WindowSpectrum
        Of one window.
    bandwidth : float
        Highest frequency that carries sound, Hz.

    Returns
    -------
    dict
        Values of :data:`FEATURES`; empty where there are fewer than six hits or too little bandwidth.
    """
    high = min(_HIGH, bandwidth - SLOPE)
    if high - _LOW < _NARROWEST:
        return {}
    rate = fast_rate(window, _RATE)
    wave = flat_band(window, low=_LOW, high=high, over=_WHITE, rate=rate)
    starts = _attacks(wave, rate)
    if len(starts) < _LEAST:
        return {}
    found = matches(np.stack([wave[start : start + round(_SECONDS * rate)] for start in starts]), rate=rate)
    best = percentiles(found.max(axis=1), *_OF_BEST.values())
    pairs = percentiles(found[np.triu_indices(len(found), 1)], *_OF_PAIRS.values())
    return dict(zip((*_OF_BEST, *_OF_PAIRS), best + pairs, strict=True))


def matches(waves: Complex, *, rate: float) -> Floats:
    """Highest correlation of each hit with each other, over shifts of up to 12 ms.

    Parameters
    ----------
    waves : ndarray of complex64, shape (hits, samples)
        Analytic signals.
    rate : float
        Sample rate, Hz.

    Returns
    -------
    ndarray of float32, shape (hits, hits)
        0 to 1, 1 for the same waveform; 0 on the diagonal.
    """
    reach = round(_REACH * rate)
    size = int(scipy.fft.next_fast_len(waves.shape[1] + reach + 1))
    spectra = scipy.fft.fft(waves, size)
    energy = np.sqrt(power_of(waves).sum(axis=1)) + np.float32(1e-20)
    one, other = np.triu_indices(len(waves), 1)
    curves = np.abs(scipy.fft.ifft(spectra[other] * np.conj(spectra[one])))
    curves = np.concatenate([curves[:, -reach:], curves[:, : reach + 1]], axis=1)
    top = np.clip(curves.argmax(axis=1), 1, curves.shape[1] - 2)
    rows = np.arange(len(curves))
    highest = np.maximum(curves.max(axis=1), vertex(*(curves[rows, top + step] for step in (-1, 0, 1))))
    found = np.zeros((len(waves), len(waves)), dtype=np.float32)
    found[one, other] = found[other, one] = np.minimum(highest / (energy[one] * energy[other]), 1.0)
    return found


def _attacks(wave: Complex, rate: float) -> npt.NDArray[np.int64]:
    """First samples of the hits, in order of time: a step before their level rises most."""
    step = round(_STEP * rate)
    power = power_of(wave[: len(wave) // step * step]).reshape(-1, step).sum(axis=1)
    level = np.log(power + np.float32(_FLOOR) * power.mean() + np.float32(1e-30))
    most = _BEFORE.stop
    before = np.mean([level[most - k : len(level) - k] for k in range(_BEFORE.start, most)], axis=0)
    rise = level[most:] - before
    peaks = np.flatnonzero((rise[1:-1] >= rise[:-2]) & (rise[1:-1] > rise[2:]) & (rise[1:-1] > _RISE)) + 1
    starts = (peaks + most - 1) * step
    fits = starts + round(_SECONDS * rate) <= len(wave)
    chosen: list[int] = []
    for start in starts[fits][np.argsort(-rise[peaks[fits]], kind="stable")].tolist():
        if len(chosen) < _MOST and all(abs(start - other) > _APART * rate for other in chosen):
            chosen.append(start)
    return np.sort(np.array(chosen, dtype=np.int64))


_OF_BEST = {
    "hit_match_max": 100.0,
    "hit_match_p95": 95.0,
    "hit_match_p90": 90.0,
    "hit_match_p75": 75.0,
    "hit_match_median": 50.0,
    "hit_match_p25": 25.0,
}
_OF_PAIRS = {"hit_pairs_p99": 99.0, "hit_pairs_p95": 95.0, "hit_pairs_p90": 90.0, "hit_pairs_median": 50.0}
_SHARES = {100.0: "highest", 50.0: "median"}

FEATURES = tuple(
    Feature(name, "shimmer", "1", f"{meaning}, 1-6 kHz: {_SHARES.get(share, f'{share:.0f}th percentile')}", "aidetect")
    for names, meaning in (
        (_OF_BEST, "correlation of the attack of a hit with the most alike"),
        (_OF_PAIRS, "correlation of the attacks of two hits"),
    )
    for name, share in names.items()
)
"""Catalogue of these features, which speak for the family ``shimmer``."""
