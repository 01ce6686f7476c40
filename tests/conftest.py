"""Sounds of known parameters that several tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need the corpus where it is not there."""
    if CORPUS.is_dir():
        return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("corpus")])
    items[:] = [item for item in items if not item.get_closest_marker("corpus")]


def music(*, seconds: float = 6.0, rate: int = 44_100, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Decaying notes over pink noise: something with pitch, attacks and highs. Shape (channels, n)."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    t = np.arange(n) / rate
    spectrum = np.fft.rfft(rng.standard_normal((channels, n)))
    spectrum[:, 1:] /= np.sqrt(np.arange(1, spectrum.shape[1]))
    out = np.fft.irfft(spectrum, n)
    out *= 0.02 / np.sqrt(np.mean(out**2))
    for start in np.arange(0.0, seconds - 0.3, 0.37):
        f = 110.0 * 2.0 ** (int(rng.integers(0, 24)) / 12.0)
        local = t - start
        envelope = np.where(local >= 0, np.exp(-4.0 * np.maximum(local, 0)), 0.0)
        note = sum(np.sin(2 * np.pi * f * k * t) / k for k in range(1, 12) if f * k < 0.45 * rate)
        out += 0.1 * envelope * note * rng.uniform(0.6, 1.0, (channels, 1))
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


@pytest.fixture(scope="session")
def song() -> np.ndarray:
    """Six seconds of stereo music at 44.1 kHz, shape (2, n)."""
    return music()


@pytest.fixture(scope="session")
def song_path(tmp_path_factory: pytest.TempPathFactory, song: np.ndarray) -> Path:
    """The same as a WAV file."""
    path = tmp_path_factory.mktemp("audio") / "song.wav"
    sf.write(path, song.T, 44_100, subtype="PCM_16")
    return path
