"""The batch engine: cost per file, two processes against one, and what kill -9 leaves behind.

    python benchmarks/batch.py [--files 100000] [--tracks 200] [--kills 50] [--out docs/batch.json]

Cost per file is taken with processes that answer at once, on tiny files of different content. Tracks are 30 s of music
made in code. Killed runs are killed at random moments and then resumed; their table must be that of an undisturbed one.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile as sf

from aidetect import engine
from aidetect.demo import tune
from aidetect.engine import score_batch
from aidetect.workers import Worker

INSTANT = """
import os, sys
from aidetect.workers import receive, send
receive(sys.stdin.buffer)
send(sys.stdout.buffer, {"ready": True})
while (message := receive(sys.stdin.buffer)) is not None:
    send(sys.stdout.buffer, {"path": message["path"], "verdict": "human", "probability": 0.1, "error": None})
"""


def tiny_files(folder: Path, count: int) -> None:
    """Make files of a few bytes in folders of a thousand."""
    for number in range(count):
        path = folder / f"{number // 1000:04d}" / f"{number:06d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(number).encode())


def overhead(folder: Path, count: int) -> dict[str, float]:
    """Milliseconds per file beyond scoring, and how much the parent grows over the second half, MB."""
    real = engine.Worker
    engine.Worker = functools.partial(Worker, command=[sys.executable, "-c", INSTANT])  # type: ignore[assignment, misc]
    try:
        start, half = time.perf_counter(), 0
        for number, _ in enumerate(score_batch(folder, folder.parent / "tiny.csv", jobs=2)):
            if number == count // 2:
                half = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = time.perf_counter() - start
    finally:
        engine.Worker = real  # type: ignore[misc]
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - half) / 1024
    return {"files": count, "ms_per_file": round(1000 * seconds / count, 2), "growth_mb": round(growth, 1)}


def tracks(folder: Path, count: int) -> None:
    """Make MP3 files of 30 s, all different."""
    folder.mkdir()
    y = tune(seconds=30.0)
    for number in range(count):
        sf.write(folder / f"{number:04d}.mp3", (y * (1.0 - number / (2.0 * count))).T, 44_100, format="MP3")


def wall(folder: Path, out: Path, *, jobs: int) -> float:
    """Seconds that a run takes."""
    start = time.perf_counter()
    for _ in score_batch(folder, out, jobs=jobs):
        pass
    return time.perf_counter() - start


def killed(folder: Path, out: Path, expected: bytes, *, kills: int, longest: float, seed: int = 0) -> dict[str, object]:
    """Kill a run at random moments, resume it each time, and compare the table in the end."""
    rng = random.Random(seed)
    command = [sys.executable, "-m", "aidetect", "batch", str(folder), "-o", str(out), "--jobs", "2", "--resume"]
    same = finished = 0
    for _ in range(kills):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.0, longest))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if out.exists():  # it was done before the kill: the table is compared, and all begins anew
            finished += 1
            same += out.read_bytes() == expected
            for path in out.parent.glob(out.name + "*"):
                path.unlink()
    subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
    same += out.read_bytes() == expected
    return {"kills": kills, "tables": finished + 1, "identical": same}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--tracks", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("docs/batch.json"))
    args = parser.parse_args()
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        tiny_files(root / "tiny", args.files)
        found["overhead"] = overhead(root / "tiny", args.files)
        shutil.rmtree(root / "tiny")
        print(found, flush=True)
        tracks(root / "tracks", args.tracks)
        one, two = (wall(root / "tracks", root / f"{jobs}.csv", jobs=jobs) for jobs in (1, 2))
        found["two_over_one"] = {"tracks": args.tracks, "seconds": [round(one, 1), round(two, 1)]}
        found["two_over_one"]["ratio"] = round(one / two, 2)  # type: ignore[index]
        print(found, flush=True)
        expected = (root / "2.csv").read_bytes()
        found["killed"] = killed(root / "tracks", root / "killed.csv", expected, kills=args.kills, longest=0.25 * two)
        print(found, flush=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
