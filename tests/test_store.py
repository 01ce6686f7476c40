from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.extraction import TrackFeatures, extract_array
from aidetect.store import FeatureStore, content_key, pack, unpack


@pytest.fixture(scope="module")
def track(song: np.ndarray) -> TrackFeatures:
    return extract_array(song, 44_100, name="=odd name.mp3")


def test_features_come_back_as_they_were(tmp_path: Path, track: TrackFeatures) -> None:
    store = FeatureStore(tmp_path / "new" / "folder")
    assert store.get("k1") is None
    store.put("k1", track)
    back = store.get("k1")
    assert back.name == track.name
    np.testing.assert_array_equal(back.details, track.details)
    np.testing.assert_array_equal(back.modulation, track.modulation)
    for name, value in track.values.items():
        assert back.values[name] == pytest.approx(value, rel=1e-6, nan_ok=True)
    assert not list(tmp_path.rglob("*.part"))


def test_the_key_follows_the_content_not_the_name(tmp_path: Path) -> None:
    for name, data in (("a", b"same"), ("b", b"same"), ("c", b"other")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (content_key(tmp_path / name) for name in "abc")
    assert a == b != c
    assert content_key(tmp_path / "a", "aug1") != a


def test_what_was_used_longest_ago_goes_first(tmp_path: Path, track: TrackFeatures) -> None:
    store = FeatureStore(tmp_path)
    for number, key in enumerate(("aa", "bb", "cc")):
        store.put(key, track)
        os.utime(tmp_path / key / f"{key}.npz", (number, number))
    assert store.get("aa") is not None  # used again
    count, size = store.usage()
    assert count == 3
    assert store.trim(size) == 0
    assert store.trim(size * 2 // 3) == 1
    assert store.get("bb") is None
    assert store.get("aa") is not None
    assert store.trim(0) == 2
    assert store.usage() == (0, 0)


@given(st.binary(max_size=300), st.integers(0, 10_000))
def test_damaged_entries_count_as_missing(data: bytes, cut: int) -> None:
    assert unpack(data) is None


def test_a_cut_entry_counts_as_missing(track: TrackFeatures) -> None:
    data = pack(track)
    for share in (0.1, 0.5, 0.9, 0.99):
        assert unpack(data[: int(share * len(data))]) is None
