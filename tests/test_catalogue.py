from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.catalogue import catalogue, why_unread
from aidetect.errors import AidetectError, FileMissingError, FolderError, LabelsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.mp3", "b/10.mp3", "a.wav", "b.flac", "live/x.MP3", ".hidden/y.mp3", "b/.z.mp3", "notes.txt"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "music"


def names(folder: Path, **options: list[str]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in catalogue(folder, **options)]


def test_a_folder_comes_in_the_order_of_its_paths(folder: Path) -> None:
    found = list(catalogue(folder))
    assert found == sorted(found)
    assert names(folder) == ["a.wav", "b/10.mp3", "b/2.mp3", "b.flac", "live/x.MP3"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such pipes")
def test_what_is_no_regular_file_is_left_out(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp3")
    (folder / "to a pipe.mp3").symlink_to(folder / "pipe.mp3")
    (folder / "to a device.wav").symlink_to("/dev/zero")
    (folder / "to a folder.wav").symlink_to(folder / "live")
    (folder / "to a file.wav").symlink_to(folder / "a.wav")
    (folder / "to nothing.wav").symlink_to(folder / "none.wav")  # told when it is scored
    assert names(folder, include=["*pipe*", "to*"]) == ["to a file.wav", "to nothing.wav"]


def test_patterns_choose(folder: Path) -> None:
    assert names(folder, include=["b/*", "*.wav"]) == ["a.wav", "b/10.mp3", "b/2.mp3"]
    assert names(folder, include=["b/*"], exclude=["*10*"]) == ["b/2.mp3"]


def test_lists_start_at_their_own_folder(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("one.mp3\r\n\n/abs/two.xyz\n", encoding="utf-8")
    (tmp_path / "list.csv").write_text('label,file\nai,"a,b.mp3"\nhuman,\n', encoding="utf-8")
    assert list(catalogue(tmp_path / "list.txt")) == [tmp_path / "one.mp3", Path("/abs/two.xyz")]
    assert list(catalogue(tmp_path / "list.csv")) == [tmp_path / "a,b.mp3"]
    (tmp_path / "list.csv").write_text(" Path ,Label\na.mp3,ai\n", encoding="utf-8")
    assert list(catalogue(tmp_path / "list.csv")) == [tmp_path / "a.mp3"]


def test_errors_say_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"")
    (tmp_path / "bad.csv").write_text("Title\nx\n")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(FolderError, match="aidetect score"):
        catalogue(tmp_path / "song.mp3")
    with pytest.raises(FileMissingError):
        catalogue(tmp_path / "none")
    with pytest.raises(LabelsError, match="the path is empty"):
        catalogue("")
    with pytest.raises(LabelsError, match=r"'path' .*found title"):
        list(catalogue(tmp_path / "bad.csv"))
    with pytest.raises(LabelsError, match="UTF-8"):
        list(catalogue(tmp_path / "bad.txt"))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_spreadsheets_may_separate_columns_otherwise(tmp_path: Path, delimiter: str) -> None:
    rows = [["note, long", "path"], ["x", "a,b.mp3"]]
    (tmp_path / "list.csv").write_text("\n".join(delimiter.join(row) for row in rows), encoding="utf-8-sig")
    assert list(catalogue(tmp_path / "list.csv")) == [tmp_path / "a,b.mp3"]


def test_a_folder_that_cannot_be_read_comes_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close(monkeypatch, folder / "b")
    assert names(folder) == ["a.wav", "b", "b.flac", "live/x.MP3"]
    assert names(folder, include=["live/*"]) == ["live/x.MP3"]
    assert names(folder, include=["*.mp3"]) == names(folder, include=["b/2*"]) == ["b"]
    assert names(folder, exclude=["b/*"]) == ["a.wav", "b.flac", "live/x.MP3"]
    assert "b: the folder cannot be read (Permission denied)" in why_unread(folder / "b")
    assert why_unread(folder) == ""
    with pytest.raises(FolderError, match="cannot be read"):
        catalogue(folder / "b")


def close(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nobody read a folder; permissions would not stop root."""
    real = os.scandir

    def scandir(path: str | os.PathLike[str] = ".") -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


@given(st.binary(max_size=200), st.sampled_from([".txt", ".csv"]))
def test_any_bytes_are_a_list_or_an_error(data: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"list{suffix}"
        path.write_bytes(data)
        try:
            assert all(isinstance(found, Path) for found in catalogue(path))
        except AidetectError as error:
            assert str(path) in str(error)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), min_size=1)))
def test_a_csv_gives_back_the_names_it_was_given(written: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "list.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["path"], *([text] for text in written)])
        assert list(catalogue(path)) == [Path(name) / text for text in written if text.strip()]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=("Cs",)), min_size=1)))
def test_a_list_gives_back_every_line_it_was_given(written: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "list.txt"
        path.write_bytes("\n".join(written).encode())
        assert list(catalogue(path)) == [Path(name) / text for text in written if text.strip()]
