"""Which files a batch is about: a folder, a list or a CSV, always in the same order and never all in memory."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from .errors import AidetectError, FileMissingError, FolderError, LabelsError
from .labels import AUDIO_SUFFIXES, PATH_COLUMNS, csv_rows, path_of, why_closed

__all__ = ["catalogue", "in_words_of", "why_unread"]


def catalogue(
    source: str | os.PathLike[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[Path]:
    """List audio files.

    Parameters
    ----------
    source : path
        A folder, searched with everything below it by the endings of names, hidden files, pipes and devices left out;
        a text file with one path a line; or a CSV file with a column ``path`` or ``file``. Relative paths in a list
        start at the list's own folder. What a list names is taken whatever its ending; what is missing, or can be no
        file's name, becomes an error when scored. A CSV may separate its columns by commas, semicolons or tabs, and
        write their names in capitals.
    include, exclude : sequence of str
        Shell patterns (``live/*``, ``*.flac``) on the path as written below the folder or in the list. Without
        `include` everything is in.

    Yields
    ------
    Path
        In a folder: sorted by the parts of the path. In a list: in its order. A folder below that cannot be read comes
        itself, so that scoring tells about it.

    Raises
    ------
    FolderError
        An audio file where a folder or list was expected, or a folder that cannot be read.
    FileMissingError
        No such folder or list.
    LabelsError
        An empty path, or a list that cannot be read.
    """
    source = path_of(source)
    if source.is_dir():
        reason = why_unread(source)
        if reason:
            raise FolderError(reason)
        return (source / name for name in _below(source) if _wanted(name, include, exclude))
    if not source.exists():
        raise FileMissingError(f"{source}: no such folder or list.")
    if source.suffix.lower() in AUDIO_SUFFIXES:
        raise FolderError(f"{source}: not a folder or list. Score a single file with 'aidetect score'.")
    named = _column(source) if source.suffix.lower() == ".csv" else _lines(source)
    return (source.parent / name for name in named if _wanted(name, include, exclude))


def why_unread(folder: str | os.PathLike[str]) -> str:
    """Say what keeps a folder from being read; empty where nothing does."""
    try:
        os.scandir(folder).close()
    except NotADirectoryError:
        return ""
    except OSError as error:
        return why_closed(folder, error)
    return ""


def in_words_of(error: AidetectError, path: str | os.PathLike[str]) -> str:
    """Say what is wrong with a path that cannot be scored; of a folder that cannot be read, that it cannot."""
    return (why_unread(path) if isinstance(error, FolderError) else "") or str(error)


def _wanted(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    name = name.replace(os.sep, "/")
    fits = _may_hold if name.endswith("/") else fnmatchcase
    if include and not any(fits(name, pattern) for pattern in include):
        return False
    return not any(fnmatchcase(name, pattern) for pattern in exclude)


def _may_hold(folder: str, pattern: str) -> bool:
    """Whether something below a folder may be meant by a pattern, as far as its first wildcard tells."""
    head = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    return head.startswith(folder) or folder.startswith(head)


def _below(folder: Path, prefix: str = "") -> Iterator[str]:
    """Walk depth first, one folder's names in memory at a time; a folder that cannot be read ends in a slash."""
    try:
        with os.scandir(folder) as found:
            entries = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in found if _is_kept(e))
    except OSError:  # it does not end the run, but what it holds must not be missed in silence
        yield prefix
        return
    for name, is_folder in entries:
        if is_folder:
            yield from _below(folder / name, f"{prefix}{name}/")
        else:
            yield prefix + name


def _is_kept(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or may be an audio file; a link to nothing may, so that scoring tells about it."""
    if entry.name.startswith("."):
        return False
    if entry.is_dir(follow_symlinks=False):
        return True
    if Path(entry.name).suffix.lower() not in AUDIO_SUFFIXES:
        return False
    if entry.is_symlink():
        return os.path.isfile(entry) or not os.path.exists(entry)
    return entry.is_file()


def _lines(source: Path) -> Iterator[str]:
    """Paths of a text file; empty lines are skipped."""
    try:
        with source.open(encoding="utf-8-sig", newline="\n") as file:
            for line in file:
                name = line.rstrip("\r\n")
                if name.strip():
                    yield name
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"{source}: cannot be read as a list of paths in UTF-8 ({error}).") from None


def _column(source: Path) -> Iterator[str]:
    """Paths of a CSV file."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            rows = csv_rows(file)
            column = next((c for c in PATH_COLUMNS if c in (rows.fieldnames or ())), None)
            if column is None:
                found = ", ".join(rows.fieldnames or ()) or "nothing"
                raise LabelsError(f"{source}: the first line must name a column 'path' or 'file'; found {found}.")
            for row in rows:
                name = row[column] or ""
                if name.strip():
                    yield name
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{source}: cannot be read as a CSV file in UTF-8 ({error}).") from None
