from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aidetect.errors import OutputError
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
