"""A whole catalogue into one table: resumable, each content scored once, whatever a file does to its process."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from . import __version__
from .batch import score_row
from .catalogue import catalogue, in_words_of
from .detector import Detector, default_model_path
from .errors import AudioError, FileMissingError, OutputError
from .extraction import EXTRACTOR_VERSION, Effort
from .journal import Journal, Stamp, digest_of, journal_path
from .store import make_folder
from .tables import COLUMNS, TableWriter, kind_of
from .workers import Worker

__all__ = ["Batch", "score_batch"]

Row = dict[str, Any]

_AHEAD = 4  # files in hand per process, so that a slow one does not hold the others up
_STRIPES = 1024
_CHUNK = 16  # files per process that go to another engine at a time


class Batch:
    """A run over a catalogue; iterate over it once.

    Parameters
    ----------
    paths : iterable of path
        Drawn as they are needed: ten million are never held at once.
    output : path
        Table to be made: ``.csv``, ``.jsonl`` or ``.parquet``. Rows come into ``OUTPUT.part``, in the order of `paths`,
        and the table appears under its name when all are done. ``OUTPUT.journal`` remembers what is finished.
    jobs : int
        Processes on this machine.
    model : path, optional
        As in :func:`aidetect.score`.
    resume : bool
        Go on after an interruption, or after files were added: what is unchanged (size and time, or else content) and
        was scored by the same model is taken from the journal, errors included, except those that may pass: files
        that took too long, killed their process, needed more memory or could not be read are tried again. Without it
        an existing output or journal is refused.
    time_limit : float, optional
        Seconds a file may take.
    store : path, optional
        Folder of features by content, as in :func:`aidetect.train`.
    effort : str
        As in :func:`aidetect.score`.

    Yields
    ------
    dict
        One row per file, keys :data:`aidetect.tables.COLUMNS`.

    Raises
    ------
    OutputError
        The output exists, has another ending, or cannot be written to; or the store cannot.
    FileMissingError
        There are no paths.
    ModelFileError
        The model cannot be used.

    Notes
    -----
    Within ``joblib.parallel_config(backend=...)`` with a backend that is not joblib's own for one machine (Dask, Ray,
    Spark, threads), files go to that backend in chunks instead of to own processes; `jobs` is then the backend's matter
    and there is no time limit.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        output: str | os.PathLike[str],
        *,
        jobs: int = 1,
        model: str | os.PathLike[str] | None = None,
        resume: bool = False,
        time_limit: float | None = None,
        store: str | os.PathLike[str] | None = None,
        effort: Effort = "full",
    ) -> None:
        self._kind = kind_of(output)  # first: a name without an ending may be no name at all
        self.output = Path(output)
        self._part = self.output.with_name(self.output.name + ".part")
        journal = journal_path(output)
        if self.output.is_dir():
            raise OutputError(f"{self.output}: this is a folder; give the name of the table to write.")
        if not resume:
            for path in (self.output, journal, self._part):
                if path.exists():
                    raise OutputError(
                        f"{path}: exists already; go on with --resume, choose another output, or remove it first."
                    )
        elif self.output.exists() and not journal.exists():
            raise OutputError(
                f"{self.output}: is no table that a batch made, for {journal.name} is missing beside it; choose "
                "another output, or remove it first."
            )
        drawn = (str(Path(path)) for path in paths)
        first = next(drawn, None)  # before anything is written: a list that cannot be read leaves nothing behind
        if first is None:
            raise FileMissingError(
                "nothing to score: no audio file is there, or none that the patterns let through; no table is written."
            )
        self._paths = chain([first], drawn)
        if store is not None:
            make_folder(store)
        self._model = None if model is None else os.fspath(model)
        self.detector = Detector.load(model)  # an unusable model is told at once, not by every file
        self._store = None if store is None else os.fspath(store)
        self._effort: Effort = effort
        self._jobs = jobs
        self._time_limit = time_limit
        self._new = not journal.exists()
        self._opened = self._begun = self._noted = False
        self.journal = Journal(journal, model=model_key(self._model, effort))
        if self.journal.only_others():
            warnings.warn(f"{self.output}: made with another model or effort; every file is scored anew.", stacklevel=3)
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def __iter__(self) -> Generator[Row, None, None]:
        run = self._elsewhere if _foreign_backend() else self._here
        with TableWriter(self._part, kind=self._kind, mode="w") as table, closing(run()) as rows:
            self._opened = True
            for row in rows:
                table.write(row)
                self._begun = True
                yield row
        try:
            os.replace(self._part, self.output)
        except OSError as error:
            raise OutputError(f"{self.output}: cannot be written to ({error.strerror or error}).") from None

    def close(self) -> None:
        """Close the journal; of a run that came to nothing, no file is left to stand in the way of the next."""
        self.journal.close()
        if self._begun or self._noted:
            return
        if self._opened:
            self._part.unlink(missing_ok=True)
        if self._new:
            self.journal.path.unlink(missing_ok=True)

    def _row(self, **known: Any) -> Row:
        known = {"model_version": self.detector.version} | known
        return {name: known.get(name) for name in COLUMNS}

    def _finish(self, path: str, score: Callable[[str], Row]) -> Row:
        """Return the row of a file from the journal, or score it and note it there unless it may pass."""
        try:
            stamp = Stamp.of(Path(path))
            found = self.journal.unchanged(path, stamp)
            digest = "" if found else digest_of(Path(path))
        except AudioError as error:  # of the stamp or the digest: nothing that a process could read
            return self._row(path=path, error=in_words_of(error, path))
        if found:
            return self._row(**found)  # journals of before know fewer columns
        with self._stripes[int(digest[:8], 16) % _STRIPES]:  # two files of one content: the second waits
            row, cost, passing = self._twin(path, digest), 0.0, False
            if row is None:
                start = time.monotonic()
                scored = score(path)
                cost = time.monotonic() - start
                row, passing = self._row(**scored), bool(scored.get("passing"))
            if not passing:
                self._noted = True
                self.journal.put(row, stamp=stamp, digest=digest, cost=cost)
        return row

    def _twin(self, path: str, digest: str) -> Row | None:
        """Row of another file of the same content, with this path."""
        row = self.journal.same_content(digest)
        if row is None:
            return None
        error = row["error"].replace(row["path"], path) if row["error"] else row["error"]
        return self._row(**row | {"path": path, "error": error})

    def _here(self) -> Generator[Row, None, None]:
        """Score in own processes, one thread watching each; rows in order."""
        effort = self._effort
        made = [
            Worker(model=self._model, time_limit=self._time_limit, store=self._store, effort=effort)
            for _ in range(self._jobs)
        ]
        idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in made:
            idle.put(worker)
        stopped = threading.Event()

        def score(path: str) -> Row:
            worker = idle.get()
            try:
                return worker.score(path)
            finally:
                idle.put(worker)

        def one(path: str) -> Row | None:
            return None if stopped.is_set() else self._finish(path, score)

        waiting: deque[Future[Row | None]] = deque()
        pool = ThreadPoolExecutor(self._jobs, thread_name_prefix="aidetect")
        try:
            waiting.extend(pool.submit(one, path) for path in islice(self._paths, _AHEAD * self._jobs))
            while waiting:
                row = waiting.popleft().result()
                waiting.extend(pool.submit(one, path) for path in islice(self._paths, 1))
                if row is not None:
                    yield row
        finally:
            stopped.set()
            for worker in made:
                worker.abandon() if waiting else worker.close()
            pool.shutdown(cancel_futures=True)

    def _elsewhere(self) -> Generator[Row, None, None]:
        """Score through joblib's active backend, chunk by chunk; rows in order."""
        from joblib import Parallel, delayed

        known: dict[str, Any] = {"model": self._model, "store": self._store, "effort": self._effort}
        with Parallel() as parallel:
            size = _CHUNK * max(1, parallel._effective_n_jobs())
            while chunk := list(islice(self._paths, size)):
                todo = [path for path in chunk if not self._known(path)]
                jobs = (delayed(score_row)(path, **known) for path in todo)
                scored = dict(zip(todo, parallel(jobs), strict=True)) if todo else {}
                for path in chunk:
                    yield self._finish(path, partial(self._scored, scored))

    def _scored(self, rows: Mapping[str, Row], path: str) -> Row:
        """Row of a file that came back, or of one that was thought to be known and is not."""
        return rows.get(path) or score_row(path, detector=self.detector, store=self._store, effort=self._effort)

    def _known(self, path: str) -> bool:
        try:
            stamp = Stamp.of(Path(path))
            return bool(self.journal.unchanged(path, stamp) or self.journal.same_content(digest_of(Path(path))))
        except AudioError:
            return True  # nothing to send anywhere


