"""Compression: dynamics, loudness, stereo image and the traces of lossy coding."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .analysis import ShortFrames, decibels, percentiles, usable_top
from .features import Feature
from .loudness import LoudnessMeter

__all__ = [
    "BANDS",
    "FEATURES",
    "ClipCounter",
    "band_dynamics",
    "codec_traces",
    "effective_bandwidth",
    "loudness_features",
]

Floats = npt.NDArray[np.float32]

BANDS = ((20, 150), (150, 600), (600, 2000), (2000, 6000), (6000, 12000), (12000, 16000))
"""Edges in Hz of the bands in which dynamics and width are taken."""

_WITHIN = 75.0  # dB below the strongest part of the spectrum that still count as sound
_LEVEL, _LEVELS = 0.01, 50  # dB of a level, and how many of them below the peak are limited
_LIMITED, _FLAT = 10.0 ** (-0.5 / 20.0), 10.0 ** (-0.01 / 20.0)
_CLIFF = 20.0  # dB of fall within 500 Hz that no instrument makes


class ClipCounter:
    """Counts clipped and limited samples while blocks stream by.

    A sample is *clipped* where at least three neighbours in a row share the highest magnitude of the track
    to within 0.01 dB, and *limited* where it comes within 0.5 dB of it; both are relative to the track's own peak,
    since codecs and volume controls move the peak away from full scale. The crest of a pure low tone counts as well.
    """

    def __init__(self) -> None:
        self._peak = 0.0
        self._near: npt.NDArray[np.int64] = np.zeros(_LEVELS, dtype=np.int64)  # samples by level, from the top
        self._clipped = 0
        self._samples = 0

    def feed(self, block: Floats) -> None:
        """Count one block, shape (channels, n)."""
        magnitude = np.abs(block)
        top = float(magnitude.max(initial=0.0))
        self._samples += block.size
        if top > self._peak:
            self._raise(top)
        if top < self._peak * _LIMITED or not top:
            return
        below = -20.0 / _LEVEL * np.log10(magnitude[magnitude >= _LIMITED * self._peak] / np.float32(self._peak))
        self._near += np.bincount(np.minimum(below.astype(np.int64), _LEVELS - 1), minlength=_LEVELS)
        if top >= _FLAT * self._peak:
            self._clipped += _in_runs(magnitude >= _FLAT * self._peak)

    def _raise(self, top: float) -> None:
        """Count from a higher peak: what was near the old one may be too low now."""
        lower = round(20.0 / _LEVEL * math.log10(top / self._peak)) if self._peak else _LEVELS
        kept = self._near[: max(_LEVELS - lower, 0)]
        self._near = np.concatenate([np.zeros(_LEVELS - len(kept), dtype=np.int64), kept])
        if _FLAT * top > self._peak:
            self._clipped = 0
        self._peak = top

    def values(self) -> dict[str, float]:
        """Shares of clipped and of limited samples, in parts per thousand."""
        total = max(self._samples, 1)
        return {
            "clipped_samples": 1000.0 * self._clipped / total,
            "limited_samples": 1000.0 * float(self._near.sum()) / total,
        }


def _in_runs(flat: npt.NDArray[np.bool_]) -> int:
    """Count what stands with at least two like neighbours in a row, shape (channels, n)."""
    middle = flat[:, 2:] & flat[:, 1:-1] & flat[:, :-2]
    inside = np.zeros_like(flat)
    for shift in range(3):
        inside[:, shift : shift + middle.shape[1]] |= middle
    return int(np.count_nonzero(inside))


def loudness_features(meter: LoudnessMeter) -> dict[str, float]:
    """Loudness, range and peaks of the whole track.

    Parameters
    ----------
    meter : LoudnessMeter
        Fed with every sample.

    Notes
    -----
    Ratios of peaks to means do not tell in how many channels a track is stored: one that sounds alone is taken as if
    played on both sides, where its loudness is 3 LU more and its root mean square its own.
    """
    sounding = max(meter.sounding_channels(), 1)
    return {
        "integrated_loudness": meter.integrated(),
        "loudness_range": meter.loudness_range(),
        "short_term_spread": meter.short_term_spread(),
        "true_peak": meter.true_peak(),
        "plr": meter.plr() - float(decibels(np.array(2.0 / sounding))),
        "crest_factor": meter.crest_factor() - float(decibels(np.array(meter.channels / sounding))),
    }


def band_dynamics(short: ShortFrames, *, bandwidth: float) -> dict[str, float]:
    """Crest, spread, attack and stereo image per band, over the short frames of one window.

    Parameters
    ----------
    short : ShortFrames
        Of one window.
    bandwidth : float
        Highest frequency that carries sound, Hz.

    Returns
    -------
    dict
        NaN for bands beyond the bandwidth, and between channels for mono.
    """
    values: dict[str, float] = {}
    side_power = None
    if short.side is not None:
        side_power = short.side.real**2 + short.side.imag**2
    for low, high in BANDS:
        name = _label(low, high)
        top = usable_top(high, bandwidth=bandwidth)
        if top is None:
            values.update({f"{stat}_{name}": np.nan for stat in _BAND_STATS})
            continue
        a, b = np.searchsorted(short.freqs, (low, top))
        b = max(int(b), int(a) + 1)
        energy = short.power[:, a:b].sum(axis=1)
        mean = float(energy.mean()) + 1e-20
        levels = decibels(energy, 1e-6 * mean)
        rise = np.diff(levels)
        high_level, low_level = percentiles(levels, 95, 10)
        values[f"band_crest_{name}"] = float(decibels(np.array(energy.max() / mean)))
        values[f"band_range_{name}"] = high_level - low_level
        sharpest, steepest_fall = percentiles(rise, 98, 2)
        values[f"attack_{name}"] = sharpest
        values[f"attack_asymmetry_{name}"] = sharpest + steepest_fall
        values[f"width_{name}"], values[f"correlation_{name}"] = _image(short, side_power, energy[::2], int(a), int(b))
    return values


_BAND_STATS = ("band_crest", "band_range", "attack", "attack_asymmetry", "width", "correlation")


def _image(short: ShortFrames, side_power: Floats | None, energy: Floats, a: int, b: int) -> tuple[float, float]:
    """Level of the side over the middle (dB) and correlation of left and right of one band."""
    if side_power is None or short.side is None:
        return np.nan, np.nan
    mid, side = float(energy.sum()), float(side_power[:, a:b].sum())
    if side < 1e-7 * mid:
        return np.nan, np.nan
    cross = float(np.vdot(short.side[:, a:b], short.mid[::2, a:b]).real)
    left, right = mid + side + 2.0 * cross, mid + side - 2.0 * cross
    correlation = (mid - side) / np.sqrt(max(left * right, 1e-30))
    return float(np.clip(decibels(np.array(side / (mid + 1e-20))), -40.0, 20.0)), float(np.clip(correlation, -1.0, 1.0))


def effective_bandwidth(spectrum: Floats, freqs: Floats) -> float:
    """Return the highest frequency in Hz that carries sound.

    The mean spectrum, smoothed over 200 Hz, is followed down from the top to where it comes within 75 dB of its
    maximum, or further to the foot of a cliff (20 dB within 500 Hz), which only a low-pass makes.

    Parameters
    ----------
    spectrum, freqs : ndarray, shape (bins,)
        Mean power and frequencies (Hz).

    References
    ----------
    After Hennequin, Royo-Letelier, Moussallam: Codec independent lossy audio compression detection. ICASSP 2017.
    """
    step = float(freqs[1] - freqs[0])
    width = max(1, round(200.0 / step))
    kernel = np.ones(width) / width
    level = decibels(np.convolve(np.pad(spectrum, width, mode="edge"), kernel, mode="same")[width:-width])
    start = int(np.searchsorted(freqs, 60.0))
    top = float(level[start:].max())
    last = int(np.flatnonzero(level > top - _WITHIN)[-1])
    reach = max(1, round(500.0 / step))
    first = int(np.searchsorted(freqs, 2000.0))
    if last - reach > first:
        fall = level[first:-reach] - level[first + reach :]
        for i in np.flatnonzero(fall > _CLIFF)[:: max(1, reach // 4)]:
            foot = first + int(i) + reach
            before = float(level[first + int(i)])
            if float(level[foot:].max()) < before - 0.75 * _CLIFF:
                drop = level[first + int(i) : foot + 1]
                return float(freqs[min(last, first + int(i) + int(np.argmax(drop < before - 6.0)))])
    return float(freqs[last])


def codec_traces(spectrum: Floats, freqs: Floats, bandwidth: float) -> dict[str, float]:
    """Traces of lossy coding in the mean spectrum: where it ends and how steeply.

    Parameters
    ----------
    spectrum, freqs : ndarray, shape (bins,)
        Mean power and frequencies (Hz).
    bandwidth : float
        From :func:`effective_bandwidth`, Hz.
    """
    level = decibels(spectrum)
    below = (freqs > bandwidth - 900.0) & (freqs < bandwidth - 150.0)
    above = (freqs > bandwidth + 350.0) & (freqs < bandwidth + 1100.0)
    slope = float(level[below].mean() - level[above].mean()) if below.any() and above.any() else np.nan
    return {"effective_bandwidth": bandwidth, "cutoff_drop": slope}


def _label(low: int, high: int) -> str:
    return f"{low}_{high}hz"


_EBU = "EBU Tech 3342"
_BS = "ITU-R BS.1770-5"


def _catalogue() -> tuple[Feature, ...]:
    own = "aidetect"

    def feature(name: str, unit: str, meaning: str, source: str, scored: bool = True) -> Feature:
        return Feature(name, "compression", unit, meaning, source, scored)

    whole = [
        feature("integrated_loudness", "LUFS", "gated loudness of the whole track", _BS, False),
        feature("loudness_range", "LU", "spread of short-term loudness between quiet and loud parts", _EBU),
        feature("short_term_spread", "LU", "standard deviation of short-term loudness", "EBU Tech 3341"),
        feature("true_peak", "dBTP", "highest level between the samples", _BS, False),
        feature("plr", "LU", "true peak over integrated loudness, mono played on both sides", "AES TD1004"),
        feature("crest_factor", "dB", "20 log10 of peak over RMS of the channels that sound", "AES TD1004"),
        feature("clipped_samples", "1/1000", "samples in runs at the track's own peak", own, False),
        feature("limited_samples", "1/1000", "samples within 0.5 dB of the track's own peak", own),
        feature("effective_bandwidth", "Hz", "highest frequency that carries sound", "Hennequin et al. 2017", False),
        feature(
            "cutoff_drop", "dB", "fall of the spectrum at the end of the bandwidth", "Hennequin et al. 2017", False
        ),
    ]
    banded = {
        "band_crest": ("dB", "loudest frame over the mean", own),
        "band_range": ("dB", "loud (P95) over quiet (P10) frames", own),
        "attack": ("dB", "sharpest rises from frame to frame (P98)", own),
        "attack_asymmetry": ("dB", "sharpest rises against sharpest falls", own),
        "width": ("dB", "side over middle channel", own),
        "correlation": ("1", "correlation of left and right", "Blauert 1997"),
    }
    for stat, (unit, meaning, source) in banded.items():
        scored = stat not in ("width", "correlation")  # being mono, or wide, tells of genre and era
        whole += [
            feature(f"{stat}_{_label(low, high)}", unit, f"{meaning}, {low}-{high} Hz", source, scored)
            for low, high in BANDS
        ]
    return tuple(whole)


FEATURES = _catalogue()
"""Catalogue of this family, in the order of a feature table."""
