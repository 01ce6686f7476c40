"""Label files: which track is whose, and which tracks belong together."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TextIO

from .errors import LabelsError

__all__ = [
    "AUDIO_SUFFIXES",
    "CLASSES",
    "PATH_COLUMNS",
    "LabelledTrack",
    "csv_rows",
    "distinct",
    "from_folders",
    "path_of",
    "read_labels",
    "relabelled",
    "why_closed",
]

CLASSES = ("human", "ai")
"""The two labels a model is trained on; rows with other labels are left out."""
PATH_COLUMNS = ("path", "file")
"""Columns that may hold the name of a file."""
_ENDINGS = "wav flac mp3 ogg oga opus aif aiff aifc m4a m4b aac mp4 wma webm mka caf au w64 mp2 ac3"
AUDIO_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split(" "))
"""Endings of file names that a folder is searched for."""

_DELIMITERS = ",;\t"  # spreadsheets write semicolons where the comma is the decimal sign
_OTHER = ("resynth", "mixed")  # labels of the corpus that stand for neither class


@dataclass(frozen=True)
class LabelledTrack:
    """One row of a labels file.

    Attributes
    ----------
    path : Path
        The audio file.
    label : str
        One of :data:`CLASSES`.
    source : str
        Where it comes from: tracks of one source never stand on both sides of a split.
    group : str
        Song it is a version of; versions never stand on both sides either.
    generator, artist, vocals, codec : str
        Empty where unknown. Used for weights, tables and the gate of the vocal family, never as features.
    extra : dict of str to str
        Other columns of the file.
    place : str
        Where it is listed, for messages: a line of a labels file, or a folder.
    """

    path: Path
    label: str
    source: str
    group: str = ""
    generator: str = ""
    artist: str = ""
    vocals: str = ""
    codec: str = ""
    extra: dict[str, str] = field(default_factory=dict, compare=False)
    place: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """What the labels file says in a column ``id``, else the name of the audio file."""
        return self.extra.get("id") or self.path.name


def read_labels(path: str | os.PathLike[str], *, classes: Sequence[str] = CLASSES) -> list[LabelledTrack]:
    """Read a CSV file with at least the columns ``path`` (or ``file``) and ``label``.

    Parameters
    ----------
    path : path
        UTF-8, separated by commas, semicolons or tabs, one header line, in which case and spaces around names do not
        matter. Relative paths in it start at its own folder.
    classes : sequence of str
        Labels to keep.

    Returns
    -------
    list of LabelledTrack
        In the order of the file, each audio file once, as in :func:`distinct`.

    Raises
    ------
    LabelsError
        No such file, no such column, an unknown label, two labels of one file, or nothing left.
    """
    path = path_of(path)
    columns, rows = _rows_of(path)
    name = next((c for c in PATH_COLUMNS if c in columns), None)
    if name is None or "label" not in columns:
        raise LabelsError(
            f"{path}: the first line must name the columns 'path' and 'label'; found {', '.join(columns) or 'nothing'}."
        )
    by_folder = "source" not in columns and "group" not in columns
    tracks = []
    for line, text in rows:
        label = text.get("label", "").lower()
        if label in classes and text.get(name):
            file_path = Path(text[name])
            tracks.append(_track(text, path.parent / file_path, label, place=f"{path}, line {line}"))
        elif label not in (*classes, *CLASSES, *_OTHER):
            raise LabelsError(f"{path}, line {line}: label '{label}' is not one of {', '.join(CLASSES)}.")
        elif label in classes:
            raise LabelsError(f"{path}, line {line}: no path.")
    if not tracks:
        raise LabelsError(f"{path}: no track labelled {' or '.join(classes)}.")
    if by_folder:
        warnings.warn(
            f"{path}: no column 'source', so tracks are kept together by folder. If two folders hold songs of one "
            "album or one service account, the measured rates are too good.",
            stacklevel=2,
        )
    return distinct(tracks)


def _rows_of(path: Path, keys: Sequence[str] = PATH_COLUMNS) -> tuple[Sequence[str], list[tuple[int, dict[str, str]]]]:
    """Columns, and rows with the number of their lines, of a CSV file one of whose columns is one of `keys`."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv_rows(file, keys)
            columns = reader.fieldnames or []
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise LabelsError(f"{path}: no such labels file.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{path}: cannot be read as a CSV file in UTF-8 ({error}).") from None
    return columns, [(line, _text(row)) for line, row in rows]


def _text(row: dict[str, str]) -> dict[str, str]:
    """Take the cells of a row that have a column, without spaces around them."""
    return {
        key: (value or "").strip() for key, value in row.items() if isinstance(key, str) and not isinstance(value, list)
    }


def relabelled(tracks: Sequence[LabelledTrack], path: str | os.PathLike[str]) -> list[LabelledTrack]:
    """Put labels right that have turned out to be wrong, without touching the labels files.

    Parameters
    ----------
    tracks : sequence of LabelledTrack
        As they are labelled.
    path : path
        CSV file, read like a labels file, with the columns ``id`` (:attr:`LabelledTrack.id`) and ``label``.

    Returns
    -------
    list of LabelledTrack
        Without those that are of neither class.

    Raises
    ------
    LabelsError
        No such file, no such columns, an unknown label, or two labels of one id.

    Warns
    -----
    UserWarning
        It is about none of the tracks.
    """
    path = path_of(path)
    columns, rows = _rows_of(path, ("id",))
    if not {"id", "label"} <= set(columns):
        raise LabelsError(f"{path}: the first line must name the columns 'id' and 'label'.")
    right: dict[str, str] = {}
    for line, row in rows:
        name, label = row.get("id", ""), row.get("label", "").lower()
        if label not in (*CLASSES, *_OTHER):
            raise LabelsError(f"{path}, line {line}: label '{label}' is not one of {', '.join((*CLASSES, *_OTHER))}.")
        if right.setdefault(name, label) != label:
            raise LabelsError(f"{path}, line {line}: '{name}' is labelled '{right[name]}' further up.")
    if not any(track.id in right for track in tracks):
        warnings.warn(f"{path}: none of its ids is that of a track, so no label is put right.", stacklevel=2)
    changed = [replace(track, label=right.get(track.id, track.label)) for track in tracks]
    return [track for track in changed if track.label in CLASSES]


