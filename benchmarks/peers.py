"""Peers: processor time on one file of decoding alone, aidetect, and other installable tools, in one run.

    python benchmarks/peers.py [FILE] [--peers PYTHON] [--out docs/peers.json]

The other tools want older libraries, so they run with the interpreter PYTHON of an environment of their own
(`pip install ai-audio-detector audiosentinel orbit-forensics spectralaudit`). The least of eight calls counts,
of the others' of four, or the first where it takes half a minute. Imports are left out, all run in one thread and get
ten minutes at most. Without FILE, four minutes of the demo's tune as a stereo FLAC at 44.1 kHz, which all of them read.
`orbit-forensics` looks at two minutes at most; `ai-audio-detector` ships no model, so its features alone are timed.

The linear peak-residue detector is the simplest that works: mean spectrum of long frames of the whole file, its residue
over a running minimum, one dot product (Afchar et al., ISMIR 2025, describe the principle).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

from aidetect.demo import tune

OWN = {
    "decoding alone": """
from aidetect.decoding import open_audio
def run(path):
    with open_audio(path) as stream:
        for _ in stream.blocks():
            pass
""",
    "aidetect, fast": """
from aidetect import score
def run(path):
    score(path, effort="fast")
""",
    "aidetect, full": """
from aidetect import score
def run(path):
    score(path)
""",
    "linear peak-residue detector": """
import numpy as np
import scipy.fft
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from aidetect.decoding import open_audio
WEIGHTS = np.random.default_rng(0).standard_normal(8193)
def run(path):
    n, total, frames = 16384, 0.0, 0
    window = np.hanning(n).astype(np.float32)
    with open_audio(path) as stream:
        for block in stream.blocks():
            x = block.mean(axis=0)
            cut = np.lib.stride_tricks.sliding_window_view(x, n)[:: n // 2] if len(x) >= n else []
            for frame in cut:
                total = total + 10 * np.log10(np.abs(scipy.fft.rfft(frame * window)) ** 2 + 1e-9)
                frames += 1
    mean = total / frames
    residue = np.clip(mean - uniform_filter1d(minimum_filter1d(mean, 101), 101), 0, 5)
    return float(residue @ WEIGHTS)
""",
}
PEERS = {
    "audiosentinel": """
from audiosentinel import predict_audio
def run(path):
    predict_audio(path, verbose=False)
""",
    "orbit-forensics": """
from orbit_forensics.audio_forensics import run_forensics
def run(path):
    run_forensics(path)
""",
    "ai-audio-detector (features)": """
from ai_audio_detector import AudioAnalyzer
def run(path):
    if AudioAnalyzer().analyze_audio_file(path) is None:
        raise SystemExit("no features")
""",
    "spectralaudit": """
from spectralaudit import analyze
def run(path):
    analyze(path)
""",
}
_PATIENCE = 600.0  # s
TIMED = """
import sys, time, warnings
warnings.simplefilter("ignore")
path, repeats = sys.argv[1], int(sys.argv[2])
times = []
while len(times) < repeats and (not times or times[0] < 30.0):
    start = time.process_time()
    run(path)
    times.append(time.process_time() - start)
print("least", min(times))
"""


def seconds(python: str, code: str, path: Path, *, repeats: int) -> float | str:
    """Least processor time of a call, or the last line of what went wrong."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    command = [python, "-c", code + TIMED, str(path), str(repeats)]
    environment, place = {**os.environ, **one}, tempfile.gettempdir()
    try:
        run = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=place, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"still running after {_PATIENCE:.0f} s"
    found = [line.split()[1] for line in run.stdout.splitlines() if line.startswith("least ")]
    return float(found[-1]) if found else (run.stderr.strip().splitlines() or ["nothing said"])[-1]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--out", type=Path, default=Path("docs/peers.json"))
    args = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as name:
        path = args.file
        if path is None:
            path = Path(name) / "tune.flac"
            sf.write(path, np.tile(tune(seconds=60.0), 4).T, 44_100)
        path = path.resolve()
        for python, tools, repeats in ((sys.executable, OWN, 8), (args.peers, PEERS, 4)):
            for tool, code in tools.items():
                time = seconds(python, code, path, repeats=repeats)
                row: dict[str, object] = {"seconds": round(time, 3)} if isinstance(time, float) else {"failed": time}
                found[tool] = row
                print(tool, row, flush=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
