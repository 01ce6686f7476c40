from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect import store as module
from aidetect.errors import OutputError
from aidetect.extraction import TrackFeatures, extract_array
from aidetect.store import FeatureStore, content_key, make_folder, pack, unpack

A, B, C = (f"{digit * 64}-v1" for digit in "abc")  # keys


@pytest.fixture(scope="module")
def track(song: np.ndarray) -> TrackFeatures:
    return extract_array(song, 44_100, name="=odd name.mp3")


def test_features_come_back_as_they_were(tmp_path: Path, track: TrackFeatures) -> None:
    store = FeatureStore(tmp_path / "new" / "folder")
    assert store.get(A) is None
    store.put(A, track)
    back = store.get(A)
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
    for number, key in enumerate((A, B, C)):
        store.put(key, track)
        os.utime(tmp_path / key[:2] / f"{key}.npz", (number, number))
    assert store.get(A) is not None  # used again
    count, size = store.usage()
    assert count == 3
    assert store.trim(size) == 0
    assert store.trim(size * 2 // 3) == 1
    assert store.get(B) is None
    assert store.get(A) is not None
    assert store.trim(0) == 2
    assert store.usage() == (0, 0)


def test_files_of_others_are_neither_counted_nor_removed(tmp_path: Path, track: TrackFeatures) -> None:
    others = [f"aa/{name}" for name in ("song.npz", f"{A[:-3]}.npz", f"{B}.npz", f"{A}.npz.bak", "tmpabcdefgh.part")]
    others += [f"{A}.npz", f"aaa/{A}.npz"]
    for name in others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"precious")
    store = FeatureStore(tmp_path)
    assert (store.usage(), store.trim(0)) == ((0, 0), 0)
    store.put(content_key(tmp_path / others[0], "aug1"), track)
    assert store.usage()[0] == store.trim(0) == 1
    assert store.usage() == (0, 0)
    assert all((tmp_path / name).read_bytes() == b"precious" for name in others)


def test_what_a_killed_process_left_is_removed(
    tmp_path: Path, track: TrackFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.os, "replace", raises(KeyboardInterrupt()))
        store.put(A, track)
    (left,) = tmp_path.rglob("*.part")
    assert store.usage() == (0, left.stat().st_size)  # room, but no track
    assert store.trim(0) == 0
    assert not left.exists()


def test_a_store_that_is_cleared_meanwhile_does_no_harm(
    tmp_path: Path, track: TrackFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path)
    real = os.replace

    def cleared(*paths: str) -> None:
        store.trim(0)
        real(*paths)

    monkeypatch.setattr(module.os, "replace", cleared)
    store.put(A, track)
    assert store.get(A) is None


def test_a_store_that_may_only_be_read_serves_as_well(
    tmp_path: Path, track: TrackFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path)
    store.put(A, track)
    monkeypatch.setattr(module.os, "utime", raises(PermissionError()))
    assert store.get(A) is not None


def test_a_full_disk_is_told_and_leaves_no_half_of_an_entry(
    tmp_path: Path, track: TrackFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path)
    monkeypatch.setattr(module.os, "replace", raises(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left"):
        store.put(A, track)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "new" / "folder") == tmp_path / "new" / "folder"
    assert not list((tmp_path / "new" / "folder").iterdir())


@pytest.mark.parametrize("place", ["song.mp3", "song.mp3/store"])
def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "song.mp3").touch()
    with pytest.raises(OutputError, match=place):
        make_folder(tmp_path / place)


def test_a_folder_that_may_only_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.tempfile, "TemporaryFile", raises(PermissionError(13, "Permission denied")))
    with pytest.raises(OutputError, match="Permission denied"):
        make_folder(tmp_path)


def raises(error: BaseException) -> Callable[..., None]:
    def act(*_: object, **__: object) -> None:
        raise error

    return act


@given(st.binary(max_size=300))
def test_what_is_no_entry_counts_as_missing(data: bytes) -> None:
    assert unpack(data) is None


@given(st.floats(0.0, 1.0, exclude_max=True))
def test_a_cut_entry_counts_as_missing(track: TrackFeatures, share: float) -> None:
    data = pack(track)
    assert unpack(data[: int(share * len(data))]) is None


def test_a_damaged_entry_is_missing_or_true(track: TrackFeatures) -> None:
    data = pack(track)
    whole = contents(pack(unpack(data)))
    rng = np.random.default_rng(0)
    edges = [*range(200), *range(len(data) - 400, len(data))]  # where zip keeps its own notes
    missing = 0
    for position in (*edges, *rng.integers(len(data), size=1000).tolist()):
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        found = unpack(bytes(damaged))
        missing += found is None
        assert found is None or contents(pack(found)) == whole
    assert missing > 1000


def test_an_entry_of_another_make_counts_as_missing(track: TrackFeatures) -> None:
    assert unpack(pack(track)) is not None
    assert unpack(pack(replace(track, details=track.details[:-1]))) is None
    assert unpack(pack(replace(track, modulation=track.modulation[None]))) is None
    with np.load(io.BytesIO(pack(track))) as file:
        arrays = dict(file)
    for about in (b"[]", b"{}", arrays["about"].tobytes().replace(b'"codec"', b'"other"')):
        out = io.BytesIO()
        np.savez_compressed(out, **{**arrays, "about": np.frombuffer(about, dtype=np.uint8)})
        assert unpack(out.getvalue()) is None


def contents(data: bytes) -> dict[str, bytes]:
    """Arrays of an entry."""
    with np.load(io.BytesIO(data)) as file:
        return {name: file[name].tobytes() for name in file.files}
