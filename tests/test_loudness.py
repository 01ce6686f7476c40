"""`aidetect.loudness` against the standards' test signals, closed formulas, exhaustive search, pyloudnorm."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal

from aidetect.loudness import LoudnessMeter, k_weighting, true_peak_filter

pytestmark = pytest.mark.filterwarnings("error")

Audio = npt.NDArray[np.float32]
SCALARS = (
    "integrated",
    "loudness_range",
    "short_term_spread",
    "true_peak",
    "sample_peak",
    "rms",
    "crest_factor",
    "plr",
)


def meter(x: Audio, rate: int, block_s: float = 10.0) -> LoudnessMeter:
    """Feed `x`, shape (channels, n), in blocks of `block_s` seconds."""
    made = LoudnessMeter(rate=rate, channels=x.shape[0])
    size = max(1, int(block_s * rate))
    for start in range(0, x.shape[1], size):
        made.feed(x[:, start : start + size])
    return made


def stereo_sine(
    parts: Iterable[tuple[float, float]], rate: int = 48_000, frequency: float = 1000.0, channels: int = 2
) -> Audio:
    """Phase-continuous sine whose peak is so many dBFS for so many seconds, alike in all channels."""
    gain = np.concatenate([np.full(round(s * rate), 10.0 ** (db / 20.0)) for db, s in parts])
    x = gain * np.sin(2.0 * np.pi * frequency / rate * np.arange(len(gain)))
    return np.tile(x.astype(np.float32), (channels, 1))


def music(rate: int, channels: int, seconds: float = 20.0, seed: int = 0) -> Audio:
    """Tones, decaying noise bursts and a quiet middle: something for the gates to do."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    beat = np.exp(-12.0 * (t % 0.5))
    x = [
        0.2 * np.sin(2 * np.pi * 110 * t + c)
        + 0.1 * np.sin(2 * np.pi * 1760 * t)
        + 0.15 * beat * rng.standard_normal(len(t))
        for c in range(channels)
    ]
    swell = np.where((t > 0.4 * seconds) & (t < 0.6 * seconds), 0.05, 0.7 + 0.3 * np.sin(2 * np.pi * t / 7))
    return (np.array(x) * swell).astype(np.float32)


def every_interpolated(x: Audio, rate: int) -> float:
    """True peak in dBTP by convolving everything with every phase in float64."""
    best = float(np.abs(x).max())
    for taps in true_peak_filter(rate):
        for channel in x.astype(np.float64):
            best = max(best, float(np.abs(np.convolve(channel, taps[::-1])).max()))
    return 20.0 * math.log10(best)


# K-weighting


def test_k_weighting_equals_the_table_of_bs1770() -> None:
    table = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    np.testing.assert_allclose(k_weighting(48_000), table, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("rate", "allowed_db"), [(44_100, 0.005), (32_000, 0.02), (22_050, 0.05), (11_025, 0.15), (8_000, 0.3)]
)
def test_k_weighting_responds_alike_at_every_rate(rate: int, allowed_db: float) -> None:
    at = np.geomspace(10.0, 3000.0, 200)
    here = np.abs(signal.freqz_sos(k_weighting(rate), at, fs=rate)[1])
    there = np.abs(signal.freqz_sos(k_weighting(48_000), at, fs=48_000)[1])
    difference = np.abs(20.0 * np.log10(here / there))
    assert difference.max() < allowed_db
    assert difference[at < 300].max() < 0.005  # the high pass keeps its gain


# EBU Tech 3341, loudness

TECH_3341: dict[str, tuple[list[tuple[float, float]], float]] = {
    "case 1": ([(-23, 20)], -23.0),
    "case 2": ([(-33, 20)], -33.0),
    "case 3": ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
    "case 4": ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
    "case 5": ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
}