def path_of(path: str | os.PathLike[str]) -> Path:
    """Return a path as an object; an empty one, which would mean the current folder, raises LabelsError."""
    if not os.fspath(path).strip():
        raise LabelsError("the path is empty; name a file or folder.")
    return Path(path)


def csv_rows(file: TextIO, keys: Sequence[str] = PATH_COLUMNS) -> csv.DictReader[str]:
    """Read rows of a CSV file whose first line tells what separates its columns: comma, semicolon or tab.

    It is what leaves one of `keys` standing alone as the name of a column.
    Names of columns come in small letters and without spaces around them, except where another one is called so.
    """
    header = file.readline()
    columns = {delimiter: next(csv.reader([header], delimiter=delimiter), []) for delimiter in _DELIMITERS}
    fitting = (d for d, names in columns.items() if any(name in _plain(names) for name in keys))
    rows = csv.DictReader(chain([header] if header else [], file), delimiter=next(fitting, ","))
    rows.fieldnames = _plain(rows.fieldnames or [])
    return rows


def _plain(names: Sequence[str]) -> list[str]:
    plain = [name.strip().lower() for name in names]
    return [name if new in names else new for name, new in zip(names, plain, strict=True)]


def distinct(tracks: Sequence[LabelledTrack]) -> list[LabelledTrack]:
    """Take every file once, as it was listed first: whatever is counted would count it twice.

    Links and ways of writing a path do not make a file another one. Where the second listing names another source, the
    first counts too, so that a file never stands on both sides of a split.

    Raises
    ------
    LabelsError
        A file has two labels.

    Warns
    -----
    UserWarning
        How many are listed again, and where the first of them is.
    """
    first: dict[str, LabelledTrack] = {}
    again: list[tuple[LabelledTrack, LabelledTrack]] = []
    for track in tracks:
        file = _real(track.path)
        before = first.get(file)
        if before is None:
            first[file] = track
            continue
        if before.label != track.label:
            raise LabelsError(
                f"{track.path}: labelled '{before.label}' in {before.place or 'one place'} and '{track.label}' in "
                f"{track.place or 'another'}; a file has one label."
            )
        again.append((before, track))
    if again:
        moved = sum(before.source != track.source for before, track in again)
        example = again[0][1]
        warnings.warn(
            f"{len(again)} of {len(tracks)} listed files are listed before"
            f"{f' ({moved} of them under another source)' if moved else ''}, the first of them {example.path}"
            f"{f' in {example.place}' if example.place else ''}; every file is taken once, as it is listed first.",
            stacklevel=3,
        )
    return list(first.values())


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:  # no file can have such a name
        return str(path)


def _track(text: dict[str, str], path: Path, label: str, *, place: str) -> LabelledTrack:
    known = (*PATH_COLUMNS, "label", "source", "group", "generator", "artist", "vocals", "codec")
    return LabelledTrack(
        path=path,
        label=label,
        source=text.get("source") or text.get("group") or str(path.parent),
        group=text.get("group", ""),
        generator=text.get("generator", ""),
        artist=text.get("artist", ""),
        vocals=text.get("vocals", ""),
        codec=text.get("codec", ""),
        extra={key: value for key, value in text.items() if key not in known},
        place=place,
    )


def from_folders(
    *, human: Iterable[str | os.PathLike[str]] = (), ai: Iterable[str | os.PathLike[str]] = (), generator: str = ""
) -> list[LabelledTrack]:
    """Label every audio file below some folders.

    Parameters
    ----------
    human, ai : iterable of path
        Folders; each of their sub-folders counts as a source of its own.
    generator : str
        Name of the system that made the AI tracks, where it is one.

    Raises
    ------
    LabelsError
        A folder does not exist or holds no audio file, or a file is in folders of both kinds.
    """
    tracks = []
    for label, folders in (("human", human), ("ai", ai)):
        for folder in map(path_of, folders):
            unread: list[OSError] = []
            files = sorted(_audio_below(folder, unread))
            if not files and not folder.exists():
                raise LabelsError(f"{folder}: no such folder.")
            if not files:
                reason = f" {why_closed(unread[0].filename, unread[0])}" if unread else ""
                raise LabelsError(f"{folder}: no audio file in it.{reason}")
            for error in unread:
                warnings.warn(f"{why_closed(error.filename, error)} What it holds is left out.", stacklevel=2)
            name = generator if label == "ai" else ""
            tracks += [
                LabelledTrack(p, label, source=str(p.parent), generator=name, place=f"folder {folder}") for p in files
            ]
    return distinct(tracks)


def why_closed(folder: str | os.PathLike[str], error: OSError) -> str:
    """Say that a folder cannot be read, and why."""
    return f"{folder}: the folder cannot be read ({error.strerror or error}); check its permissions."


def _audio_below(folder: Path, unread: list[OSError]) -> Iterator[Path]:
    """Audio files below a folder; what is wrong with folders that cannot be read is put into `unread`."""
    for root, _, names in os.walk(folder, onerror=unread.append):
        for path in (Path(root, name) for name in names):
            if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file():
                yield path
