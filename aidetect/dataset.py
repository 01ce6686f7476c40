"""Feature tables: labelled tracks turned into numbers, kept as arrays and JSON."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import transforms
from .analysis import GRID
from .decoding import open_audio
from .errors import AidetectError, LabelsError
from .experts import Views
from .extraction import EXTRACTOR_VERSION, Effort, TrackFeatures, extract, extract_array
from .features import describe_features
from .labels import LabelledTrack
from .modulation import RATES
from .store import FeatureStore, content_key

__all__ = ["FeatureTable", "build_table", "excerpt", "load_table", "measure", "save_table"]

Floats = npt.NDArray[np.float32]

EXCERPT_SECONDS = (12.0, 30.0)
"""Shortest and longest excerpt that an augmented copy is made of."""
_SHARD_ROWS = 1500


@dataclass(frozen=True)
class FeatureTable:
    """Features of many tracks.

    Attributes
    ----------
    values : ndarray of float32, shape (tracks, features)
        Columns in the order of :func:`aidetect.describe_features`.
    details : ndarray of int8, shape (tracks, len(GRID))
        As in :class:`~aidetect.extraction.TrackFeatures`.
    modulation : ndarray of int8, shape (tracks, len(RATES))
        As in :class:`~aidetect.extraction.TrackFeatures`.
    rows : tuple of dict
        What is known about each: ``id, label, source, group, generator, artist, title, genre, vocals, codec, channels,
        sample_rate, proof, variant, seconds`` and the file's ``kilobits`` per second.
    """

    values: Floats
    details: npt.NDArray[np.int8]
    modulation: npt.NDArray[np.int8]
    rows: tuple[dict[str, str], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """Return one entry of every row."""
        return np.array([row.get(name, "") for row in self.rows], dtype=np.str_)

    def seconds(self) -> Floats:
        """Return the length of every track."""
        return np.array([float(row["seconds"]) for row in self.rows], dtype=np.float32)

    def views(self) -> Views:
        """Return what experts look at."""
        return Views(self.values, self.details, self.modulation)

    def take(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> FeatureTable:
        """Return the rows that a mask or an array of numbers selects."""
        indices = np.flatnonzero(which) if which.dtype == bool else which
        return FeatureTable(
            self.values[indices],
            self.details[indices],
            self.modulation[indices],
            tuple(self.rows[i] for i in indices),
        )

    def digest(self) -> str:
        """SHA-256 over the numbers and labels, as hexadecimal digits."""
        found = hashlib.sha256()
        found.update(np.ascontiguousarray(self.values.astype(np.float16)).tobytes())
        found.update(np.ascontiguousarray(self.details).tobytes())
        found.update(np.ascontiguousarray(self.modulation).tobytes())
        found.update(json.dumps([[row.get(k, "") for k in ("id", "label", "source")] for row in self.rows]).encode())
        return found.hexdigest()


def concatenate(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Put tables below each other."""
    return FeatureTable(
        np.concatenate([t.values for t in tables]),
        np.concatenate([t.details for t in tables]),
        np.concatenate([t.modulation for t in tables]),
        tuple(row for t in tables for row in t.rows),
    )


def excerpt(path: str | os.PathLike[str], *, seconds: float, position: float) -> tuple[Floats, int]:
    """Decode a part of a file.

    Parameters
    ----------
    path : path
        Audio file.
    seconds : float
        Length wanted, s; the whole file where it is shorter.
    position : float
        Where it lies: 0 is the beginning, 1 the end.

    Returns
    -------
    y : ndarray, shape (channels, n)
    rate : int
    """
    with open_audio(path) as stream:
        y = np.concatenate(list(stream.blocks()), axis=1)
        length = min(y.shape[1], round(seconds * stream.rate))
        start = round(position * (y.shape[1] - length))
        return y[:, start : start + length], stream.rate


def measure(
    path: str | os.PathLike[str], *, variant: str = "", store: FeatureStore | None = None, effort: Effort = "full"
) -> TrackFeatures:
    """Measure a track, or an altered excerpt of it.

    Parameters
    ----------
    path : path
        Audio file.
    variant : str
        Empty for the file as it is; ``aug<N>`` for a random excerpt passed through a random chain of
        :func:`aidetect.transforms.draw`, both fixed by the file's content and N.
    store : FeatureStore, optional
        Where results are looked up and kept.
    effort : str
        As in :func:`aidetect.score`; variants are short and always measured in full.
    """
    name = "fast" if effort == "fast" and not variant else variant
    key = content_key(path, name) if store is not None or variant else ""
    found = store.get(key) if store is not None else None
    if found is not None:
        return found
    if variant:
        rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:15], 16))
        y, rate = excerpt(path, seconds=float(rng.uniform(*EXCERPT_SECONDS)), position=float(rng.random()))
        track = extract_array(*transforms.draw(rng).apply(y, rate), name=Path(path).name)
    else:
        track = extract(path, effort=effort)
    if store is not None:
        store.put(key, track)
    return track