@pytest.mark.parametrize("case", TECH_3341)
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_integrated_loudness_of_tech_3341(case: str, rate: int) -> None:
    parts, expected = TECH_3341[case]
    assert meter(stereo_sine(parts, rate), rate).integrated() == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_calibration_at_997_hz(rate: int) -> None:
    """BS.1770: 997 Hz at 0 dBFS in one channel reads -3.01 LUFS; both channels add 3.01."""
    allowed = 0.02 if rate > 30_000 else 0.06 if rate > 12_000 else 0.22  # the shelf, see k_weighting
    mono = stereo_sine([(-20, 5)], rate, 997.0, channels=1)
    assert meter(mono, rate).integrated() == pytest.approx(-23.01, abs=allowed)
    assert meter(np.vstack([mono, mono]), rate).integrated() == pytest.approx(-20.0, abs=allowed)
    one_sided = np.vstack([mono, np.zeros_like(mono)])
    assert meter(one_sided, rate).integrated() == pytest.approx(meter(mono, rate).integrated(), abs=1e-6)


def test_short_term_of_tech_3341_case_9() -> None:
    x = stereo_sine([(-20, 1.34), (-30, 1.66)] * 5)
    loudness = meter(x, 48_000).short_term()
    assert len(loudness) == 10 * 15 - 29
    np.testing.assert_allclose(loudness, -23.0, atol=0.1)


def test_momentary_of_tech_3341_case_12() -> None:
    x = stereo_sine([(-20, 0.18), (-30, 0.22)] * 25)
    loudness = meter(x, 48_000).momentary()
    assert len(loudness) == 10 * 10 - 3
    np.testing.assert_allclose(loudness, -23.0, atol=0.1)


@pytest.mark.parametrize("rate", [11_025, 44_100])
def test_windows_follow_the_signal(rate: int) -> None:
    """A step after 5 s: windows on either side read it, those astride lie between. No drift at 11025 Hz."""
    made = meter(stereo_sine([(-30, 5), (-20, 60)], rate), rate)
    momentary, short = made.momentary(), made.short_term()
    assert (len(momentary), len(short)) == (650 - 3, 650 - 29)
    for values, steps in ((momentary, 4), (short, 30)):
        np.testing.assert_allclose(values[: 50 - steps + 1], -30.0, atol=0.15)
        np.testing.assert_allclose(values[50:], -20.0, atol=0.15)
        assert np.all(np.diff(values[50 - steps : 51]) > 0)
        assert np.ptp(values[51:]) < 0.02


def test_windows_are_divided_by_their_true_length() -> None:
    """Sine left and cosine right: every sample has the same power, so every window must read the same."""
    rate = 11_027  # even windows of 4 steps differ by a sample
    phase = 2.0 * np.pi * 1000.0 / rate * np.arange(rate * 6)
    made = meter((0.1 * np.vstack([np.sin(phase), np.cos(phase)])).astype(np.float32), rate)
    assert np.ptp(made.momentary()[5:]) < 1e-3  # a sample more or less in 1103 would be 0.004
    assert np.ptp(made.short_term()[5:]) < 1e-4


# EBU Tech 3342

TECH_3342: dict[str, tuple[list[tuple[float, float]], float]] = {
    "case 1": ([(-20, 20), (-30, 20)], 10.0),
    "case 2": ([(-20, 20), (-15, 20)], 5.0),
    "case 3": ([(-40, 20), (-20, 20)], 20.0),
    "case 4": ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15.0),
}


@pytest.mark.parametrize("case", TECH_3342)
def test_loudness_range_of_tech_3342(case: str) -> None:
    parts, expected = TECH_3342[case]
    assert meter(stereo_sine(parts, 48_000), 48_000).loudness_range() == pytest.approx(expected, abs=0.1)


def test_spread_is_the_standard_deviation_of_the_gated_short_term_loudness() -> None:
    made = meter(stereo_sine([(-30, 30), (-20, 30), (-60, 10), (-100, 10)], 16_000), 16_000)
    loudness = made.short_term()
    audible = loudness[loudness > -70]
    gate = 10.0 * np.log10(np.mean(10.0 ** (audible / 10.0))) - 20.0
    assert 0 < np.sum(loudness < gate) < len(loudness)
    assert made.short_term_spread() == pytest.approx(np.std(loudness[loudness > gate]), abs=1e-9)
    assert made.short_term_spread() == pytest.approx(5.0, abs=0.5)


