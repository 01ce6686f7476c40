from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect.errors import LabelsError
from aidetect.labels import LabelledTrack, distinct, from_folders, path_of, read_labels, relabelled


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
        (
            "path,label,source\na.mp3,ai,s\nb.mp3,ai,s\n./a.mp3,human,t\n",
            r"a\.mp3: .*'ai' in .*line 2 .*'human' in .*line 4",
        ),
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
    with pytest.raises(LabelsError, match="no such folder"):
        from_folders(human=[tmp_path / "nowhere"])
    with pytest.warns(UserWarning, match=r"1 of 3 listed files .*a\.mp3 in folder .*one"):
        assert len(from_folders(human=[tmp_path / "h", tmp_path / "h" / "one"])) == 2
    with pytest.raises(LabelsError, match=r"'human' in folder .*h and 'ai' in folder .*two"):
        from_folders(human=[tmp_path / "h"], ai=[tmp_path / "h" / "two"])


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


@pytest.mark.parametrize(
    "header", ["Path,Label,Source,Title", " path, label , SOURCE,title", "FILE;LABEL;Source;Title"]
)
def test_case_and_spaces_of_headers_do_not_matter(tmp_path: Path, header: str) -> None:
    row = "a.mp3,ai,s1,Song".replace(",", ";" if ";" in header else ",")
    (track,) = read_labels(write(tmp_path / "l.csv", f"{header}\n{row}\n"))
    assert (track.path.name, track.label, track.source, track.extra) == ("a.mp3", "ai", "s1", {"title": "Song"})


def test_a_column_that_is_called_so_goes_before_one_that_is_nearly(tmp_path: Path) -> None:
    (track,) = read_labels(write(tmp_path / "l.csv", "path,Path,label,source\na.mp3,b.mp3,ai,s\n"))
    assert track.path.name == "a.mp3"


def test_a_file_listed_twice_is_taken_once_as_it_is_listed_first(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    (tmp_path / "link.mp3").symlink_to("a.mp3")
    rows = ["a.mp3,ai,s1", "b.mp3,human,s2", "x/../a.mp3,ai,s1", "b.mp3,human,s3", "link.mp3,ai,s1"]
    labels = write(tmp_path / "l.csv", "path,label,source\n" + "\n".join(rows))
    with pytest.warns(UserWarning, match=r"3 of 5 listed files .*\(1 of them under another source\).*l\.csv, line 4"):
        tracks = read_labels(labels)
    assert [(t.path.name, t.source) for t in tracks] == [("a.mp3", "s1"), ("b.mp3", "s2")]


def test_files_of_several_lists_are_taken_once(tmp_path: Path) -> None:
    one, two = (LabelledTrack(tmp_path / "a.mp3", label, "s") for label in ("ai", "human"))
    with pytest.warns(UserWarning, match="1 of 2 listed files"):
        assert distinct([one, one]) == [one]
    with pytest.raises(LabelsError, match=r"a\.mp3: labelled 'ai' .* 'human'"):
        distinct([one, two])


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_path_is_not_the_current_folder(empty: str) -> None:
    for read in (read_labels, path_of, lambda path: from_folders(ai=[path])):
        with pytest.raises(LabelsError, match="the path is empty"):
            read(empty)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef\0"), min_size=1, max_size=20), st.data())
def test_what_is_listed_is_there_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, listed: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("l") / "l.csv"
    names = [data.draw(st.sampled_from([name, name.upper(), f" {name} "])) for name in ("path", "label", "source")]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *([name, "ai", "s"] for name in listed)])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tracks = read_labels(path)
    assert [track.path.name for track in tracks] == list(dict.fromkeys(listed))
    assert len(told) == (len(listed) > len(tracks))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("l") / "l.csv"
    path.write_text("path,label,source\n" + text, encoding="utf-8", errors="surrogatepass")
    try:
        read_labels(path)
    except LabelsError as error:
        assert str(path) in str(error)


def test_labels_are_put_right_by_id_or_name(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", "id,path,label,source\n1,a,human,s\n2,b,human,s\n,c,ai,s\n4,d,ai,s\n")
    right = write(tmp_path / "r.csv", "why; ID; Label\nheard;1;resynth\nsaid;2;AI\nsaid;c;human\nno such;9;ai\n")
    tracks = relabelled(read_labels(labels), right)
    assert [(t.path.name, t.label) for t in tracks] == [("b", "ai"), ("c", "human"), ("d", "ai")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'id' and 'label'"),
        ("path,label\na,ai\n", "'id' and 'label'"),
        ("id,label\na,robot\n", "line 2.*robot"),
        ("id,label\na,ai\nb,ai\na,human\n", "line 4.*'a' is labelled 'ai'"),
    ],
)
def test_what_is_wrong_with_corrections_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(LabelsError, match=words):
        relabelled([], write(tmp_path / "r.csv", text))
    with pytest.raises(LabelsError, match="no such"):
        relabelled([], tmp_path / "none.csv")


def test_corrections_of_nothing_are_doubted(tmp_path: Path) -> None:
    tracks = read_labels(write(tmp_path / "l.csv", "path,label,source\na,ai,s\n"))
    with pytest.warns(UserWarning, match="none of its ids"):
        assert relabelled(tracks, write(tmp_path / "r.csv", "id,label\nA,human\n")) == tracks
