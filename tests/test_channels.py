from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.channels import MASK_ORDER, downmix_matrix, layout_of

SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")


def test_surround_is_folded_as_bs775_says() -> None:
    half = np.sqrt(0.5)
    expected = np.array([[1.0, 0.0, half, 0.0, half, 0.0], [0.0, 1.0, half, 0.0, 0.0, half]]) / (1.0 + 2.0 * half)
    np.testing.assert_allclose(downmix_matrix(SURROUND), expected, atol=1e-7)


@given(st.lists(st.sampled_from((*MASK_ORDER, "?")), min_size=1, max_size=8))
def test_full_scale_in_every_channel_stays_full_scale(labels: list[str]) -> None:
    matrix = downmix_matrix(tuple(labels))
    assert matrix.shape == (2, len(labels))
    assert (matrix >= 0.0).all()
    assert matrix.sum(axis=1).max() == pytest.approx(1.0, abs=1e-6)


def test_low_frequencies_alone_are_heard_on_both_sides() -> None:
    np.testing.assert_allclose(downmix_matrix(("LFE",)), [[1.0], [1.0]])


@pytest.mark.parametrize(
    ("labels", "channels", "expected"),
    [
        (SURROUND, 6, SURROUND),
        (("BL", "BR"), 2, ("BL", "BR")),
        ((), 2, ("FL", "FR")),
        (("FL", "FL"), 2, ("FL", "FR")),
        (("FL", "UNK"), 2, ("FL", "FR")),
        (("FL", "FR"), 3, ("FL", "FR", "FC")),
        ((), 9, ("?",) * 9),
    ],
)
def test_names_count_only_where_they_name_every_channel(
    labels: tuple[str, ...], channels: int, expected: tuple[str, ...]
) -> None:
    assert layout_of(labels, channels) == expected