# true peak


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize(
    ("divisor", "degrees", "amplitude"),
    [(4, 0.0, 0.5), (4, 45.0, 0.5), (6, 60.0, 0.5), (8, 67.5, 0.5), (4, 45.0, 1.41)],
)
def test_true_peak_of_tech_3341_cases_15_to_19(rate: int, divisor: int, degrees: float, amplitude: float) -> None:
    """The standard allows +0.2 and -0.4 dB. Faded, as an abrupt start has peaks of its own."""
    n = np.arange(rate)
    fade = np.clip(np.minimum(n, n[::-1]) / (0.02 * rate), 0.0, 1.0)
    x = (amplitude * fade * np.sin(2 * np.pi * n / divisor + np.deg2rad(degrees))).astype(np.float32)
    made = meter(np.vstack([x, x]), rate)
    assert made.true_peak() == pytest.approx(20 * math.log10(amplitude), abs=0.05)
    if degrees == 45.0:
        assert made.true_peak() - made.sample_peak() == pytest.approx(3.01, abs=0.05)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_true_peak_of_a_pulse_between_the_samples(rate: int, offset: int) -> None:
    """In the manner of cases 20 to 23: a pulse made at 4 times the rate, its top off the samples."""
    n = np.arange(4 * 4096) - 2 * 4096
    pulse = 0.5 * np.cos(2 * np.pi * n / 24) * np.exp(-((n / 160.0) ** 2))
    x = pulse[offset::4].astype(np.float32)[None]
    assert meter(x, rate).true_peak() == pytest.approx(-6.02, abs=0.05)
    assert (meter(x, rate).sample_peak() < -6.1) == (offset != 0)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])
