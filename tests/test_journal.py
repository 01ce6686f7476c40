from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aidetect.errors import FileMissingError, FolderError, NotAudioError, OutputError
from aidetect.journal import Journal, Stamp, digest_of, journal_path

STAMP = Stamp(10, 20)


def row(path: str) -> dict[str, object]:
    return {"path": path, "verdict": "human", "probability": 0.25}


def test_what_was_put_is_there_after_reopening(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "scores.csv")
    assert path.name == "scores.csv.journal"
    Journal(path, model="m").put(row("a"), stamp=STAMP, digest="d", cost=1.5)  # never closed, as if killed
    again = Journal(path, model="m")
    assert again.unchanged("a", STAMP) == row("a")
    assert again.unchanged("a", Stamp(10, 21)) is None
    assert again.unchanged("b", STAMP) is None
    assert again.same_content("d") == row("a")
    assert again.same_content("e") is None
    assert again.slowest() == [("a", 1.5)]


def test_rows_of_another_model_are_not_seen(tmp_path: Path) -> None:
    one, other = (Journal(tmp_path / "j", model=name) for name in ("one", "other"))
    one.put(row("a"), stamp=STAMP, digest="d", cost=0.0)
    assert other.unchanged("a", STAMP) is None
    assert other.same_content("d") is None
    other.put(row("a") | {"verdict": "ai"}, stamp=STAMP, digest="d", cost=0.0)
    assert one.unchanged("a", STAMP) == row("a")


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"precious" * 100)
    with pytest.raises(OutputError, match="journal"):
        Journal(path, model="m")
    assert path.read_bytes() == b"precious" * 100


def test_a_journal_holds_no_more_than_it_says(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", model="m")
    journal.put(row("a"), stamp=STAMP, digest="d", cost=0.0)
    journal.put(row("a"), stamp=STAMP, digest="d2", cost=0.0)
    assert sqlite3.connect(tmp_path / "j").execute("SELECT count(*) FROM finished").fetchone() == (1,)


def test_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert digest_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_names_that_are_no_utf8_are_kept_apart(tmp_path: Path) -> None:
    names = [os.fsdecode(b"a\xff.wav"), os.fsdecode(b"a\xfe.wav"), "a\\xff.wav", "\u00e4.wav"]
    journal = Journal(tmp_path / "j", model="m")
    for number, name in enumerate(names):
        journal.put(row(name), stamp=STAMP, digest=str(number), cost=float(number))
    again = Journal(tmp_path / "j", model="m")
    for number, name in enumerate(names):
        assert again.unchanged(name, STAMP) == again.same_content(str(number)) == row(name)
    assert again.slowest() == [(name, float(number)) for number, name in reversed(list(enumerate(names)))]


@pytest.mark.parametrize("look", [Stamp.of, digest_of])
def test_only_regular_files_are_looked_at(tmp_path: Path, look: Callable[[Path], object]) -> None:
    with pytest.raises(FolderError, match="folder"):
        look(tmp_path)
    for name in ("none.wav", "\0.wav", "x" * 300):
        with pytest.raises(FileMissingError, match=name):
            look(tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(NotAudioError, match=r"pipe\.wav: this is a pipe"):
            look(tmp_path / "pipe.wav")
