from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect.errors import LabelsError
from aidetect.labels import from_folders, read_labels


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_path_and_label_are_enough_and_folders_become_sources(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", "path,label\nx/a.mp3,AI\ny/b.mp3,human\n")
    with pytest.warns(UserWarning, match="folder"):
        tracks = read_labels(labels)
    assert [t.label for t in tracks] == ["ai", "human"]
    assert tracks[0].path == tmp_path / "x" / "a.mp3"
    assert tracks[0].source != tracks[1].source


def test_columns_that_are_there_are_used(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", "\ufefffile,label,source,generator,vocals,mood\na.mp3,ai,s1,suno,yes,sad\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (track,) = read_labels(labels)
    assert (track.source, track.generator, track.vocals, track.extra) == ("s1", "suno", "yes", {"mood": "sad"})


def test_rows_of_neither_class_are_left_out(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", "path,label,source\na,resynth,s\nb,mixed,s\nc,human,s\n")
    assert [t.path.name for t in read_labels(labels)] == ["c"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line"),
        ("a,b\n1,2\n", "first line"),
        ("path,label\na.mp3,robot\n", "line 2.*robot"),
        ("path,label\n,ai\n", "line 2"),
        ("path,label,source\na.mp3,resynth,s\n", "no track"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(LabelsError, match=words):
        read_labels(write(tmp_path / "l.csv", text))


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="no such"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x80" * 50)
    with pytest.raises(LabelsError):
        read_labels(tmp_path / "b.csv")


def test_folders_are_searched_and_sub_folders_are_sources(tmp_path: Path) -> None:
    for name in ("h/one/a.mp3", "h/two/b.WAV", "h/two/notes.txt", "g/c.flac"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tracks = from_folders(human=[tmp_path / "h"], ai=[tmp_path / "g"], generator="new")
    assert [(t.label, t.path.name, t.generator) for t in tracks] == [
        ("human", "a.mp3", ""),
        ("human", "b.WAV", ""),
        ("ai", "c.flac", "new"),
    ]
    assert len({t.source for t in tracks}) == 3
    with pytest.raises(LabelsError):
        from_folders(human=[tmp_path / "nowhere"])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_spreadsheets_may_separate_columns_otherwise(tmp_path: Path, delimiter: str) -> None:
    rows = [["label", "file", "source"], ["ai", "a, b.mp3", "s1"]]
    labels = write(tmp_path / "l.csv", "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows))
    (track,) = read_labels(labels)
    assert (track.path, track.label, track.source) == (tmp_path / "a, b.mp3", "ai", "s1")


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp3").touch()
    real = os.scandir

    def scandir(path: str | os.PathLike[str] = ".") -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.warns(UserWarning, match=r"closed: the folder cannot be read \(Permission denied\)"):
        (track,) = from_folders(human=[tmp_path])
    assert track.path == tmp_path / "open" / "a.mp3"
    with pytest.raises(LabelsError, match="Permission denied"):
        from_folders(human=[tmp_path / "closed"])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("l") / "l.csv"
    path.write_text("path,label,source\n" + text, encoding="utf-8", errors="surrogatepass")
    try:
        read_labels(path)
    except LabelsError as error:
        assert str(path) in str(error)
