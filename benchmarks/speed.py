"""Speed: processor time of scoring against decoding alone, start-up times, memory.

    python benchmarks/speed.py [FILE] [--out docs/speed.json]

Without FILE, four minutes of the demo's tune are encoded as a stereo MP3 at 192 kbit/s and 44.1 kHz.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf

from aidetect.decoding import open_audio
from aidetect.demo import tune
from aidetect.detector import Detector


def processor_times(*runs: Callable[[], object], repeats: int = 9) -> list[float]:
    """Least processor time of each call, s; taken in turn, so that a busy machine slows all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for run, found in zip(runs, times, strict=True):
            start = time.process_time()
            run()
            found.append(time.process_time() - start)
    return [min(found) for found in times]


def wall_time(command: list[str], *, repeats: int = 5) -> float:
    """Median time from start to exit of a process, s."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def four_minutes(folder: Path) -> Path:
    """Encode a tune of four minutes."""
    path = folder / "tune.mp3"
    y = np.tile(tune(seconds=60.0), 4)
    sf.write(path, y.T, 44_100, format="MP3", bitrate_mode="CONSTANT", compression_level=(320 - 192) / 288)
    return path


def decode(path: Path) -> None:
    """Decode a file and drop the samples."""
    with open_audio(path) as stream:
        for _ in stream.blocks():
            pass


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = args.file or four_minutes(folder)
        short = folder / "short.mp3"
        sf.write(short, tune(seconds=30.0).T, 44_100, format="MP3")
        detector = Detector.load()
        detector.score(short)
        decoding, scoring, fast = processor_times(
            lambda: decode(path), lambda: detector.score(path), lambda: detector.score(path, effort="fast")
        )
        code = (
            "import sys, aidetect; aidetect.score(sys.argv[1]);"
            "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        )
        peak = int(subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True).stdout)
        found = {
            "decoding alone, s of processor time": round(decoding, 3),
            "scoring, s of processor time": round(scoring, 3),
            "scoring over decoding": round(scoring / decoding, 2),
            "effort='fast' over decoding": round(fast / decoding, 2),
            "import aidetect, s": round(
                wall_time([sys.executable, "-c", "import aidetect"]) - wall_time([sys.executable, "-c", "pass"]), 3
            ),
            "aidetect score of 30 s, start to exit, s": round(
                wall_time([sys.executable, "-m", "aidetect", "score", str(short)]), 2
            ),
            "peak memory, MB": round(peak / 1024),
        }
    for key, value in found.items():
        print(f"{key}: {value}")
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
