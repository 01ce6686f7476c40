from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

import aidetect
from aidetect.batch import FileError, audio_files, row_of, score_files, score_folder, score_row
from aidetect.errors import FileMissingError, FolderError, NotAudioError, OutputError
from aidetect.result import Result
from aidetect.tables import COLUMNS


@pytest.fixture
def folder(tmp_path: Path, song_path: Path) -> Path:
    music = tmp_path / "music"
    (music / "b").mkdir(parents=True)
    shutil.copy(song_path, music / "one.wav")
    shutil.copy(song_path, music / "b" / "two.wav")
    (music / "b" / "=bad.mp3").write_bytes(b"not music at all" * 300)
    (music / "notes.txt").write_text("not audio")
    (music / ".hidden.wav").write_bytes(b"")
    return music


def test_files_are_found_in_a_fixed_order(folder: Path) -> None:
    assert [p.relative_to(folder).as_posix() for p in audio_files(folder)] == ["b/=bad.mp3", "b/two.wav", "one.wav"]
    with pytest.raises(FolderError, match="aidetect score"):
        audio_files(folder / "one.wav")
    for find in (audio_files, score_folder):
        with pytest.raises(FolderError, match="there is no such folder"):
            find(folder / "missing")


def test_a_folder_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str | os.PathLike[str] = ".") -> object:
        if Path(path) == folder / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.warns(UserWarning, match="cannot be read"):
        assert audio_files(folder) == [folder / "one.wav"]
    monkeypatch.setattr("aidetect.batch.Detector.load", lambda _: Raising(FolderError("this is a folder")))
    items = list(score_folder(folder))
    assert [item.path for item in items] == [str(folder / "b"), str(folder / "one.wav")]
    assert "b: the folder cannot be read (Permission denied)" in items[0].error


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_become_rows_and_the_rest_goes_on(folder: Path, jobs: int) -> None:
    items = list(score_folder(folder, jobs=jobs))
    assert [type(i).__name__ for i in items] == ["FileError", "Result", "Result"]
    assert "=bad.mp3" in items[0].error
    assert items[1].probability == items[2].probability


class Crashing:
    """A detector that some files end the process of."""

    version = "1"

    def score(self, path: Path, **_: object) -> FileError:
        if "crash" in path.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return FileError(str(path), "scored")


def test_a_file_that_crashes_a_process_becomes_a_row_and_the_rest_goes_on() -> None:
    paths = [Path(f"{number}-crash" if number in (3, 4, 25) else str(number)) for number in range(30)]
    items = list(score_files(paths, jobs=2, detector=Crashing()))
    assert [item.path for item in items] == [str(path) for path in paths]
    died = [item for item in items if item.error != "scored"]
    assert [item.path for item in died] == ["3-crash", "4-crash", "25-crash"]
    assert all("died" in item.error and item.passing for item in died)


class Raising:
    version = "1"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def score(self, path: Path, **_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (MemoryError(), True),
        (OSError("no space left"), True),
        (FileMissingError("x: there is no such file."), True),
        (OutputError("store: nothing can be written."), True),
        (NotAudioError("x: no audio."), False),
        (IndexError("a bug"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_row_says_whether_another_try_may_end_otherwise(error: Exception, passing: bool) -> None:
    row = score_row("x", detector=Raising(error))
    assert row["error"]
    assert row.get("passing", False) == passing
    assert set(row) - {"passing"} == set(COLUMNS)


def test_a_row_tells_excerpts_from_whole_tracks() -> None:
    result = Result("a.mp3", 0.5, "uncertain", {}, {}, effort="fast")
    assert row_of(result)["effort"] == "fast"
    assert row_of(FileError("b.mp3", "broken"))["effort"] is None


def test_a_row_tells_at_which_speed_a_signature_fits() -> None:
    assert row_of(Result("a.mp3", 0.9, "ai", {}, {}, speed=1.03))["speed"] == 1.03
    assert row_of(Result("a.mp3", 0.9, "ai", {}, {}))["speed"] == 1.0
    assert row_of(FileError("b.mp3", "broken"))["speed"] is None


def test_row_of_a_result_is_flat(song_path: Path) -> None:
    row = row_of(aidetect.score(song_path))
    assert tuple(sorted(row)) == tuple(sorted(COLUMNS))
    assert all(value is None or isinstance(value, str | int | float) for value in row.values())
