"""Features on disk: one small file a track, found again by what the audio *is*, not by what it is called."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .analysis import GRID
from .errors import OutputError
from .extraction import EXTRACTOR_VERSION, TrackFeatures
from .features import describe_features
from .modulation import RATES

__all__ = ["LIMIT", "FeatureStore", "content_key", "make_folder", "pack", "unpack"]


LIMIT = 20 * 10**9
"""Bytes a store may grow to: about a million tracks."""
_TRIM_SHARE = 1 / 512
_OWN = re.compile(r"[0-9a-f]{64}-v\d+(-.+)?\.(npz|part)")  # a key of content_key, or what a killed process left of one


def content_key(path: str | os.PathLike[str], variant: str = "") -> str:
    """Key of a file's features: SHA-256 of its bytes, the extractor's version, and a variant's name.

    Parameters
    ----------
    path : path
        An existing file.
    variant : str
        Name of what was done to the audio before it was measured; empty for the file as it is.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{digest}-v{EXTRACTOR_VERSION}" + (f"-{variant}" if variant else "")


def pack(track: TrackFeatures) -> bytes:
    """Serialise features to arrays and JSON; no pickle."""
    about = {
        "name": track.name,
        "duration": track.duration,
        "sample_rate": track.sample_rate,
        "channels": track.channels,
        "codec": track.codec,
        "warnings": list(track.warnings),
        "features": list(track.values),
        "extractor": EXTRACTOR_VERSION,
        "effort": track.effort,
    }
    out = io.BytesIO()
    np.savez_compressed(
        out,
        about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8),
        values=np.array(list(track.values.values()), dtype=np.float32),
        details=track.details,
        modulation=track.modulation,
    )
    return out.getvalue()


def unpack(data: bytes) -> TrackFeatures | None:
    """Undo :func:`pack`; None where `data` is damaged or of another extractor."""
    names = [feature.name for feature in describe_features()]
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if file.zip.testzip() is not None:  # numpy stops before the checksum where a damaged header promises less
                return None
            about = json.loads(file["about"].tobytes())
            values, details, modulation = file["values"], file["details"], file["modulation"]
        if about["extractor"] != EXTRACTOR_VERSION or about["features"] != names:
            return None
        if (values.shape, details.shape, modulation.shape) != ((len(names),), (len(GRID),), (len(RATES),)):
            return None
        return TrackFeatures(
            name=about["name"],
            duration=about["duration"],
            sample_rate=about["sample_rate"],
            channels=about["channels"],
            codec=about["codec"],
            values=MappingProxyType(dict(zip(names, values.tolist(), strict=True))),
            details=details,
            modulation=modulation,
            warnings=tuple(about["warnings"]),
            effort=about.get("effort", "full"),
        )
    except Exception:  # whatever a foreign or damaged archive makes numpy, zipfile, zlib or json raise
        return None


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Make a folder where there is none, and try whether files can be written into it.

    Raises
    ------
    OutputError
        It cannot be made, or not be written into.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"\0")
    except FileExistsError:
        raise OutputError(f"{folder}: this is a file; give a folder to write into.") from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder}: nothing can be written into this folder ({error.strerror or error}).")


class FeatureStore:
    """A folder of packed features.

    Parameters
    ----------
    folder : path
        Made where it does not exist. Several processes may share it: files appear whole or not at all.
    limit : int
        Bytes it may grow to; what was used longest ago goes first. Looked at once in a few hundred new tracks.
    """

    def __init__(self, folder: str | os.PathLike[str], *, limit: int = LIMIT) -> None:
        self.folder = Path(folder)
        self._limit = limit

    def get(self, key: str) -> TrackFeatures | None:
        """Return what was stored under `key`, or None."""
        path = self._path(key)
        try:
            found = unpack(path.read_bytes())
        except OSError:
            return None
        try:
            os.utime(path)  # used just now
        except OSError:  # a shared store that may only be read serves as well
            pass
        return found

    def put(self, key: str, track: TrackFeatures) -> None:
        """Store `track` under `key`; raises OutputError where it cannot be written."""
        path = self._path(key)
        data = pack(track)
        try:
            self._write(path, data)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        if random.random() < _TRIM_SHARE:  # no counter, so that many short-lived processes keep the bound as well
            self.trim(self._limit)

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except FileNotFoundError:  # another process has just cleared the store
            pass
        except OSError:  # a full disk: leave no half of a file there
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def usage(self) -> tuple[int, int]:
        """Number of tracks, and bytes."""
        files = list(self._files())
        return sum(path.suffix == ".npz" for _, _, path in files), sum(size for _, size, _ in files)

    def trim(self, limit: int) -> int:
        """Remove what was used longest ago until at most `limit` bytes are left; returns how many tracks went."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        gone = 0
        for _, size, path in files:
            if total <= limit:
                break
            path.unlink(missing_ok=True)
            total -= size
            gone += path.suffix == ".npz"
        return gone

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each was last used, its bytes, its path; files that are not the store's own stay out of it."""
        for path in self.folder.glob("??/*"):
            if not _OWN.fullmatch(path.name) or path.parent.name != path.name[:2]:
                continue
            try:
                found = path.stat()
            except OSError:  # another process removed it
                continue
            yield found.st_mtime, found.st_size, path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"
