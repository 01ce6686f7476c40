"""Tables of scores on disk: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import OutputError

__all__ = ["COLUMNS", "KINDS", "TableWriter", "kind_of"]

COLUMNS = (
    "path",
    "verdict",
    "probability",
    "compression",
    "shimmer",
    "vocals",
    "duration",
    "sample_rate",
    "warnings",
    "error",
    "model_version",
    "effort",
    "speed",
)
"""Columns of a table of scores.

``path``; ``verdict``, ``probability``, the log-odds of the three families (empty where one abstains), ``duration`` in
seconds, ``sample_rate`` in Hz, ``warnings`` separated by semicolons, ``effort`` and ``speed`` as in
:class:`~aidetect.result.Result`; ``error`` where a file could not be scored, and then nothing else but ``path`` and
``model_version``. Rows taken from a journal that was written before a column was there leave it empty.
"""
KINDS = (".csv", ".jsonl", ".parquet")
"""Endings of names, each of its own format."""

_NUMBERS = ("probability", "compression", "shimmer", "vocals", "duration", "speed")
_GROUP = 4096  # rows that Parquet writes at a time


def kind_of(path: str | os.PathLike[str]) -> str:
    """Tell the format of a table by its name.

    Raises
    ------
    OutputError
        Another ending than :data:`KINDS`, or Parquet without pyarrow.
    """
    kind = Path(path).suffix.lower()
    if kind not in KINDS:
        raise OutputError(f"{path}: the output must end in {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    if kind == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise OutputError(f"{path}: Parquet needs pyarrow: pip install 'aidetect-music[parquet]'.") from None
    return kind


class TableWriter:
    """Writes rows as they come; a context manager.

    All formats are valid UTF-8, whatever files are called: bytes of a name that are none become Unicode escapes, which
    readers of JSON undo.

    Parameters
    ----------
    path : path
        Where to write.
    kind : str
        One of :data:`KINDS`.
    mode : str
        ``"x"`` refuses an existing file, ``"w"`` replaces it.

    Raises
    ------
    OutputError
        The place cannot be written to, or exists already.
    """

    def __init__(self, path: str | os.PathLike[str], *, kind: str, mode: str = "x") -> None:
        self._path = Path(path)
        self._kind = kind
        self._rows: list[Mapping[str, Any]] = []
        self._parquet: Any = None
        try:
            if kind == ".parquet":
                self._file: Any = self._path.open(f"{mode}b")
            else:
                self._file = self._path.open(mode, newline="", encoding="utf-8", errors="backslashreplace")
        except FileExistsError:
            raise OutputError(f"{path}: exists already; choose another name or remove it first.") from None
        except OSError as error:
            raise OutputError(f"{path}: cannot be written to ({error.strerror or error}).") from None
        self._table = csv.DictWriter(self._file, COLUMNS) if kind == ".csv" else None
        if self._table:
            self._told(self._table.writeheader)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row with the keys :data:`COLUMNS`; text formats show it at once."""
        if self._kind == ".parquet":
            self._rows.append(row)
            if len(self._rows) >= _GROUP:
                self._told(self._flush)
        elif self._table:
            table = self._table
            self._told(lambda: table.writerow(_harmless(row)))
        else:
            self._told(lambda: self._file.write(json.dumps(row, ensure_ascii=False) + "\n"))
        if self._kind != ".parquet":
            self._told(self._file.flush)

    def close(self) -> None:
        """Write what is left."""
        if self._kind == ".parquet" and not self._file.closed:
            self._told(self._flush)
            self._told(self._parquet.close)
        self._told(self._file.close)

    def _told(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:  # a full disk, a folder that went away
            raise OutputError(f"{self._path}: cannot be written to ({error.strerror or error}).") from None

    def _flush(self) -> None:
        import pyarrow
        import pyarrow.parquet

        def column_type(name: str) -> Any:
            if name in _NUMBERS:
                return pyarrow.float64()
            return pyarrow.int64() if name == "sample_rate" else pyarrow.string()

        schema = pyarrow.schema([(name, column_type(name)) for name in COLUMNS])
        if self._parquet is None:
            self._parquet = pyarrow.parquet.ParquetWriter(self._file, schema)
        columns = {name: [_text(row.get(name)) for row in self._rows] for name in COLUMNS}
        self._parquet.write_table(pyarrow.table(columns, schema=schema))
        self._rows = []


def _text(value: Any) -> Any:
    """Make file names that are no UTF-8 writable."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _harmless(row: Mapping[str, Any]) -> dict[str, Any]:
    """Keep spreadsheets from reading a file name or a message as a formula (OWASP, CSV injection).

    NUL, which many readers of CSV refuse or take for the end, becomes an escape.
    """
    return {key: _harmless_text(value) if isinstance(value, str) else value for key, value in row.items()}


def _harmless_text(text: str) -> str:
    text = text.replace("\0", "\\x00")
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
