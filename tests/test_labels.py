from __future__ import annotations

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


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("l") / "l.csv"
    path.write_text("path,label,source\n" + text, encoding="utf-8", errors="surrogatepass")
    try:
        read_labels(path)
    except LabelsError as error:
        assert str(path) in str(error)
