"""Features on disk: one small file a track, found again by what the audio *is*, not by what it is called."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from types import MappingProxyType

import numpy as np

from .extraction import EXTRACTOR_VERSION, TrackFeatures
from .features import describe_features

__all__ = ["FeatureStore", "content_key", "pack", "unpack"]


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
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            values, details, modulation = file["values"], file["details"], file["modulation"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    names = [feature.name for feature in describe_features()]
    if about.get("extractor") != EXTRACTOR_VERSION or about.get("features") != names or len(values) != len(names):
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
    )


class FeatureStore:
    """A folder of packed features.

    Parameters
    ----------
    folder : path
        Made where it does not exist. Several processes may share it: files appear whole or not at all.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def get(self, key: str) -> TrackFeatures | None:
        """Return what was stored under `key`, or None."""
        try:
            return unpack(self._path(key).read_bytes())
        except OSError:
            return None

    def put(self, key: str, track: TrackFeatures) -> None:
        """Store `track` under `key`."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(pack(track))
        os.replace(temporary, path)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"
