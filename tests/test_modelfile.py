from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aidetect import modelfile
from aidetect.errors import ModelFileError, OutputError
from aidetect.modelfile import FORMAT, check_destination, read_model, write_model

ARRAYS = {"a.weights": np.linspace(-1.0, 1.0, 50, dtype=np.float32), "b.roots": np.arange(7, dtype=np.int32)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_model(tmp_path / "x.model", {"about": {"version": "x"}}, ARRAYS)
    about, arrays = read_model(tmp_path / "x.model")
    assert about["about"] == {"version": "x"}
    assert about["format"] == FORMAT
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "x.model", {"about": 1}, ARRAYS)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(modelfile.np, "savez_compressed", full)
    with pytest.raises(OutputError, match="No space left"):
        write_model(tmp_path / "x.model", {"about": 2}, ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.model"]
    assert read_model(tmp_path / "x.model")[0]["about"] == 1


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('executed')",))

    path = tmp_path / "x.model"
    about = np.frombuffer(json.dumps({"kind": "aidetect-model", "format": FORMAT}).encode(), dtype=np.uint8)
    np.savez(path, **{"about.json": about, "bomb": np.array([Bomb()], dtype=object)})
    path.with_name("x.model.npz").rename(path)
    with pytest.raises(ModelFileError, match="not a model file"):
        read_model(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match="not a model file"):
        read_model(path)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "x.model", "w", compression=zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert (tmp_path / "x.model").stat().st_size < 1 << 20
    with pytest.raises(ModelFileError, match="256 MB"):
        read_model(tmp_path / "x.model")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.0, 0.999), value=st.integers(1, 255), keep=st.floats(0.0, 1.0))
def test_damage_is_told_or_harmless(tmp_path: Path, place: float, value: int, keep: float) -> None:
    path = tmp_path / "x.model"
    write_model(path, {"about": {"version": "x"}}, ARRAYS)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= value
    path.write_bytes(data[: len(data) if keep > 0.5 else int(2 * keep * len(data))])
    try:
        about, arrays = read_model(path)
    except ModelFileError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(about["format"], int)
        assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_a_place_is_tried_without_leaving_anything(tmp_path: Path) -> None:
    check_destination(tmp_path / "x.model")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.model").write_bytes(b"precious")
    check_destination(tmp_path / "old.model")
    assert (tmp_path / "old.model").read_bytes() == b"precious"


@pytest.mark.parametrize("place", ["nowhere/x.model", "file/x.model", "folder"])
def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=place):
        check_destination(tmp_path / place)


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no such devices")
def test_a_device_is_no_place_for_a_model() -> None:
    with pytest.raises(OutputError, match="no regular file"):
        check_destination("/dev/null")
