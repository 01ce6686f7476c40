"""Many files: one row each, whatever happens to some of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from .catalogue import catalogue, in_words_of, why_unread
from .dataset import measure
from .detector import Detector
from .errors import AidetectError, FileMissingError, FolderError, OutputError
from .extraction import Effort
from .result import Result
from .store import FeatureStore
from .tables import COLUMNS

__all__ = ["FileError", "audio_files", "row_of", "score_files", "score_folder", "score_row"]

_AHEAD = 4  # files in hand per process


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
    passing : bool
        Whether another try may end otherwise: memory, a disk, a process or the file itself failed, not its content.
    """

    path: str
    error: str
    model_version: str = ""
    passing: bool = False


def audio_files(folder: str | os.PathLike[str]) -> list[Path]:
    """List the audio files below a folder by the endings of their names, sorted.

    A folder below that cannot be read is warned about and left out.

    Raises
    ------
    FolderError
        Not a folder, none that exists, or none that can be read.
    """
    found = []
    for path in _below(folder):
        reason = why_unread(path) if path.is_dir() else ""
        if reason:
            warnings.warn(reason, stacklevel=2)
        else:
            found.append(path)
    return found


def _below(folder: str | os.PathLike[str]) -> Iterator[Path]:
    if not Path(folder).exists():
        raise FolderError(f"{folder}: there is no such folder; check the name.")
    if not Path(folder).is_dir():
        raise FolderError(f"{folder}: not a folder. Score a single file with 'aidetect score'.")
    return catalogue(folder)


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
        One for every file, in order, as they are ready, and an error for every folder below that cannot be read. A file
        that cannot be scored never ends the run, nor, with two processes or more, does one that crashes a decoder.

    Raises
    ------
    FolderError
        Not a folder, none that exists, or none that can be read.
    ModelFileError
        The model cannot be used.
    """
    return score_files(list(_below(folder)), jobs=jobs, model=model)


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
    return _in_processes(one, paths, jobs=jobs, version=loaded.version)


def _in_processes(
    one: Callable[[Path], Result | FileError], paths: Sequence[Path], *, jobs: int, version: str
) -> Iterator[Result | FileError]:
    """Score in processes; where one dies, find the file that it died of, and go on."""
    from joblib import Parallel, delayed, effective_n_jobs

    done, window = 0, len(paths)
    while done < len(paths):
        run = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch=f"{_AHEAD}*n_jobs", batch_size=1)
        try:
            for item in run(delayed(one)(path) for path in paths[done : done + window]):
                done += 1
                yield item
            continue
        except BrokenProcessPool:  # and with it everything is lost that was not fetched: have little of it from here on
            window = _AHEAD * effective_n_jobs(jobs)
        # Any of the files in hand may be the one. The first gets processes of its own, so that every turn settles one.
        path, done = paths[done], done + 1
        try:
            (item,) = Parallel(n_jobs=jobs)([delayed(one)(path)])
        except BrokenProcessPool:
            words = f"{path}: the process that read it died; the file is unsafe."
            item = FileError(str(path), words, version, passing=True)
        yield item


@lru_cache(maxsize=4)
def _loaded(model: str | None) -> Detector:
    return Detector.load(model)


def _score_in_worker(path: Path, *, model: str | None) -> Result | FileError:
    """Score with a model that each process reads once."""
    return _score_one(path, detector=_loaded(model))


def _score_one(
    path: Path, *, detector: Detector, store: FeatureStore | None = None, effort: Effort = "full"
) -> Result | FileError:
    try:
        if store is None or not path.is_file():  # without a file, the error says what is there
            return detector.score(path, effort=effort)
        return detector.judge(measure(path, store=store, effort=effort), path=str(path))
    except AidetectError as error:
        passing = isinstance(error, FileMissingError | OutputError)  # the latter of the store
        return FileError(str(path), in_words_of(error, path), detector.version, passing=passing)
    except MemoryError:
        return FileError(str(path), f"{path}: not enough memory to score it.", detector.version, passing=True)
    except Exception as error:  # a batch goes on, whatever a file from a stranger does to a decoder
        words = f"{path}: unexpected {type(error).__name__}: {error}"
        return FileError(str(path), words, detector.version, passing=isinstance(error, OSError))


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
        "effort": item.effort,
        "speed": item.speed,
    }


def score_row(
    path: str,
    *,
    detector: Detector | None = None,
    model: str | None = None,
    store: str | None = None,
    effort: Effort = "full",
) -> dict[str, Any]:
    """Score a file into a row, with features from a store where they are there.

    Parameters
    ----------
    path : str
        The file.
    detector : Detector, optional
        By default `model` is loaded, once per process.
    model, store, effort : str, optional
        As in :func:`aidetect.score` and :func:`aidetect.train`.

    Returns
    -------
    dict
        As of :func:`row_of`; with one more key, ``passing``, where another try may end otherwise.
    """
    keep = FeatureStore(store) if store else None
    item = _score_one(Path(path), detector=detector or _loaded(model), store=keep, effort=effort)
    passing = isinstance(item, FileError) and item.passing
    return row_of(item) | ({"passing": True} if passing else {})
