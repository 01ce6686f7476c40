"""Hits, on attacks whose likeness is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aidetect.analysis import fast_rate, flat_band, window_spectrum
from aidetect.extraction import extract_array
from aidetect.hits import FEATURES, hits, matches

RATE = 22_050
NAMES = [feature.name for feature in FEATURES]


def burst(rng: np.random.Generator, *, rate: int = RATE) -> np.ndarray:
    """Spectrum of half a second, of which 0.1 s are silent: white noise with a steep attack and a decay of 10 ms."""
    t = np.arange(rate // 2) / rate - 0.1
    return np.fft.rfft(rng.standard_normal(len(t)) * np.where(t < 0.0, 0.0, np.exp(-np.abs(t) / 0.01)))


def played(
    *,
    same: float,
    count: int = 20,
    rate: int = RATE,
    seconds: float = 8.0,
    noise: float = 0.003,
    signs: bool = False,
    seed: int = 0,
) -> np.ndarray:
    """Play bursts that share a part `same` of their power, at times that are no whole samples."""
    rng = np.random.default_rng(seed)
    y = noise * rng.standard_normal(round(seconds * rate))
    recording, freqs = burst(rng, rate=rate), np.arange(rate // 4 + 1) * 2.0
    for k in range(count):
        own = np.sqrt(same) * recording + np.sqrt(1.0 - same) * burst(rng, rate=rate)
        place = (k + 0.1) * (seconds - 0.6) / count * rate + rng.uniform(0.0, 200.0)
        at = int(place)
        shifted = np.fft.irfft(own * np.exp(-2j * np.pi * freqs * (place - at) / rate), rate // 2)
        y[at : at + rate // 2] += shifted * (-1.0 if signs and k % 2 else 1.0)
    return y


def measured(y: np.ndarray, *, rate: int = RATE, bandwidth: float | None = None) -> dict[str, float]:
    window = window_spectrum(y.astype(np.float32), rate=rate)
    return hits(window, bandwidth=rate / 2.0 if bandwidth is None else bandwidth)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_one_recording_played_again_and_again_is_one_waveform(rate: int) -> None:
    values = measured(played(same=1.0, rate=rate), rate=rate)
    assert list(values) == NAMES
    assert values["hit_match_median"] > 0.95
    assert values["hit_pairs_median"] > 0.9
    assert values["hit_match_max"] <= 1.0


@pytest.mark.parametrize("same", [0.25, 0.5, 0.75])
def test_hits_that_share_some_of_their_power_correlate_by_that_share(same: float) -> None:
    # 15 ms of 5 kHz have 75 degrees of freedom, and attacks are found within 4 ms: some of the 15 are not shared.
    values = measured(played(same=same, count=24))
    assert values["hit_pairs_median"] == pytest.approx(same, abs=0.15)
    assert values["hit_match_median"] > values["hit_pairs_median"]


def test_hits_that_are_played_anew_are_alike_by_chance_only() -> None:
    values = measured(played(same=0.0))
    assert values["hit_pairs_median"] < 0.35
    assert values["hit_match_median"] < 0.5
    assert values["hit_match_max"] < 0.65


def test_percentiles_are_in_order_and_in_their_place() -> None:
    half = measured(played(same=1.0, count=10, seconds=4.0))
    y = np.concatenate([played(same=1.0, count=10, seconds=4.0), played(same=0.0, count=10, seconds=4.0, seed=1)])
    values = measured(y)
    best = [values[name] for name in NAMES[:6]]
    pairs = [values[name] for name in NAMES[6:]]
    assert best == sorted(best, reverse=True)
    assert pairs == sorted(pairs, reverse=True)
    assert values["hit_match_p75"] > 0.9 > 0.65 > values["hit_match_p25"]  # half of the hits have their like
    assert values["hit_pairs_p90"] > 0.65 > values["hit_pairs_median"]  # of the pairs, under a quarter
    assert half["hit_match_p25"] > 0.9


@settings(max_examples=10, deadline=None)
@given(st.floats(-60.0, 60.0))
def test_gain_changes_nothing(gain: float) -> None:
    y = played(same=0.5)
    assert measured(y * 10.0 ** (gain / 20.0)) == pytest.approx(measured(y), abs=0.01)


def test_a_hit_upside_down_is_the_same_hit() -> None:
    assert measured(played(same=1.0, signs=True)) == pytest.approx(measured(played(same=1.0)), abs=0.03)


@pytest.mark.parametrize(("count", "known"), [(5, False), (6, True)])
def test_fewer_than_six_hits_say_nothing(count: int, known: bool) -> None:
    # Without noise between them, so that nothing else rises.
    assert bool(measured(played(same=1.0, count=count, noise=0.0))) == known


@pytest.mark.parametrize(("bandwidth", "known"), [(3_100.0, False), (3_200.0, True)])
def test_two_kilohertz_are_needed(bandwidth: float, known: bool) -> None:
    assert bool(measured(played(same=1.0), bandwidth=bandwidth)) == known


def test_what_lies_outside_one_to_six_kilohertz_does_not_count() -> None:
    y = played(same=1.0, rate=44_100)
    bins = np.fft.rfft(played(same=0.0, rate=44_100, seed=5))
    freqs = np.fft.rfftfreq(len(y), 1.0 / 44_100)
    outside = np.fft.irfft(np.where((freqs < 900.0) | (freqs > 6_100.0), bins, 0.0), len(y))
    assert measured(y + outside, rate=44_100) == pytest.approx(measured(y, rate=44_100), abs=0.05)


@pytest.mark.parametrize("y", [np.zeros(8 * RATE), np.sin(np.arange(8 * RATE) * 0.3), np.zeros(200)])
def test_what_has_no_hits_says_nothing(y: np.ndarray) -> None:
    assert measured(y) == {}


def test_no_more_than_32_hits_are_compared_the_highest_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    import aidetect.hits as module

    seen = []
    monkeypatch.setattr(module, "matches", lambda waves, *, rate: seen.append(waves) or matches(waves, rate=rate))
    loud = played(same=1.0, count=32, noise=0.0)
    faint = 0.05 * np.roll(played(same=0.0, count=32, noise=0.0, seed=3), round(0.12 * RATE))
    values = measured(loud + faint + 1e-4 * np.random.default_rng(0).standard_normal(len(loud)))
    assert len(seen[0]) == 32
    assert values["hit_match_median"] > 0.9


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.0115, 0.0115), st.floats(0.0, 2.0 * np.pi), st.floats(1e-3, 1e3))
@example(0.0, 0.0, 1.0)
@example(0.0115, 0.0, 1.0)
def test_a_shift_within_reach_is_undone(shift: float, phase: float, gain: float) -> None:
    """Of a pulse that is short enough to stay inside."""
    rate, n = 6_500.0, 200
    t = (np.arange(n) - n / 2) / rate
    pulse = [np.exp(-(((t - s) / 0.002) ** 2) + 2j * np.pi * (900.0 * (t - s))) for s in (0.0, shift)]
    waves = np.stack([pulse[0], gain * np.exp(1j * phase) * pulse[1]]).astype(np.complex64)
    found = matches(waves, rate=rate)
    assert found[0, 1] == found[1, 0] > 0.98
    assert (np.diag(found) == 0.0).all()


def test_a_shift_beyond_reach_is_another_place() -> None:
    wave = np.zeros((2, 400), dtype=np.complex64)
    wave[0, 100], wave[1, 100 + round(0.014 * 6_500)] = 1.0, 1.0
    assert matches(wave, rate=6_500.0).max() < 0.1


def test_matches_are_those_of_direct_correlation() -> None:
    rng = np.random.default_rng(0)
    waves = (rng.standard_normal((5, 97)) + 1j * rng.standard_normal((5, 97))).astype(np.complex64)
    found = matches(waves, rate=6_500.0)
    for i in range(5):
        for j in range(i):
            curve = np.abs(np.correlate(waves[i], waves[j], "full"))[96 - 78 : 96 + 79]
            direct = curve.max() / np.sqrt((np.abs(waves[i]) ** 2).sum() * (np.abs(waves[j]) ** 2).sum())
            assert direct - 1e-4 <= found[i, j] <= 1.35 * direct  # a parabola rises above its points


def test_a_track_has_the_mean_of_its_windows() -> None:
    rate = 22_050
    y = np.concatenate([played(same=same, seconds=10.0, seed=k) for k, same in enumerate((1.0, 0.0, 0.5))])
    track = extract_array(y.astype(np.float32), rate).values
    parts = [extract_array(part.astype(np.float32), rate).values for part in np.split(y, 3)]
    for name in NAMES:
        assert track[name] == pytest.approx(np.mean([part[name] for part in parts]), abs=1e-5), name


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([8_000, 11_025, 44_100]), st.floats(2.0, 5.0), st.integers(0, 99))
def test_noise_of_any_kind_gives_numbers_or_nothing(rate: int, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(round(seconds * rate)) * rng.choice([0.0, 1e-6, 1.0], round(seconds * rate))
    values = measured(y, rate=rate)
    assert set(values) in (set(), set(NAMES))
    assert all(0.0 <= value <= 1.0 for value in values.values())


def test_the_band_is_sampled_fast_enough() -> None:
    window = window_spectrum(np.ones(10 * RATE, dtype=np.float32), rate=RATE)
    rate = fast_rate(window, 6_500.0)
    assert 6_500.0 <= rate < 6_600.0
    assert len(flat_band(window, low=1_000.0, high=6_000.0, over=300.0, rate=rate)) == pytest.approx(10.0 * rate, abs=1)
