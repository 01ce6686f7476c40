from __future__ import annotations

import numpy as np
import pytest

from aidetect import errors, transforms
from aidetect.decoding import open_array

RATE = 44_100


def tone(hertz: float = 1_000.0, seconds: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * hertz * t)] * 2).astype(np.float32)


def peak(y: np.ndarray, rate: int) -> float:
    middle = y[0, len(y[0]) // 4 :][:rate]
    return float(np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))) * rate / len(middle))


@pytest.mark.parametrize("name", transforms.CODECS)
@pytest.mark.parametrize("kbps", [64, 128, 256])
def test_codecs_keep_a_tone_and_its_length(name: str, kbps: int) -> None:
    y, rate = transforms.codec(tone(), RATE, name=name, kbps=kbps)
    assert peak(y, rate) == pytest.approx(1_000.0, abs=2.0)
    assert y.shape[1] / rate == pytest.approx(3.0, abs=0.1)
    assert np.sqrt(np.mean(y**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize("name", transforms.CODECS)
def test_a_codec_that_gives_no_sound_is_an_error_of_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.AudioError):
        transforms.codec(tone(seconds=0.0), RATE, name=name, kbps=64)
    monkeypatch.setattr(transforms, "open_audio", lambda _: open_array(np.zeros(1), 192_000))
    with pytest.raises(errors.DecodeError, match="not one sample"):
        transforms.codec(tone(), RATE, name=name, kbps=64)


def test_speed_moves_pitch_and_length() -> None:
    y, rate = transforms.speed(tone(), RATE, factor=1.06)
    assert peak(y, rate) == pytest.approx(1_060.0, abs=2.0)
    assert y.shape[1] / rate == pytest.approx(3.0 / 1.06, abs=0.01)


def test_stretch_and_shift_move_one_of_them() -> None:
    slower, rate = transforms.stretch(tone(), RATE, factor=0.95)
    assert peak(slower, rate) == pytest.approx(1_000.0, abs=5.0)
    assert slower.shape[1] / rate == pytest.approx(3.0 / 0.95, abs=0.05)
    higher, rate = transforms.shift(tone(), RATE, semitones=2)
    assert peak(higher, rate) == pytest.approx(1_000.0 * 2 ** (2 / 12), abs=5.0)


def test_low_pass_passes_lows_and_stops_highs() -> None:
    low, _ = transforms.low_pass(tone(1_000.0), RATE, cutoff=8_000.0)
    high, _ = transforms.low_pass(tone(9_000.0), RATE, cutoff=8_000.0)
    np.testing.assert_allclose(low[:, 5000:-5000], tone(1_000.0)[:, 5000:-5000], atol=1e-3)
    assert np.abs(high[:, 5000:-5000]).max() < 1e-3


@pytest.mark.parametrize("snr", [30.0, 40.0])
def test_noise_has_the_level_asked_for(snr: float) -> None:
    y, _ = transforms.noise(tone(), RATE, snr=snr)
    added = y - tone()
    assert 20 * np.log10(np.std(tone()) / np.std(added)) == pytest.approx(snr, abs=0.1)


def test_limiter_keeps_the_peak_and_raises_the_level() -> None:
    y = tone() * np.linspace(0.1, 1.0, tone().shape[1], dtype=np.float32)
    louder, _ = transforms.limiter(y, RATE, drive=6.0)
    assert np.abs(louder).max() <= np.abs(y).max()
    assert np.std(louder) > 1.3 * np.std(y)


@pytest.mark.parametrize("drive", [1.0, 6.0])
def test_limiter_raises_what_is_soft_by_its_drive_and_bends_the_peak(drive: float) -> None:
    y = tone()
    y[:, RATE:] *= 0.01
    driven, _ = transforms.limiter(y, RATE, drive=drive)
    soft = np.std(driven[:, RATE:]) / np.std(y[:, RATE:])
    assert 20 * np.log10(soft) == pytest.approx(drive, abs=0.01)
    assert np.abs(driven).max() / np.abs(y).max() == pytest.approx(np.tanh(10.0 ** (drive / 20.0)), rel=1e-4)


@pytest.mark.parametrize("wet", [-10.0, -20.0])
@pytest.mark.parametrize("seconds", [0.3, 0.6])
def test_reverb_has_the_level_and_the_decay_asked_for(seconds: float, wet: float) -> None:
    y = np.zeros((2, RATE), dtype=np.float32)
    y[:, 0] = 1.0
    room = transforms.reverb(y, RATE, seconds=seconds, wet=wet)[0] - y
    for channel in room:
        assert 10 * np.log10(np.sum(channel**2)) == pytest.approx(wet, abs=0.1)
        parts = channel[: round(0.9 * seconds * RATE) // 441 * 441].reshape(-1, 441)  # of 10 ms
        fall, _ = np.polyfit(0.01 * np.arange(len(parts)), 10 * np.log10(np.mean(parts**2, axis=1)), 1)
        assert fall == pytest.approx(-60.0 / seconds, rel=0.03)
    assert np.abs(np.corrcoef(room)[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("tilt", "bell", "at", "hertz", "gain"),
    [
        (1.5, 0.0, 1_000.0, 250.0, -3.0),
        (1.5, 0.0, 1_000.0, 1_000.0, 0.0),
        (1.5, 0.0, 1_000.0, 4_000.0, 3.0),
        (-6.0, 0.0, 1_000.0, 8_000.0, -12.0),  # no more than that
        (0.0, 6.0, 2_000.0, 2_000.0, 6.0),
        (0.0, 6.0, 2_000.0, 1_000.0, 0.81),  # two standard deviations of the bell: exp(-2) of it
        (0.0, -5.0, 500.0, 8_000.0, 0.0),
        (1.0, 4.0, 4_000.0, 4_000.0, 6.0),
    ],
)
def test_equaliser_has_the_gain_asked_for(tilt: float, bell: float, at: float, hertz: float, gain: float) -> None:
    y = tone(hertz, seconds=1.0)
    shaped, _ = transforms.equalise(y, RATE, tilt=tilt, bell=bell, at=at)
    inner = slice(RATE // 4, -RATE // 4)
    assert 20 * np.log10(np.std(shaped[:, inner]) / np.std(y[:, inner])) == pytest.approx(gain, abs=0.05)


def test_every_transform_of_the_grid_has_a_name_of_its_own() -> None:
    names = [t.name for t in transforms.GRID]
    assert len(set(names)) == len(names) >= 25


def test_drawn_chains_repeat_with_their_seed_and_give_finite_sound() -> None:
    for seed in range(12):
        chain, same = (transforms.draw(np.random.default_rng(seed)) for _ in range(2))
        assert chain.name == same.name
        y, rate = chain.apply(tone(seconds=1.0), RATE)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()
        assert 8_000 <= rate <= 48_000
        assert len(y) in (1, 2)


def test_chains_are_drawn_from_everything_the_grid_holds() -> None:
    names = [transforms.draw(np.random.default_rng(seed)).name for seed in range(400)]
    kinds = {step.split()[0] for name in names for step in name.split(" + ")}
    others = {"speed", "pitch", "tempo", "eq", "limiter", "noise", "reverb", "rate", "low-pass", "mono", "plain"}
    assert kinds == others | set(transforms.CODECS)
