"""Inputs: a path, pipe or file object becomes a seekable file with its first bytes read."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from .errors import AidetectError, EmptyFileError, FileMissingError, FolderError, NotAudioError, UnsupportedAudioError

__all__ = ["AudioInput", "in_words", "take"]

_SPOOL = 64 << 20  # a pipe is kept in memory up to here, in an unnamed temporary file beyond


@dataclass(slots=True)
class AudioInput:
    """The bytes to decode: a path or a seekable binary file, and what was learnt from looking at them."""

    name: str
    path: str | None
    file: BinaryIO
    own: bool  # whether `file` is ours to close
    size: int
    head: bytes

    def close(self) -> None:
        """Close the file if it is ours."""
        if self.own:
            with contextlib.suppress(OSError):  # nothing was written: a failing close loses nothing
                self.file.close()


@contextlib.contextmanager
def in_words(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the system says about a file into an AudioError, in words for people."""
    try:
        yield
    except IsADirectoryError:
        raise FolderError(f"{path}: this is a folder; give the audio files in it.") from None
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no file can have such a name
        raise FileMissingError(f"{path}: there is no such file; check the name.") from None
    except OSError as error:
        reason = error.strerror or error
        raise FileMissingError(f"{path}: the file cannot be read ({reason}); check its permissions.") from None


def take(source: str | os.PathLike[str] | BinaryIO) -> AudioInput:
    """Look at what was given and turn it into a path or a seekable file."""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if isinstance(path, str):
            return _take_path(path)
    if isinstance(source, np.ndarray):
        raise UnsupportedAudioError("an array was given where a file was expected; use open_array(y, sr).")
    if not callable(getattr(source, "read", None)):
        raise UnsupportedAudioError(
            f"a {type(source).__name__} was given where a path or a binary file object was expected; "
            "wrap bytes in io.BytesIO."
        )
    return _take_file(source)


def _take_path(path: str) -> AudioInput:
    with in_words(path):
        about = os.stat(path)
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISFIFO(about.st_mode)):
            raise NotAudioError(f"{path}: this is a device, not an audio file; give a file.")
        file = open(path, "rb")  # noqa: SIM115 - lives as long as the stream
    try:
        if stat.S_ISFIFO(about.st_mode):
            spooled = _spool(file, path)
            file.close()
            return _inspect(path, None, spooled, own=True)
        return _inspect(path, os.path.abspath(path), file, own=True)
    except BaseException:
        file.close()
        raise


def _take_file(file: BinaryIO) -> AudioInput:
    label = getattr(file, "name", None)
    name = label if isinstance(label, str) and label else "<memory>"
    try:
        seekable = bool(file.seekable())
        if seekable:
            file.seek(0)
    except Exception:  # an object without seekable(), or one that promised too much
        seekable = False
    if seekable:
        return _inspect(name, None, file, own=False)
    return _inspect(name, None, _spool(file, name), own=True)


def _spool(file: BinaryIO, name: str) -> BinaryIO:
    """Copy what cannot seek into something that can."""
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - lives as long as the stream
    try:
        while True:
            data = file.read(1 << 20)
            if not data:
                break
            spool.write(_binary(data, name))
    except BaseException as error:
        spool.close()
        if isinstance(error, AidetectError) or not isinstance(error, Exception):
            raise
        raise FileMissingError(f"{name}: reading failed ({error}); check where the data comes from.") from None
    return spool  # type: ignore[return-value]


def _binary(data: object, name: str) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise UnsupportedAudioError(f"{name}: the file was opened as text; open it in binary mode ('rb').")


def _inspect(name: str, path: str | None, file: BinaryIO, *, own: bool) -> AudioInput:
    try:
        file.seek(0)
        head = _binary(file.read(64), name)
        size = file.seek(0, io.SEEK_END)
        if not isinstance(size, int):
            size = file.tell()
        file.seek(0)
    except AidetectError:
        raise
    except Exception as error:
        raise FileMissingError(f"{name}: reading failed ({error}); check the file and its disk.") from None
    if not head:
        raise EmptyFileError(f"{name}: the file is empty (0 bytes); get a fresh copy.")
    return AudioInput(name=name, path=path, file=file, own=own, size=size, head=head)
