"""Many files: one row each, whatever happens to some of them."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from .detector import Detector
from .errors import AidetectError, FolderError, OutputError
from .labels import AUDIO_SUFFIXES
from .result import Result

__all__ = ["COLUMNS", "FileError", "audio_files", "row_of", "score_files", "score_folder", "write_rows"]

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
)
"""Columns of a table of scores."""


@dataclass(frozen=True)
class FileError:
    """A file that could not be scored, in place of its result.

    Attributes
    ----------
    path : str
        The file.
    error : str
        What was wrong and what to do.
    model_version : str
        Model that was asked.
    """

    path: str
    error: str
    model_version: str = ""


def audio_files(folder: str | os.PathLike[str]) -> list[Path]:
    """List the audio files below a folder by the endings of their names, sorted.

    Raises
    ------
    FolderError
        Not a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FolderError(f"{folder}: not a folder. Score a single file with 'aidetect score'.")
    found = []
    for where, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        found += [Path(where, n) for n in names if not n.startswith(".") and Path(n).suffix.lower() in AUDIO_SUFFIXES]
    return sorted(found)


def score_folder(
    folder: str | os.PathLike[str], *, jobs: int = 1, model: str | os.PathLike[str] | None = None
) -> Iterator[Result | FileError]:
    """Score every audio file below a folder.

    Parameters
    ----------
    folder : path
        Searched with everything below it, in sorted order.
    jobs : int
        Processes.
    model : path, optional
        As in :func:`aidetect.score`.

    Yields
    ------
    Result or FileError
        One for every file, in order, as they are ready. A file that cannot be scored never ends the run.

    Raises
    ------
    FolderError
        Not a folder.
    ModelFileError
        The model cannot be used.
    """
    return score_files(audio_files(folder), jobs=jobs, model=model)


def score_files(
    paths: list[Path],
    *,
    jobs: int = 1,
    model: str | os.PathLike[str] | None = None,
    detector: Detector | None = None,
) -> Iterator[Result | FileError]:
    """Score some files; parameters and yields as in :func:`score_folder`, or with a detector in memory."""
    loaded = detector or Detector.load(model)  # an unusable model is told at once, not by every file
    if jobs == 1:
        return map(partial(_score_one, detector=loaded), paths)
    name = None if model is None else os.fspath(model)
    one = partial(_score_one, detector=detector) if detector else partial(_score_in_worker, model=name)
    from joblib import Parallel, delayed

    run = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="4*n_jobs", batch_size=1)
    results: Iterator[Result | FileError] = run(delayed(one)(path) for path in paths)
    return results


@lru_cache(maxsize=4)
def _loaded(model: str | None) -> Detector:
    return Detector.load(model)


def _score_in_worker(path: Path, *, model: str | None) -> Result | FileError:
    """Score with a model that each process reads once."""
    return _score_one(path, detector=_loaded(model))


def _score_one(path: Path, *, detector: Detector) -> Result | FileError:
    try:
        return detector.score(path)
    except AidetectError as error:
        return FileError(str(path), str(error), detector.version)
    except MemoryError:
        return FileError(str(path), f"{path}: not enough memory to score it.", detector.version)
    except Exception as error:  # a batch goes on, whatever a file from a stranger does to a decoder
        return FileError(str(path), f"{path}: unexpected {type(error).__name__}: {error}", detector.version)


def row_of(item: Result | FileError) -> dict[str, Any]:
    """Return one row of a table of scores, keys :data:`COLUMNS`."""
    if isinstance(item, FileError):
        return dict.fromkeys(COLUMNS, None) | {
            "path": item.path,
            "error": item.error,
            "model_version": item.model_version,
        }
    whole = item.to_dict()
    return {
        "path": item.path,
        "verdict": item.verdict,
        "probability": whole["probability"],
        **whole["families"],
        "duration": whole["duration"],
        "sample_rate": item.sample_rate,
        "warnings": "; ".join(item.warnings),
        "error": None,
        "model_version": item.model_version,
    }


def write_rows(items: Iterator[Result | FileError], path: str | os.PathLike[str]) -> Iterator[Result | FileError]:
    """Write rows as they come, and hand the items on.

    Parameters
    ----------
    items : iterator
        From :func:`score_folder`.
    path : path
        Ends in ``.csv`` or ``.jsonl``. Must not exist: results are never overwritten.

    Raises
    ------
    OutputError
        Another ending, an existing file, or a place that cannot be written to.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".csv", ".jsonl"):
        raise OutputError(f"{path}: the output must end in .csv or .jsonl.")
    try:
        file = path.open("x", newline="", encoding="utf-8")
    except FileExistsError:
        raise OutputError(f"{path}: exists already; choose another name or remove it first.") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written to ({error.strerror or error}).") from None
    return _written(items, file, kind)


def _written(items: Iterator[Result | FileError], file: io.TextIOWrapper, kind: str) -> Iterator[Result | FileError]:
    with file:
        table = csv.DictWriter(file, COLUMNS)
        if kind == ".csv":
            table.writeheader()
        for item in items:
            row = row_of(item)
            if kind == ".csv":
                table.writerow(_harmless(row))
            else:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            yield item


def _harmless(row: Mapping[str, Any]) -> dict[str, Any]:
    """Keep spreadsheets from reading a file name or a message as a formula (OWASP, CSV injection)."""
    return {
        key: "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
        for key, value in row.items()
    }
