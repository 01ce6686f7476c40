"""Traces of a decoder in tracks that are labelled as people's, by measurements in which no model takes part.

    python benchmarks/decoder_traces.py LABELS.csv [LABELS.csv ...] --out docs/decoder_traces.json

Why eight clips are taken for music re-synthesised (`data/relabelled.csv`), and not for recordings. Autoencoders that
work in frames of 2,048 samples at 44.1 kHz (Stable Audio's) leave a line at every multiple of 44,100 / 2,048 Hz,
whatever is played. And where a decoder is given one channel twice, its two outputs differ by the same small factor from
song to song, since it stands in its weights. Music does neither: both are measured in all tracks and compared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from robustness import RELABELLED
from scipy.ndimage import median_filter

from aidetect import Detector
from aidetect.decoding import open_audio
from aidetect.errors import AidetectError
from aidetect.labels import LabelledTrack, read_labels, relabelled

SPACING = 44_100 / 2_048  # Hz
PARTS = 64  # points of the spectrum from one line to the next
LOW, HIGH = 2_000.0, 15_000.0  # Hz
SECONDS = 60.0
NEARLY_ONE_CHANNEL = 1e-6
"""What the correlation of two channels may lack of 1, for the factor between them to mean much."""


def line_height(y: np.ndarray, rate: int) -> float:
    """Measure how far a spectrum rises at the multiples of :data:`SPACING`, in dB, beyond what lies between them.

    Parameters
    ----------
    y : ndarray, shape (channels, samples)
    rate : int
        Hz.

    Returns
    -------
    float
        Mean over all multiples between 2 and 15 kHz of the mean logarithmic spectrum over its running median, less the
        median over the 63 other places between two lines; NaN for less than 3 s.
    """
    size = round(PARTS * rate / SPACING)
    mono, window = y.mean(axis=0), np.hanning(size)
    starts = range(0, len(mono) - size + 1, size // 2)
    if not starts:
        return float("nan")
    spectra = [np.abs(np.fft.rfft(mono[start : start + size] * window)) for start in starts]
    level = np.mean([20.0 * np.log10(spectrum + 1e-6) for spectrum in spectra], axis=0)
    fine = level - median_filter(level, PARTS + 1)
    first, last = (int(f / SPACING) * PARTS for f in (LOW, min(HIGH, 0.5 * rate - 500.0)))
    height = fine[first:last].reshape(-1, PARTS).mean(axis=0)
    return float(height[0] - np.median(height[1:]))


def balance(y: np.ndarray) -> tuple[float, float]:
    """Fit the left channel by a multiple of the right one: the factor, and what their correlation lacks of 1."""
    if len(y) < 2:
        return float("nan"), float("nan")
    left, right = y[0].astype(np.float64), y[1].astype(np.float64)
    power = float(right @ right) + 1e-12
    return float(left @ right) / power, 1.0 - float(np.corrcoef(left, right)[0, 1])


def traces(track: LabelledTrack) -> tuple[float, float, float]:
    """Measure the first minute of a track; NaN where it cannot be."""
    try:
        with open_audio(track.path) as stream:
            y, rate = next(stream.blocks(SECONDS)), stream.rate
    except AidetectError:
        return (float("nan"),) * 3
    with np.errstate(invalid="ignore"):
        return line_height(y, rate), *balance(y)


def main() -> None:
    """Measure, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/decoder_traces.json"))
    args = parser.parse_args()
    tracks = [track for path in args.labels for track in read_labels(path)]
    kept = {track.path for track in relabelled(tracks, RELABELLED)}
    measured = Parallel(n_jobs=args.jobs, verbose=1)(delayed(traces)(track) for track in tracks)
    height, factor, lacking = np.array(measured).T
    ok = np.isfinite(height)
    doubted = ok & np.array([track.path not in kept for track in tracks])
    people = ok & ~doubted & np.array([track.label == "human" for track in tracks])
    one_channel = people & (lacking < NEARLY_ONE_CHANNEL) & (lacking > 0.0)
    detector = Detector.load()  # it learned from none of the doubted
    rows = []
    for number in np.flatnonzero(doubted)[np.argsort(-height[doubted])]:
        result = detector.score(tracks[number].path)
        rows.append(
            {
                "track": tracks[number].path.stem,
                "source": tracks[number].source,
                "line_height": round(float(height[number]), 2),
                "left_over_right": round(float(factor[number]), 6),
                "lacking": float(f"{lacking[number]:.1e}"),
                "verdict": result.verdict,
                "probability": round(result.probability, 4),
            }
        )
    usual = float(np.quantile(height[people], 0.99))
    generator = np.array([track.generator for track in tracks])
    marked = []
    for name in sorted(set(generator[ok & ~doubted & ~people].tolist())):
        own = height[ok & ~people & (generator == name)]
        if len(own) >= 3 and np.median(own) > usual:
            marked.append({"generator": name, "tracks": len(own), "line_height": round(float(np.median(own)), 2)})
    found = {
        "people": int(people.sum()),
        "line_height": {
            "median": round(float(np.median(height[people])), 2),
            "of_99_percent": round(usual, 2),
            "highest": [round(float(h), 2) for h in np.sort(height[people])[:-6:-1]],
        },
        "people_of_nearly_one_channel": [round(float(f), 6) for f in np.sort(factor[one_channel])],
        "relabelled": rows,
        "generators_of_which_most_are_above_99_percent_of_people": marked,
    }
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
