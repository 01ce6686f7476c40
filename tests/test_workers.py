from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidetect.errors import AidetectError
from aidetect.workers import Worker, receive, send

# A child that does as the file's name says, and prints in between as native decoders do.
CHILD = """
import os, signal, sys, time
from aidetect.workers import receive, send
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
receive(sys.stdin.buffer)
send(out, {"ready": True})
while (message := receive(sys.stdin.buffer)) is not None:
    print("chatter", flush=True)
    name = message["path"]
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hang":
        time.sleep(60)
    if name == "garbage":
        out.write(b"\\xff" * 100)
        out.flush()
        sys.exit(3)
    send(out, {"path": name, "error": None, "pid": os.getpid()})
"""


@pytest.fixture
def worker() -> Worker:
    return Worker(time_limit=1.0, command=[sys.executable, "-c", CHILD])


def test_one_process_scores_file_after_file(worker: Worker) -> None:
    one, two = worker.score("a"), worker.score("b")
    assert (one["path"], two["path"]) == ("a", "b")
    assert one["pid"] == two["pid"]
    assert worker.close() == 0


def test_a_process_that_dies_costs_one_row_and_is_replaced(worker: Worker) -> None:
    died = worker.score("crash")
    assert "SIGSEGV" in died["error"]
    assert died["passing"]
    assert worker.score("a")["error"] is None
    assert "exit status 3" in worker.score("garbage")["error"]
    assert worker.score("b")["error"] is None
    worker.close()


def test_a_file_that_takes_too_long_is_stopped(worker: Worker) -> None:
    start = time.monotonic()
    late = worker.score("hang")
    assert "longer than 1 s" in late["error"]
    assert late["passing"]
    assert time.monotonic() - start < 20.0
    assert worker.score("a")["error"] is None
    worker.close()


def test_a_process_that_never_starts_is_told() -> None:
    with pytest.raises(AidetectError, match="cannot be started"):
        Worker(command=[sys.executable, "-c", "raise SystemExit(7)"]).score("a")


def test_the_real_child_scores(song_path: Path, tmp_path: Path) -> None:
    worker = Worker(store=str(tmp_path / "store"))
    row = worker.score(str(song_path))
    assert row["error"] is None
    assert 0.0 <= row["probability"] <= 1.0
    assert len(list((tmp_path / "store").rglob("*.npz"))) == 1
    assert worker.score(str(song_path)) == row
    assert "no such file" in worker.score(str(tmp_path / "none.mp3"))["error"]
    worker.close()


# The real child with nothing to load or to measure.
QUICK = """
from aidetect import batch, detector, workers
detector.Detector.load = classmethod(lambda cls, path=None: None)
batch.score_row = lambda path, **_: {"path": path}
raise SystemExit(workers.main())
"""


@pytest.mark.parametrize("answers", [0, 1], ids=["before it is ready", "with a file in hand"])
def test_a_child_whose_parent_was_killed_ends_quietly(answers: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", QUICK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    send(child.stdin, {})
    for _ in range(answers):
        assert receive(child.stdout) == {"ready": True}
    child.stdout.close()
    if answers:
        send(child.stdin, {"path": "a"})
    assert child.wait(timeout=60.0) == 0
    assert child.stderr is not None
    assert child.stderr.read() == b""
    for pipe in (child.stdin, child.stderr):
        pipe.close()


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.floats(allow_nan=False)))
def test_messages_come_back(message: dict[str, object]) -> None:
    stream = io.BytesIO()
    send(stream, message)
    stream.seek(0)
    assert receive(stream) == message
    assert receive(stream) is None


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    found = receive(io.BytesIO(data))
    assert found is None or isinstance(found, dict)
