from __future__ import annotations

import numpy as np
import pytest

from aidetect.demo import strided_decoder, tune

RATE = 44_100


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return tune(seconds=8.0, rate=RATE)


def test_the_tune_is_the_same_every_time(plain: np.ndarray) -> None:
    assert plain.shape == (2, 8 * RATE)
    assert np.abs(plain).max() == pytest.approx(0.5)
    np.testing.assert_array_equal(plain, tune(seconds=8.0, rate=RATE))
    assert not np.array_equal(plain, tune(seconds=8.0, rate=RATE, seed=1))


def test_a_strided_decoder_leaves_lines_at_multiples_of_its_low_rate(plain: np.ndarray) -> None:
    strides = (8, 5, 4, 2)
    low = RATE / np.prod(strides)  # 137.8 Hz
    spectra = [
        np.log(np.abs(np.fft.rfft(y[0] * np.hanning(y.shape[1]))) + 1e-9) for y in (plain, strided_decoder(plain))
    ]
    bins = np.round(np.arange(40, 110) * low * plain.shape[1] / RATE).astype(int)

    def raised(shift: int) -> float:
        before, after = (np.mean([s[b + shift - 3 : b + shift + 4].max() for b in bins]) for s in spectra)
        return float(after - before)

    assert raised(0) > 0.4
    assert max(abs(raised(shift)) for shift in (-300, 200, 500)) < 0.05