def test_true_peaks_are_sought_at_176_khz_or_more(rate: int) -> None:
    phases, taps = true_peak_filter(rate).shape
    assert (phases + 1) * rate >= 176_000
    assert phases + 1 >= 4
    at = np.linspace(0.0, 0.4, 100)  # of the rate
    position = np.arange(taps) - (taps // 2 - 1)
    for phase, row in enumerate(true_peak_filter(rate), start=1):
        response = np.exp(2j * np.pi * np.outer(at, position)) @ row
        np.testing.assert_allclose(response, np.exp(2j * np.pi * at * phase / (phases + 1)), atol=0.01)


def loud_signals() -> dict[str, Audio]:
    """Signals that are hard for a search that skips: limited, alternating, a click, peaks in soft chunks."""
    rng = np.random.default_rng(3)
    n = 60_000
    noise = rng.standard_normal((2, n))
    click = 0.001 * noise
    click[1, 33_333] = 0.9
    # loud but smooth, and a much softer part whose peaks between the samples are higher nonetheless
    hidden = np.tile(0.5 * np.sin(2 * np.pi * np.arange(n) / 400), (2, 1))
    worst = np.sign(true_peak_filter(44_100)[1])  # the very samples that the filter amplifies most
    hidden[0, 40_000:] = 0.0
    hidden[0, 50_000 : 50_000 + len(worst)] = 0.3 * worst
    edges = np.zeros((2, n))
    edges[0, 0] = edges[0, -1] = 0.5
    edges[0, 1], edges[0, -2] = 0.45, 0.5
    return {
        name: x.astype(np.float32)
        for name, x in {
            "noise": 0.1 * noise,
            "limited": np.tanh(3.0 * signal.lfilter([1.0], [1.0, -0.9], noise)),
            "clipped": np.clip(noise, -1.0, 1.0),
            "signs": np.sign(noise),
            "click": click,
            "hidden": hidden,
            "edges": edges,
            "music": music(44_100, 2, 5.0),
            "short": noise[:, :7],
        }.items()
    }


@pytest.mark.parametrize("name", loud_signals())
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_true_peak_equals_exhaustive_oversampling(name: str, rate: int) -> None:
    x = loud_signals()[name]
    expected = every_interpolated(x, rate)
    assert meter(x, rate).true_peak() == pytest.approx(expected, abs=1e-4)
    assert meter(x, rate, block_s=0.0307).true_peak() == pytest.approx(expected, abs=1e-4)
    assert meter(x[:1], rate).true_peak() == pytest.approx(every_interpolated(x[:1], rate), abs=1e-4)


def test_a_much_softer_chunk_may_hold_the_true_peak() -> None:
    """The signal behind the search's bound: 0.3 between samples reads more than a plain 0.5."""
    x = loud_signals()["hidden"]
    assert meter(x, 44_100).true_peak() > 20 * math.log10(0.7)
    assert meter(x, 44_100).sample_peak() == pytest.approx(20 * math.log10(0.5), abs=0.01)


def test_true_peak_agrees_with_another_resampler() -> None:
    x = signal.sosfilt(signal.butter(6, 0.7, output="sos"), loud_signals()["clipped"]).astype(np.float32)
    other = np.abs(signal.resample_poly(x.astype(np.float64), 16, 1, axis=1)).max()
    ours = meter(x, 44_100).true_peak()
    assert -0.5 < ours - 20 * math.log10(other) < 0.1  # 16-fold sees a little more


@pytest.mark.parametrize("rate", [11_025, 22_050, 44_100, 48_000])
def test_weighting_spectra_is_weighting_samples(rate: int) -> None:
    """Steps are weighted by Parseval's theorem; the filter itself, run over the samples, agrees."""
    rng = np.random.default_rng(8)
    n = np.arange(12 * rate)
    click = np.zeros(len(n))
    click[:: rate // 3] = 0.9
    signals = {
        "music": (music(rate, 1, 12.0)[0], 0.01),
        "noise": (0.1 * rng.standard_normal(len(n)), 0.02),
        "infrasound": (signal.lfilter([0.01], [1.0, -0.999], rng.standard_normal(len(n))), 0.25),
        "clicks": (click, 0.02),
        "offset": (0.3 + 0.1 * np.sin(2 * np.pi * 440.0 * n / rate), 0.02),
        **{f"{f} Hz": (0.2 * np.sin(2 * np.pi * f * n / rate), 0.03) for f in (41.2, 61.7, 123.5, 987.8, 3951.1)},
    }
    for name, (x, tolerance) in signals.items():
        x = x.astype(np.float32)
        weighted = signal.sosfilt(k_weighting(rate), x.astype(np.float64))
        edges = (np.arange(121) * rate + 5) // 10
        energies = np.add.reduceat(weighted**2, edges[:-1])
        power = sliding_window_view(energies, 30).sum(axis=-1) / (edges[30:] - edges[:-30])
        expected = -0.691 + 10.0 * np.log10(power)
        found = meter(x[None], rate).short_term()
        np.testing.assert_allclose(found[5:], expected[5:], atol=tolerance, err_msg=name)


# pyloudnorm


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_integrated_loudness_agrees_with_pyloudnorm(rate: int, channels: int) -> None:
    rng = np.random.default_rng(rate)
    n = 15 * rate
    burst = (np.arange(n) // (rate // 3) % 4 == 0) * rng.standard_normal((channels, n)) * 0.1
    tones = sum(0.05 * np.sin(2 * np.pi * f * np.arange(n) / rate) for f in (55, 220, 3520, 7040))
    for x in (
        music(rate, channels),
        burst.astype(np.float32),
        np.tile(tones, (channels, 1)).astype(np.float32),
    ):
        theirs = pyloudnorm.Meter(rate).integrated_loudness(x.T.astype(np.float64))
        assert meter(x, rate).integrated() == pytest.approx(theirs, abs=0.1)


# levels


@pytest.mark.parametrize("channels", [1, 2])
def test_levels_of_a_sine_and_a_square(channels: int) -> None:
    sine = meter(stereo_sine([(-6.0, 4.0)], 44_100, 441.0, channels), 44_100)
    assert sine.sample_peak() == pytest.approx(-6.0, abs=1e-3)
    assert sine.true_peak() == pytest.approx(-6.0, abs=1e-2)
    assert sine.rms() == pytest.approx(-9.0103, abs=1e-3)
    assert sine.crest_factor() == pytest.approx(3.0103, abs=1e-3)
    assert sine.plr() == pytest.approx(sine.true_peak() - sine.integrated(), abs=1e-12)
    square = meter(np.sign(stereo_sine([(0, 4)], 44_100, 441.3, channels)) * np.float32(0.5), 44_100)
    assert square.sample_peak() == pytest.approx(-6.0206, abs=1e-4)
    assert square.rms() == pytest.approx(-6.0206, abs=1e-3)  # sin(0) is the one sample that is no 0.5
    assert square.crest_factor() == pytest.approx(0.0, abs=1e-3)


def test_levels_take_all_channels_together() -> None:
    x = np.zeros((2, 44_100), dtype=np.float32)
    x[0] = -0.5
    made = meter(x, 44_100)
    assert made.sample_peak() == pytest.approx(-6.0206, abs=1e-4)
    assert made.rms() == pytest.approx(-9.0309, abs=1e-4)


def test_gain_moves_what_it_should() -> None:
    x = music(44_100, 2)
    loud, soft = meter(x, 44_100), meter(x * np.float32(0.1), 44_100)
    for name in ("integrated", "true_peak", "sample_peak", "rms"):
        assert getattr(loud, name)() - getattr(soft, name)() == pytest.approx(20.0, abs=1e-4)
    for name in ("loudness_range", "short_term_spread", "crest_factor", "plr"):
        assert getattr(loud, name)() == pytest.approx(getattr(soft, name)(), abs=1e-4)


def test_seconds_of_sound_leave_out_silence_and_constants() -> None:
    tones = stereo_sine([(-20, 2.0), (-120, 3.0), (-20, 1.0)], 16_000)
    assert meter(tones, 16_000).seconds_of_sound() == pytest.approx(3.0, abs=0.15)  # filters ring for a step at most
    assert meter(np.full((2, 5 * 16_000), 0.5, dtype=np.float32), 16_000).seconds_of_sound() <= 0.2  # it begins
    assert meter(tones + np.float32(0.5), 16_000).seconds_of_sound() == pytest.approx(3.0, abs=0.35)


@pytest.mark.parametrize(("decibels", "sounding"), [(0.0, 2), (-50.0, 2), (-70.0, 1), (-math.inf, 1)])
def test_channels_sound_within_60_db_of_the_loudest(decibels: float, sounding: int) -> None:
    x = stereo_sine([(-20, 1.0)], 16_000)
    x[1] *= 10.0 ** (decibels / 20.0)
    assert meter(x, 16_000).sounding_channels() == meter(x[::-1].copy(), 16_000).sounding_channels() == sounding
    assert meter(x[:1], 16_000).sounding_channels() == 1
    assert meter(np.zeros_like(x), 16_000).sounding_channels() == 0


# nothing to measure


@pytest.mark.parametrize("fed", [None, 0, 100, 44_100 * 12])
def test_silence_is_nan(fed: int | None) -> None:
    made = LoudnessMeter(rate=44_100, channels=2)
    if fed is not None:
        made.feed(np.zeros((2, fed), dtype=np.float32))
    for name in SCALARS:
        assert math.isnan(getattr(made, name)()), name
    steps = (fed or 0) // 4410
    assert made.momentary().shape == (max(0, steps - 3),)
    assert made.short_term().shape == (max(0, steps - 29),)
    assert np.isnan(made.momentary()).all()
    assert np.isnan(made.short_term()).all()


def test_too_short_or_too_soft_is_nan() -> None:
    made = meter(stereo_sine([(-20, 0.399)]), 48_000)
    assert math.isnan(made.integrated())
    assert math.isnan(made.plr())
    assert made.rms() == pytest.approx(-23.01, abs=0.02)
    made = meter(stereo_sine([(-20, 2.999)]), 48_000)
    assert made.integrated() == pytest.approx(-20, abs=0.05)
    assert math.isnan(made.loudness_range())
    assert math.isnan(made.short_term_spread())
    soft = meter(stereo_sine([(-72, 5)]), 48_000)
    assert math.isnan(soft.integrated())
    assert math.isnan(soft.loudness_range())
    assert soft.momentary()[0] == pytest.approx(-72.0, abs=0.05)


def test_silence_after_music_is_silent() -> None:
    made = meter(music(44_100, 2, 4.0), 44_100)
    before = made.momentary()
    for _ in range(2):
        made.feed(np.zeros((2, 441_000), dtype=np.float32))
    assert np.isnan(made.momentary()[-50:]).all()
    np.testing.assert_array_equal(made.momentary()[: len(before)], before)


# blocks

CUT_RATE = 11_025  # 100 ms is no whole number of samples
CUT = music(CUT_RATE, 2, 6.0, seed=5)
WHOLE = meter(CUT, CUT_RATE, block_s=60.0)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, CUT.shape[1]), max_size=30), look=st.booleans())
def test_how_the_audio_is_cut_changes_nothing(cuts: list[int], look: bool) -> None:
    made = LoudnessMeter(rate=CUT_RATE, channels=2)
    for part in np.split(CUT, sorted(cuts), axis=1):
        made.feed(part)
        if look:
            made.true_peak(), made.integrated()  # asking must not disturb
    for name in SCALARS:
        assert getattr(made, name)() == pytest.approx(getattr(WHOLE, name)(), abs=1e-5), name
    np.testing.assert_allclose(made.momentary(), WHOLE.momentary(), atol=1e-5)
    np.testing.assert_allclose(made.short_term(), WHOLE.short_term(), atol=1e-5)


