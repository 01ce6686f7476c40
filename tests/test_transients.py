"""Shape of envelopes, on noise whose envelope is known."""

from __future__ import annotations

import numpy as np
import pytest

from aidetect.transients import FEATURES, transients

RATE = 44_100
NAMES = {feature.name for feature in FEATURES}


def bursts(envelope: np.ndarray, *, seconds: float = 4.0, every: float = 0.25) -> np.ndarray:
    """White noise that begins anew with `envelope` every so often, over faint noise."""
    rng = np.random.default_rng(0)
    n, period = round(seconds * RATE), round(every * RATE)
    gain = np.resize(np.pad(envelope, (0, period - len(envelope))), n)
    return ((0.002 + gain) * rng.standard_normal(n) * 0.1).astype(np.float32)


def decay() -> np.ndarray:
    return np.exp(-np.arange(round(0.2 * RATE)) / (0.03 * RATE))


def measure(x: np.ndarray) -> dict[str, float]:
    return transients(x, rate=RATE, bandwidth=16_000.0)


def test_sharp_attacks_skew_the_changes_and_reversed_ones_the_other_way() -> None:
    forward, backward = measure(bursts(decay())), measure(bursts(decay())[::-1].copy())
    for band in ("4k_6k", "6k_8k"):
        assert forward[f"change_skewness_{band}"] > 1.0
        assert backward[f"change_skewness_{band}"] == pytest.approx(-forward[f"change_skewness_{band}"], rel=0.2)


@pytest.mark.parametrize(("attack", "skewed"), [(0.02, 1), (0.06, 0), (0.1, -1)])
def test_changes_are_skewed_as_attack_and_decay_of_a_click_differ(attack: float, skewed: int) -> None:
    """Clicks that rise by 60 dB in `attack` seconds and fall by as much in the rest of 0.12 s."""
    up, down = round(attack * RATE), round((0.12 - attack) * RATE)
    envelope = 10.0 ** (3.0 * (np.concatenate([np.linspace(0.0, 1.0, up), np.linspace(1.0, 0.0, down)]) - 1.0))
    found = measure(bursts(envelope))
    for band in ("4k_6k", "6k_8k", "8k_11k"):
        skewness = found[f"change_skewness_{band}"]
        assert skewed * skewness > 0.5 if skewed else abs(skewness) < 0.3


def test_silence_has_no_envelope() -> None:
    assert measure(np.zeros(4 * RATE, dtype=np.float32)) == {}
    x = bursts(decay())
    x[round(0.2 * RATE) :] = 0.0  # 69 frames are left
    assert measure(x) == {}
    x = bursts(decay())
    x[RATE:] = 0.0
    assert set(measure(x)) == NAMES


def test_smeared_attacks_skew_less() -> None:
    window = np.hanning(round(0.03 * RATE))
    smeared = np.convolve(decay(), window / window.sum())
    sharp, soft = measure(bursts(decay())), measure(bursts(smeared))
    for stat in ("change_skewness", "change_kurtosis"):
        assert sharp[f"{stat}_6k_8k"] > 2.0 * soft[f"{stat}_6k_8k"]


@pytest.mark.parametrize(("hertz", "step"), [(6.0, "4_8hz"), (40.0, "30_50hz")])
def test_modulation_lies_where_its_rate_is(hertz: float, step: str) -> None:
    t = np.arange(4 * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(len(t))
    found = measure((0.1 * (1.0 + 0.9 * np.sin(2.0 * np.pi * hertz * t)) * noise).astype(np.float32))
    band = next(n.removeprefix("change_spread_") for n in found if n.startswith("change_spread_"))
    shares = {n: v for n, v in found.items() if n.startswith("modulation_") and n.endswith(band)}
    assert max(shares, key=lambda n: shares[n]) == f"modulation_{step}_{band}"


def test_bands_of_one_noise_rise_together_and_of_several_do_not() -> None:
    rng = np.random.default_rng(0)
    gain = np.repeat(np.exp(rng.standard_normal(800)), RATE // 200)
    together = (0.05 * gain * rng.standard_normal(len(gain))).astype(np.float32)
    apart = (0.05 * rng.standard_normal(len(gain))).astype(np.float32)
    name = "rise_together_1k_mid"
    assert measure(together)[name] > 0.5
    assert abs(measure(apart)[name]) < 0.15


def test_bands_beyond_the_bandwidth_are_left_out_and_all_others_there() -> None:
    x = bursts(decay())
    assert set(measure(x)) == NAMES
    narrow = transients(x, rate=RATE, bandwidth=7_000.0)
    assert 0 < len(narrow) < len(NAMES)
    assert not any("11k" in name or name.endswith("_high") for name in narrow)
    assert transients(x[:2000], rate=RATE, bandwidth=16_000.0) == {}


def test_loudness_changes_nothing() -> None:
    x = bursts(decay())
    quiet = measure(0.01 * x)
    for name, value in measure(x).items():
        assert quiet[name] == pytest.approx(value, rel=0.02, abs=0.02), name
