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
    names = " ".join(transforms.draw(np.random.default_rng(seed)).name for seed in range(400))
    for kind in ("speed", "pitch", "tempo", "eq", "noise", "reverb", "rate"):
        assert kind in names