def test_single_samples_and_strided_blocks() -> None:
    x = CUT[:, :6000]
    made = LoudnessMeter(rate=CUT_RATE, channels=2)
    for i in range(x.shape[1]):
        made.feed(x[:, i : i + 1])
    turned = LoudnessMeter(rate=CUT_RATE, channels=2)
    turned.feed(np.asfortranarray(x).astype(np.float64))
    for name in ("integrated", "true_peak", "rms"):
        expected = getattr(meter(x, CUT_RATE), name)()
        assert getattr(made, name)() == pytest.approx(expected, abs=1e-5)
        assert getattr(turned, name)() == pytest.approx(expected, abs=1e-5)


def test_the_block_is_left_as_it_was() -> None:
    x = CUT.copy()
    x.flags.writeable = False
    made = LoudnessMeter(rate=CUT_RATE, channels=2)
    made.feed(x)
    made.true_peak()
    np.testing.assert_array_equal(x, CUT)


@pytest.mark.parametrize(("rate", "channels"), [(7_999, 2), (48_001, 2), (44_100, 0), (44_100, 3)])
def test_formats_out_of_range_are_refused(rate: int, channels: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        LoudnessMeter(rate=rate, channels=channels)


def test_bad_blocks_are_refused_and_leave_no_trace() -> None:
    made = meter(CUT, CUT_RATE)
    before = [getattr(made, name)() for name in SCALARS]
    for shape in ((1, 5), (5, 2), (10,), (2, 5, 1)):
        with pytest.raises(ValueError, match="shape"):
            made.feed(np.ones(shape, dtype=np.float32))
    for bad in (np.nan, np.inf, -np.inf):
        x = np.ones((2, 10), dtype=np.float32)
        x[1, 3] = bad
        with pytest.raises(ValueError, match="finite"):
            made.feed(x)
    with pytest.raises(TypeError, match="floating"):
        made.feed(np.ones((2, 10), dtype=np.int16))
    assert [getattr(made, name)() for name in SCALARS] == before


# cost


def test_memory_does_not_grow_with_the_audio() -> None:
    made = LoudnessMeter(rate=CUT_RATE, channels=2)
    for _ in range(5):
        made.feed(CUT)
        kept = sum(v.nbytes for v in vars(made).values() if isinstance(v, np.ndarray) and v is not made._matrix)
        assert kept < 8_000
    assert len(made._energies) == 300


def test_a_four_minute_song_costs_little() -> None:
    """0.28 s of processor time where it was written; here only a bound that a busy machine keeps."""
    x = np.clip(np.random.default_rng(1).standard_normal((2, 441_000)) * 0.6, -1.0, 1.0).astype(np.float32)
    made = LoudnessMeter(rate=44_100, channels=2)
    made.feed(x)
    costs = []
    for _ in range(5):
        start = time.process_time()
        made.feed(x)
        costs.append(time.process_time() - start)
    assert 24 * min(costs) < 1.5
