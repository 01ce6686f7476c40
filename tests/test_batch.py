from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

import aidetect
from aidetect.batch import audio_files, row_of, score_folder, write_rows
from aidetect.errors import FolderError, OutputError
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
    with pytest.raises(FolderError):
        audio_files(folder / "one.wav")


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_become_rows_and_the_rest_goes_on(folder: Path, jobs: int) -> None:
    items = list(score_folder(folder, jobs=jobs))
    assert [type(i).__name__ for i in items] == ["FileError", "Result", "Result"]
    assert "=bad.mp3" in items[0].error
    assert items[1].probability == items[2].probability


def test_csv_has_the_columns_and_no_formula(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "b")
    out = tmp_path / "scores.csv"
    list(write_rows(score_folder("."), out))
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["path"] == "'=bad.mp3"
    assert rows[0]["error"]
    assert rows[0]["probability"] == ""
    assert 0 <= float(rows[1]["probability"]) <= 1
    assert rows[1]["verdict"] in ("ai", "human", "uncertain")


def test_jsonl_rows_are_whole_objects(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    list(write_rows(score_folder(folder), out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert all(set(row) == set(COLUMNS) for row in rows)


def test_results_are_never_overwritten(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    out.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        write_rows(iter(()), out)
    with pytest.raises(OutputError, match=r"\.csv"):
        write_rows(iter(()), tmp_path / "scores.xlsx")
    assert out.read_text() == "precious"


def test_what_is_scored_is_written_at_once(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    items = write_rows(score_folder(folder), out)
    next(items)
    assert len(out.read_text().splitlines()) == 1


def test_row_of_a_result_is_flat(song_path: Path) -> None:
    row = row_of(aidetect.score(song_path))
    assert tuple(sorted(row)) == tuple(sorted(COLUMNS))
    assert all(value is None or isinstance(value, str | int | float) for value in row.values())
