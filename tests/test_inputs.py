from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from aidetect import errors
from aidetect.inputs import take

DATA = b"RIFF" + bytes(range(256)) * 8


def test_what_is_learnt_from_a_path_and_from_a_file_object(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(DATA)
    by_path, by_object = take(path), take(io.BytesIO(DATA))
    assert (by_path.size, by_path.head) == (by_object.size, by_object.head) == (len(DATA), DATA[:64])
    assert (by_path.path, by_object.path) == (str(path), None)
    by_path.close()


def test_a_file_of_the_caller_stays_open() -> None:
    file = io.BytesIO(DATA)
    file.seek(17)
    item = take(file)
    item.close()
    assert not file.closed
    assert item.file.read() == DATA


def test_a_close_that_fails_loses_nothing() -> None:
    class Failing(io.BytesIO):
        def close(self) -> None:
            raise OSError("gone")

    item = take(io.BytesIO(DATA))
    item.file, item.own = Failing(DATA), True
    item.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(DATA,))
    writer.start()
    item = take(pipe)
    writer.join()
    assert item.file.read() == DATA
    item.close()


@pytest.mark.parametrize("given", [np.zeros(8), 7, b"bytes", None])
def test_what_is_no_file_is_refused(given: object) -> None:
    with pytest.raises(errors.UnsupportedAudioError):
        take(given)  # type: ignore[arg-type]


def test_text_mode_is_refused() -> None:
    with pytest.raises(errors.UnsupportedAudioError, match="binary"):
        take(io.StringIO("words"))  # type: ignore[arg-type]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device on this system")
def test_devices_are_refused() -> None:
    with pytest.raises(errors.NotAudioError, match="device"):
        take("/dev/zero")


def test_a_file_object_that_breaks_is_told_apart_from_a_bad_file() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("disk on fire")

    with pytest.raises(errors.FileMissingError, match="disk on fire"):
        take(Broken(DATA))