def score_batch(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    jobs: int = 1,
    model: str | os.PathLike[str] | None = None,
    resume: bool = False,
    time_limit: float | None = None,
    store: str | os.PathLike[str] | None = None,
    effort: Effort = "full",
) -> Iterator[Row]:
    """Score a folder, or the files of a list, into a table that survives interruptions.

    Parameters
    ----------
    source, include, exclude
        As in :func:`aidetect.catalogue.catalogue`.
    output, jobs, model, resume, time_limit, store, effort
        As in :class:`Batch`.

    Yields
    ------
    dict
        One row per file, keys :data:`aidetect.tables.COLUMNS`, in the order of the catalogue.
    """
    batch = Batch(
        catalogue(source, include=tuple(include), exclude=tuple(exclude)),
        output,
        jobs=jobs,
        model=model,
        resume=resume,
        time_limit=time_limit,
        store=store,
        effort=effort,
    )
    try:
        yield from batch
    finally:
        batch.close()


def model_key(model: str | None, effort: str = "full") -> str:
    """Tell models, extractors and efforts apart: rows of one are no rows of another."""
    path = Path(model) if model else default_model_path()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{digest[:32]}-v{EXTRACTOR_VERSION}-{__version__}-{effort}"


def _foreign_backend() -> bool:
    """Whether the user has chosen where joblib runs things."""
    from joblib.parallel import get_active_backend

    return type(get_active_backend()[0]).__name__ not in ("LokyBackend", "SequentialBackend", "MultiprocessingBackend")