def build_table(
    tracks: Sequence[LabelledTrack],
    *,
    variants: Sequence[str] = ("",),
    store: FeatureStore | None = None,
    jobs: int = 1,
    report: Callable[[str], None] = lambda message: None,
    progress: Callable[[Iterable[object], int], Iterable[object]] = lambda items, total: items,
) -> FeatureTable:
    """Measure labelled tracks.

    Parameters
    ----------
    tracks : sequence of LabelledTrack
        What to measure.
    variants : sequence of str
        As in :func:`measure`; every track is measured once for each.
    store : FeatureStore, optional
        Cache.
    jobs : int
        Processes.
    report : callable
        Called with one line for every track that cannot be measured; it is left out.
    progress : callable
        ``progress(items, total)`` wraps the iterator of finished tracks.

    Raises
    ------
    LabelsError
        No track could be measured.
    """
    from joblib import Parallel, delayed

    tasks = [(track, variant) for track in tracks for variant in variants]
    results = Parallel(n_jobs=jobs, return_as="generator", batch_size=4 if len(tasks) > 100 else 1)(
        delayed(_measure_quietly)(track.path, variant, store) for track, variant in tasks
    )
    values, details, modulation, rows = [], [], [], []
    for (track, variant), result in zip(tasks, progress(results, len(tasks)), strict=True):
        if not isinstance(result, TrackFeatures):
            report(str(result))
            continue
        values.append(np.array(list(result.values.values()), dtype=np.float16))
        details.append(result.details)
        modulation.append(result.modulation)
        rows.append(_row(track, variant, result))
    if not rows:
        raise LabelsError("none of the labelled tracks could be measured.")
    return FeatureTable(np.array(values, dtype=np.float32), np.array(details), np.array(modulation), tuple(rows))


def _measure_quietly(path: Path, variant: str, store: FeatureStore | None) -> TrackFeatures | str:
    try:
        return measure(path, variant=variant, store=store)
    except AidetectError as error:
        return str(error)


def _row(track: LabelledTrack, variant: str, features: TrackFeatures) -> dict[str, str]:
    return {
        "id": track.extra.get("id") or track.path.name,
        "label": track.label,
        "source": track.source,
        "group": track.group,
        "generator": track.generator,
        "artist": track.artist,
        "title": track.extra.get("title", ""),
        "genre": track.extra.get("genre", ""),
        "vocals": track.vocals,
        "codec": track.codec or features.codec,
        "channels": str(features.channels),
        "sample_rate": str(features.sample_rate),
        "proof": track.extra.get("proof", ""),
        "kilobits": f"{8e-3 * track.path.stat().st_size / max(features.duration, 1.0):.0f}",
        "variant": variant,
        "seconds": f"{features.duration:.1f}",
    }


# ---------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------


def save_table(table: FeatureTable, folder: str | os.PathLike[str], *, name: str = "features") -> list[Path]:
    """Write a table as numbered ``.npz`` files of arrays and JSON.

    Returns
    -------
    list of Path
        The files written, ``<name>-00.npz`` and on.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}-[0-9][0-9].npz"):
        old.unlink()
    paths = []
    names = [feature.name for feature in describe_features()]
    for number, start in enumerate(range(0, len(table), _SHARD_ROWS)):
        part = slice(start, start + _SHARD_ROWS)
        about = {"extractor": EXTRACTOR_VERSION, "features": names, "rows": table.rows[part]}
        arrays: dict[str, npt.NDArray[Any]] = {
            "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
            "values": table.values[part].astype(np.float16),
            "details": table.details[part],
            "modulation": table.modulation[part],
        }
        path = folder / f"{name}-{number:02d}.npz"
        _write_arrays(path, arrays)
        paths.append(path)
    return paths


def _write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an ``.npz`` file compressed by LZMA, an eighth smaller than what :func:`numpy.savez_compressed` makes."""
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def load_table(folder: str | os.PathLike[str], *, name: str = "features") -> FeatureTable:
    """Read what :func:`save_table` wrote.

    Raises
    ------
    LabelsError
        Missing, damaged, or measured by another version of the extractor.
    """
    folder = Path(folder)
    paths = sorted(folder.glob(f"{name}-[0-9][0-9].npz"))
    if not paths:
        raise LabelsError(f"{folder}: no feature table '{name}' in it.")
    names = [feature.name for feature in describe_features()]
    parts = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes())
                values = file["values"].astype(np.float32)
                details, modulation = file["details"], file["modulation"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise LabelsError(f"{path}: damaged feature table ({error}).") from None
        if about.get("extractor") != EXTRACTOR_VERSION or about.get("features") != names:
            raise LabelsError(f"{path}: measured by another version of aidetect; extract the features again.")
        shapes = (details.shape, modulation.shape)
        if shapes != ((len(about["rows"]), len(GRID)), (len(about["rows"]), len(RATES))):
            raise LabelsError(f"{path}: damaged feature table (shapes).")
        parts.append(FeatureTable(values, details, modulation, tuple(about["rows"])))
    return concatenate(parts)
