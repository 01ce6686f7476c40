"""Feature tables: labelled tracks turned into numbers, kept as arrays and JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import grain, simulation, transforms, transients
from .analysis import GRID
from .decoding import open_audio
from .errors import AidetectError, LabelsError, OutputError
from .experts import Views
from .extraction import EXTRACTOR_VERSION, Effort, TrackFeatures, extract, extract_array
from .features import describe_features
from .inputs import in_words
from .labels import LabelledTrack, distinct, path_of, read_labels
from .modulation import RATES
from .store import FeatureStore, content_key, make_folder

__all__ = [
    "FeatureTable",
    "build_table",
    "concatenate",
    "excerpt",
    "load_table",
    "measure",
    "save_table",
    "table_of",
]

Floats = npt.NDArray[np.float32]

EXCERPT_SECONDS = (12.0, 30.0)
"""Shortest and longest excerpt that an augmented copy is made of."""
SIMULATED_SECONDS = (6.0, 10.0)
"""The same for a simulated decoder, which is slow."""
SIMULATED = "simulated"
"""Label of people's music that went through a simulated decoder."""
COMPARED = frozenset(feature.name for feature in (*transients.FEATURES, *grain.FEATURES))
"""Features that twins are compared by; of others nothing is kept of them."""
# Extractors under which the alterations in the shipped table were drawn: a newer one draws the same.
_DRAWN = {"aug": 4, "sim": 3}
_SHARD_ROWS = 1500
_TWINS = "twins"


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
    twins : FeatureTable, optional
        Excerpts of people's tracks after a simulated decoder (label ``simulated``) and, otherwise the same, without it.
        Only `values` are kept of them.
    """

    values: Floats
    details: npt.NDArray[np.int8]
    modulation: npt.NDArray[np.int8]
    rows: tuple[dict[str, str], ...]
    twins: FeatureTable | None = None

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
        """Return the rows that a mask or an array of numbers selects; `twins` stay."""
        indices = np.flatnonzero(which) if which.dtype == bool else which
        return FeatureTable(
            self.values[indices],
            self.details[indices],
            self.modulation[indices],
            tuple(self.rows[i] for i in indices),
            self.twins,
        )

    def digest(self) -> str:
        """SHA-256 over the numbers and labels, as hexadecimal digits."""
        found = hashlib.sha256()
        found.update(np.ascontiguousarray(self.values.astype(np.float16)).tobytes())
        found.update(np.ascontiguousarray(self.details).tobytes())
        found.update(np.ascontiguousarray(self.modulation).tobytes())
        found.update(json.dumps([[row.get(k, "") for k in ("id", "label", "source")] for row in self.rows]).encode())
        if self.twins is not None:
            found.update(self.twins.digest().encode())
        return found.hexdigest()

    def plain_digest(self) -> str:
        """Digest of the tracks as they are, however many altered copies and twins there are beside them."""
        return replace(self.take(self.column("variant") == ""), twins=None).digest()


def concatenate(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Put tables below each other."""
    twins = [t.twins for t in tables if t.twins is not None]
    return FeatureTable(
        np.concatenate([t.values for t in tables]),
        np.concatenate([t.details for t in tables]),
        np.concatenate([t.modulation for t in tables]),
        tuple(row for t in tables for row in t.rows),
        concatenate(twins) if twins else None,
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
        :func:`aidetect.transforms.draw`, both fixed by the file's content and N; ``sim<N>`` for one passed through a
        simulated decoder (:func:`aidetect.simulation.draw_simulation`), ``twin<N>`` for the same without the decoder.
    store : FeatureStore, optional
        Where results are looked up and kept.
    effort : str
        As in :func:`aidetect.score`; variants are short and always measured in full.

    Raises
    ------
    AudioError
        The file cannot be measured.
    """
    name = "fast" if effort == "fast" and not variant else variant
    with in_words(path):
        key = content_key(path, name) if store is not None or variant else ""
    found = store.get(key) if store is not None else None
    if found is not None:
        return found
    if variant:
        track = _measure_variant(path, variant)
    else:
        track = extract(path, effort=effort)
    if store is not None:
        store.put(key, track)
    return track


def _measure_variant(path: str | os.PathLike[str], variant: str) -> TrackFeatures:
    drawn = variant.replace("twin", "sim")
    seed = f"{content_key(path).partition('-')[0]}-v{_DRAWN[drawn[:3]]}-{drawn}"
    rng = np.random.default_rng(int(hashlib.sha256(seed.encode()).hexdigest()[:15], 16))
    if variant.startswith("aug"):
        y, rate = excerpt(path, seconds=float(rng.uniform(*EXCERPT_SECONDS)), position=float(rng.random()))
        return extract_array(*transforms.draw(rng).apply(y, rate), name=Path(path).name)
    y, rate = excerpt(path, seconds=float(rng.uniform(*SIMULATED_SECONDS)), position=float(rng.random()))
    kind, transform = simulation.draw_simulation(rng, decode=variant.startswith("sim"))
    return extract_array(*transform.apply(y, rate), name=kind)


def table_of(
    labels: str | os.PathLike[str] | Sequence[LabelledTrack],
    *,
    augment: int = 0,
    simulate: int = 0,
    store: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    report: Callable[[str], None] | None = None,
    progress: Callable[[Any, int], Any] = lambda items, total: items,
) -> FeatureTable:
    """Measure labelled tracks, or read a saved table; parameters as in :func:`aidetect.train`."""
    if isinstance(labels, str | os.PathLike):
        if path_of(labels).is_dir():
            return load_table(labels)
        labels = read_labels(labels)
    else:
        labels = distinct(labels)
    kept = FeatureStore(make_folder(store)) if store is not None else None
    variants = ("", *(f"aug{i + 1}" for i in range(augment)))
    return build_table(
        labels, variants=variants, simulations=simulate, store=kept, jobs=jobs, report=report, progress=progress
    )


def build_table(
    tracks: Sequence[LabelledTrack],
    *,
    variants: Sequence[str] = ("",),
    simulations: int = 0,
    store: FeatureStore | None = None,
    jobs: int = 1,
    report: Callable[[str], None] | None = None,
    progress: Callable[[Iterable[object], int], Iterable[object]] = lambda items, total: items,
) -> FeatureTable:
    """Measure labelled tracks.

    Parameters
    ----------
    tracks : sequence of LabelledTrack
        What to measure.
    variants : sequence of str
        As in :func:`measure`; every track is measured once for each.
    simulations : int
        Pairs of `twins` made of every human track.
    store : FeatureStore, optional
        Cache.
    jobs : int
        Processes.
    report : callable, optional
        Called with one line for everything that cannot be measured and is left out. Without it, one warning tells how
        many tracks that is and what is wrong with the first.
    progress : callable
        ``progress(items, total)`` wraps the iterator of finished tracks.

    Raises
    ------
    LabelsError
        No track could be measured.
    """
    from joblib import Parallel, delayed

    tasks = [(track, variant) for track in tracks for variant in variants]
    pairs = [f"{side}{i + 1}" for i in range(simulations) for side in ("sim", "twin")]
    tasks += [(track, variant) for track in tracks if track.label == "human" for variant in pairs]
    results = Parallel(n_jobs=jobs, return_as="generator", batch_size=4 if len(tasks) > 100 else 1)(
        delayed(_measure_quietly)(track.path, variant, store) for track, variant in tasks
    )
    found, twins = _Rows(), _Rows()
    left_out: dict[Path, str] = {}
    for (track, variant), result in zip(tasks, progress(results, len(tasks)), strict=True):
        if isinstance(result, TrackFeatures):
            (twins if variant in pairs else found).add(track, variant, result)
        else:
            left_out.setdefault(track.path, str(result))
            if report is not None:
                report(str(result))
    if not found.rows:
        why = f"; the first: {next(iter(left_out.values()))}" if left_out else "."
        raise LabelsError(f"none of the labelled tracks could be measured{why}")
    if left_out and report is None:
        count, first = len(left_out), next(iter(left_out.values()))
        warnings.warn(f"{count} of {len(tracks)} tracks left out; the first: {first}", stacklevel=2)
    return replace(found.table(), twins=_values_only(twins.table()) if twins.rows else None)


class _Rows:
    """Rows of a table that grows."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self._parts: list[tuple[npt.NDArray[np.float16], npt.NDArray[np.int8], npt.NDArray[np.int8]]] = []

    def add(self, track: LabelledTrack, variant: str, features: TrackFeatures) -> None:
        values = np.array(list(features.values.values()), dtype=np.float16)
        self._parts.append((values, features.details, features.modulation))
        self.rows.append(_row(track, variant, features))

    def table(self) -> FeatureTable:
        values, details, modulation = (np.array(part) for part in zip(*self._parts, strict=True))
        return FeatureTable(values.astype(np.float32), details, modulation, tuple(self.rows))


def _values_only(table: FeatureTable) -> FeatureTable:
    """Keep of twins what is compared: their texture. The rest would only take room."""
    unused = [feature.name not in COMPARED for feature in describe_features()]
    values = table.values.copy()
    values[:, unused] = np.nan
    blank = {name: np.zeros_like(getattr(table, name)) for name in ("details", "modulation")}
    return replace(table, values=values, **blank)


def _measure_quietly(path: Path, variant: str, store: FeatureStore | None) -> TrackFeatures | str:
    try:
        return measure(path, variant=variant, store=store)
    except OutputError:  # of the store: no fault of the track, so it must not be left out for it
        raise
    except AidetectError as error:
        return str(error)


def _row(track: LabelledTrack, variant: str, features: TrackFeatures) -> dict[str, str]:
    simulated = variant.startswith("sim")
    return {
        "id": track.id,
        "label": SIMULATED if simulated else track.label,
        "source": track.source,
        "group": track.group,
        "generator": features.name if simulated else track.generator,
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

    Twins go to files of their own, ``twins-00.npz`` and on.

    Returns
    -------
    list of Path
        The files written, ``<name>-00.npz`` and on.

    Raises
    ------
    OutputError
        The folder cannot be written into.
    """
    folder = make_folder(folder)
    try:
        return _save(table, folder, name)
    except OSError as error:
        raise OutputError(f"{folder}: the table cannot be written there ({error.strerror or error}).") from None


def _save(table: FeatureTable, folder: Path, name: str) -> list[Path]:
    for old in (*_shards(folder, name), *_shards(folder, _TWINS)):  # twins are written after what they belong to
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
    if table.twins is not None:
        paths += _save(table.twins, folder, _TWINS)
    return paths


def _shards(folder: Path, name: str) -> list[Path]:
    numbered = re.compile(rf"{re.escape(name)}-(\d+)\.npz")
    found = [(int(match[1]), path) for path in folder.glob("*.npz") if (match := numbered.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


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
    paths = _shards(folder, name)
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
                extractor, features, rows = about["extractor"], about["features"], about["rows"]
        except Exception as error:  # whatever a damaged archive makes numpy, zipfile, lzma or json raise
            raise LabelsError(f"{path}: damaged feature table ({type(error).__name__}: {error}).") from None
        if extractor != EXTRACTOR_VERSION or features != names:
            raise LabelsError(f"{path}: measured by another version of aidetect; extract the features again.")
        shapes = (values.shape, details.shape, modulation.shape)
        if shapes != tuple((len(rows), width) for width in (len(names), len(GRID), len(RATES))):
            raise LabelsError(f"{path}: damaged feature table (shapes).")
        parts.append(FeatureTable(values, details, modulation, tuple(rows)))
    has_twins = name != _TWINS and bool(_shards(folder, _TWINS))
    return replace(concatenate(parts), twins=load_table(folder, name=_TWINS) if has_twins else None)
