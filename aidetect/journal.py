"""What a batch has finished, on disk before anybody is told: the memory behind ``--resume``."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import NotAudioError, OutputError
from .inputs import in_words

__all__ = ["Journal", "Stamp", "digest_of", "journal_path"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS finished (
    path TEXT NOT NULL, model TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, digest TEXT NOT NULL,
    cost REAL NOT NULL, row TEXT NOT NULL, PRIMARY KEY (path, model)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_content ON finished (digest, model);
"""


@dataclass(frozen=True)
class Stamp:
    """What tells cheaply that a file is unchanged.

    Attributes
    ----------
    size : int
        Bytes.
    modified : int
        Time of the last change, ns.
    """

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Read it; raises AudioError, in words for people, where there is no regular file."""
        with in_words(path):
            found = _regular(path)
        return cls(found.st_size, found.st_mtime_ns)


def digest_of(path: Path) -> str:
    """SHA-256 of a regular file's bytes; raises AudioError like :meth:`Stamp.of`."""
    with in_words(path):
        _regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _regular(path: Path) -> os.stat_result:
    """Look at a file without opening it: reading from a pipe or a device may never end."""
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(found.st_mode):
        raise NotAudioError(f"{path}: this is a pipe or a device, not a regular file; give an audio file.")
    return found


def journal_path(output: str | os.PathLike[str]) -> Path:
    """Where the journal of an output lies: beside it."""
    output = Path(output)
    return output.with_name(output.name + ".journal")


class Journal:
    """Rows by file and model, in an SQLite file. Threads may share one.

    Parameters
    ----------
    path : path
        Made where it does not exist.
    model : str
        Key of the model that scores; rows of another one are not seen.

    Raises
    ------
    OutputError
        Not a journal, or a place that cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str], *, model: str) -> None:
        self.path = Path(path)
        self._model = model
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=30.0)
            # A commit survives the process being killed at any moment; a power cut may cost the last few.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise OutputError(f"{self.path}: cannot be used as a journal ({error}); choose another output.") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def unchanged(self, path: str, stamp: Stamp) -> dict[str, Any] | None:
        """Return the row of a file that has the same size and time, or None."""
        found = self._one("SELECT size, modified, row FROM finished WHERE path = ? AND model = ?", _key(path))
        return json.loads(found[2]) if found and found[:2] == (stamp.size, stamp.modified) else None

    def same_content(self, digest: str) -> dict[str, Any] | None:
        """Return the row of any file of the same bytes, or None."""
        found = self._one("SELECT row FROM finished WHERE digest = ? AND model = ? ORDER BY path LIMIT 1", digest)
        return json.loads(found[0]) if found else None

    def put(self, row: dict[str, Any], *, stamp: Stamp, digest: str, cost: float) -> None:
        """Keep a finished row; it is on disk when this returns."""
        values = (_key(row["path"]), self._model, stamp.size, stamp.modified, digest, cost, json.dumps(row))
        try:
            with self._lock:
                self._db.execute("INSERT OR REPLACE INTO finished VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise OutputError(f"{self.path}: cannot be written to ({error}).") from None

    def only_others(self) -> bool:
        """Whether there are rows, but none of this model."""
        with self._lock:
            query = "SELECT EXISTS (SELECT 1 FROM finished), EXISTS (SELECT 1 FROM finished WHERE model = ?)"
            some, own = self._db.execute(query, (self._model,)).fetchone()
        return bool(some) and not own

    def slowest(self, count: int = 5) -> list[tuple[str, float]]:
        """Files that took longest, and how many seconds."""
        with self._lock:
            query = "SELECT path, cost FROM finished WHERE model = ? ORDER BY cost DESC, path LIMIT ?"
            return [(os.fsdecode(path), float(cost)) for path, cost in self._db.execute(query, (self._model, count))]

    def _one(self, query: str, key: str | bytes) -> tuple[Any, ...] | None:
        with self._lock:
            found: tuple[Any, ...] | None = self._db.execute(query, (key, self._model)).fetchone()
            return found


def _key(path: str) -> str | bytes:
    """What SQLite can hold of a path: its bytes where the name is no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path
