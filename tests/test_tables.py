from __future__ import annotations

import csv
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.errors import OutputError
from aidetect.tables import COLUMNS, TableWriter, kind_of

ROWS = [
    dict.fromkeys(COLUMNS) | {"path": "=1+1.mp3", "verdict": "ai", "probability": 0.97, "sample_rate": 44_100},
    dict.fromkeys(COLUMNS) | {"path": 'a,"b".mp3', "error": "broken\nin two lines"},
]


def test_columns_keep_their_places_and_new_ones_come_after_them() -> None:
    assert (
        *("path", "verdict", "probability", "compression", "shimmer", "vocals", "duration", "sample_rate"),
        *("warnings", "error", "model_version", "effort", "speed"),
    ) == COLUMNS


def write(path: Path, **options: str) -> None:
    with TableWriter(path, kind=kind_of(path), **options) as table:
        for row in ROWS:
            table.write(row)


def test_csv_is_read_back_and_holds_no_formula(tmp_path: Path) -> None:
    write(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == ["'=1+1.mp3", 'a,"b".mp3']
    assert rows[1]["error"] == "broken\nin two lines"
    assert float(rows[0]["probability"]) == 0.97


def test_json_lines_are_the_rows(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl")
    assert [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()] == ROWS


def test_parquet_has_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.to_pylist() == ROWS
    assert {str(table.schema.field(name).type) for name in ("probability", "speed")} == {"double"}
    with TableWriter(tmp_path / "empty.parquet", kind=".parquet"):
        pass
    assert parquet.read_table(tmp_path / "empty.parquet").num_rows == 0


@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
def test_text_formats_show_a_row_at_once(tmp_path: Path, kind: str) -> None:
    with TableWriter(tmp_path / "t", kind=kind) as table:
        before = (tmp_path / "t").read_text().count("path")
        table.write(dict.fromkeys(COLUMNS) | {"path": "the path"})
        assert (tmp_path / "t").read_text().count("path") > before


def test_names_that_are_no_utf8_leave_tables_that_are(tmp_path: Path) -> None:
    row = dict.fromkeys(COLUMNS) | {"path": os.fsdecode("\u00e4".encode() + b"\xff.wav"), "error": "\udcff: broken."}
    shown = {"path": "\u00e4\\udcff.wav", "error": "\\udcff: broken."}
    for kind in (".csv", ".jsonl"):
        with TableWriter(tmp_path / f"t{kind}", kind=kind) as table:
            table.write(row)
    text = (tmp_path / "t.jsonl").read_text(encoding="utf-8")
    assert json.loads(text) == row
    assert "\u00e4" in text
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        (back,) = csv.DictReader(file)
    assert shown.items() <= back.items()
    parquet = pytest.importorskip("pyarrow.parquet")
    with TableWriter(tmp_path / "t.parquet", kind=".parquet") as table:
        table.write(row)
    assert shown.items() <= parquet.read_table(tmp_path / "t.parquet").to_pylist()[0].items()


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_name_comes_back_from_a_csv_and_holds_no_nul(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with TableWriter(path, kind=".csv") as table:
            table.write(dict.fromkeys(COLUMNS) | {"path": name})
        assert b"\0" not in path.read_bytes()
        with path.open(newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
    assert row["path"] in (shown := name.replace("\0", "\\x00"), f"'{shown}")


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        write(path)
    assert path.read_text() == "precious"
    write(path, mode="w")
    assert path.read_text().startswith("path,")
    with pytest.raises(OutputError, match=r"\.jsonl"):
        kind_of("t.xlsx")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "none" / "t.csv")
