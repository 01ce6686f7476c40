"""Model files: a zip archive of plain arrays and one JSON text. Nothing in them is ever executed."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError, OutputError

__all__ = ["FORMAT", "check_destination", "model_folder", "read_model", "write_model"]

FORMAT = 5
"""Version of the layout; older ones stay readable. Those before 3 know nothing of signatures, those of format 3 no
limit to what a part of one may add, those before 4 undo no change of speed, and those before 5 have one threshold for
all short tracks and signatures that never abstain."""

_KIND = "aidetect-model"
_LARGEST = 256 << 20  # bytes unpacked: a small file must not fill the memory


def model_folder() -> Path:
    """Return the folder of the models that come with the library."""
    inside = Path(str(resources.files("aidetect") / "models"))
    beside = Path(__file__).resolve().parents[1] / "models"  # in a checkout, or an editable installation
    return inside if inside.is_dir() else beside


def check_destination(path: str | os.PathLike[str]) -> None:
    """Try whether a model can be written to a place, before hours go into making it.

    Raises
    ------
    OutputError
        It cannot, or something else than a file is there.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # a folder; a device, which would be replaced
            raise OutputError(f"{path}: this is no regular file; give the name of the model file to write.")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: the model cannot be written there ({error.strerror or error}).")


def write_model(path: str | os.PathLike[str], about: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path : path
        Where to.
    about : mapping
        JSON-ready description.
    arrays : mapping of str to ndarray
        Numeric arrays.

    Raises
    ------
    OutputError
        The place cannot be written to.
    """
    path = Path(path)
    text = json.dumps({"kind": _KIND, "format": FORMAT, **about}, sort_keys=True, allow_nan=False).encode()
    everything: dict[str, Any] = {"about.json": np.frombuffer(text, dtype=np.uint8), **arrays}
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(file, **everything)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _unwritable(path, error) from None


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read a model file.

    Returns
    -------
    about : dict
    arrays : dict of str to ndarray

    Raises
    ------
    ModelFileError
        Missing, damaged, not a model, or of a newer format.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: the model cannot be read ({error.strerror or error}).") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > _LARGEST:
                raise ModelFileError(f"{path}: unpacks to more than {_LARGEST >> 20} MB; no model of aidetect does.")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(arrays.pop("about.json").tobytes())
    except ModelFileError:
        raise
    except Exception as error:  # whatever a foreign or damaged archive makes numpy, zipfile or json raise
        raise ModelFileError(f"{path}: not a model file of aidetect, or damaged ({type(error).__name__}).") from None
    if not isinstance(about, dict) or about.get("kind") != _KIND or not isinstance(about.get("format"), int):
        raise ModelFileError(f"{path}: not a model file of aidetect.")
    if about["format"] > FORMAT:
        raise ModelFileError(f"{path}: made by a newer aidetect (format {about['format']}); upgrade to read it.")
    return about, arrays
