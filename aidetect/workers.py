"""Processes that score one file at a time and may be killed: by a time limit, by a file that crashes a decoder.

Parent and child speak JSON, each message after its length in four bytes. A child reads files of strangers, so the
parent takes nothing from it but plain data.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from .errors import AidetectError
from .terminal import hush

__all__ = ["Worker", "receive", "send"]

_LENGTH = struct.Struct(">I")
_LONGEST = 16 * 1024 * 1024  # bytes of a message
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def send(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Write one message."""
    data = json.dumps(message).encode()
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one message; None at the end of the stream, or where what comes is no message."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LONGEST:
        return None
    data = stream.read(length)
    try:
        message = json.loads(data) if len(data) == length else None
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


class Worker:
    """A child process, started when first needed and again after it died.

    Parameters
    ----------
    model : str or None
        Path of a model file; None for the one that comes with the library.
    time_limit : float or None
        Seconds a file may take, the start of the process not counted.
    store : str, optional
        Folder of features by content.
    effort : str
        As in :func:`aidetect.score`.
    command : sequence of str, optional
        What to start instead (for tests).
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        time_limit: float | None = None,
        store: str | None = None,
        effort: str = "full",
        command: Sequence[str] = (sys.executable, "-m", "aidetect.workers"),
    ) -> None:
        self._command = tuple(command)
        self._setup = {"model": model, "store": store, "effort": effort}
        self._time_limit = time_limit
        self._child: subprocess.Popen[bytes] | None = None
        self._abandoned = False

    def score(self, path: str) -> dict[str, Any]:
        """Score a file into a row, as :func:`aidetect.batch.score_row` does.

        A child that dies, or takes too long, makes a row with an error that may pass.

        Raises
        ------
        AidetectError
            A child cannot even be started, so that no file could be scored.
        """
        child = self._running()
        stdin, stdout = _pipes(child)
        watch = _Watch(child, self._time_limit)
        try:
            send(stdin, {"path": path})
            row = receive(stdout)
        except OSError:
            row = None
        late = watch.end()
        if row is not None and not late:
            return row
        cause = _cause(self.close())
        error = (
            f"{path}: took longer than {self._time_limit:g} s and was stopped; give it more time with --time-limit."
            if late
            else f"{path}: the process that read it died ({cause}); the file is unsafe."
        )
        return {"path": path, "error": error, "passing": True}

    def close(self) -> int:
        """End the child; returns its exit status."""
        child, self._child = self._child, None
        if child is None:
            return 0
        for stream in (child.stdin, child.stdout):
            try:
                if stream:
                    stream.close()
            except OSError:  # it died with a message half written
                pass
        try:
            return child.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def abandon(self) -> None:
        """End the child at once, whatever it is doing, and start no other."""
        self._abandoned = True
        child = self._child
        if child is not None:
            child.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        if self._abandoned:
            raise AidetectError("stopped.")
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
        # A session of its own: Ctrl-C is the parent's to handle.
        child = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        stdin, stdout = _pipes(child)
        try:
            send(stdin, self._setup)
            ready = (receive(stdout) or {}).get("ready") is True
        except OSError:  # it is gone already
            ready = False
        if not ready:
            child.kill()
            raise AidetectError(
                f"a scoring process cannot be started ({_cause(child.wait())}); what it wrote above says why."
            )
        self._child = child
        return child


class _Watch:
    """Kills a child after some seconds, unless it has ended before."""

    def __init__(self, child: subprocess.Popen[bytes], seconds: float | None) -> None:
        self._child = child
        self._lock = threading.Lock()
        self._over = False
        self._late = False
        self._timer = threading.Timer(seconds, self._stop) if seconds else None
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def _stop(self) -> None:
        with self._lock:
            if not self._over:
                self._late = True
                self._child.kill()

    def end(self) -> bool:
        """Stop watching; tells whether the child was killed."""
        with self._lock:
            self._over = True
        if self._timer:
            self._timer.cancel()
        return self._late


def _pipes(child: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    if child.stdin is None or child.stdout is None:
        raise ValueError("a child without pipes")
    return cast(BinaryIO, child.stdin), cast(BinaryIO, child.stdout)


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    return f"signal {name}" + (", perhaps out of memory" if name == "SIGKILL" else "")


def main() -> int:
    """Score what is asked for on standard input until it ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native decoders print must not get between the messages
    from .batch import score_row
    from .detector import Detector

    setup = receive(sys.stdin.buffer) or {}
    detector = Detector.load(setup.get("model"))
    going = _tell(out, {"ready": True})
    while going and (message := receive(sys.stdin.buffer)) is not None:
        row = score_row(
            message["path"], detector=detector, store=setup.get("store"), effort=setup.get("effort", "full")
        )
        going = _tell(out, row)
    return 0


def _tell(out: BinaryIO, message: Mapping[str, Any]) -> bool:
    """Send a message to the parent; false where it was killed, which is no news to anybody."""
    try:
        send(out, message)
    except BrokenPipeError:
        hush(out)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
