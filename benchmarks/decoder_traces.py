"""Traces of a decoder in tracks that are labelled as people's, by measurements in which no model takes part.

    python benchmarks/decoder_traces.py LABELS.csv [LABELS.csv ...] --out docs/decoder_traces.json

Why ten clips of two research pages are taken for music re-synthesised (`data/relabelled.csv`), and not for recordings.
A decoder that works in frames leaves a line at every multiple of its frames per second, whatever is played. How high
each of them stands is up to the decoder's weights, so their pattern comes again from song to song. And where a decoder
is given one channel twice, its two outputs differ by the same small factor in every song. Music does none of it: all
three are measured in all tracks and compared.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from robustness import RELABELLED
from scipy.ndimage import median_filter

from aidetect import Detector
from aidetect.decoding import open_audio
from aidetect.errors import AidetectError
from aidetect.labels import LabelledTrack, read_labels, relabelled

PARTS = 64  # points of the spectrum from one line to the next
LOW, HIGH = 2_000.0, 15_000.0  # Hz
SECONDS = 60.0
NEARLY_ONE_CHANNEL = 1e-6
"""What the correlation of two channels may lack of 1, for the factor between them to mean much."""


@dataclass(frozen=True)
class Decoder:
    """Decoder that the tracks of a page are suspected to come out of: frames per second, and who is known to use it."""

    frames: float
    generator: str


SUSPECTED = {
    "MuseControlLite/web": Decoder(44_100 / 2_048, "stable-audio-open"),
    "AudioLDM/audiosr": Decoder(48_000 / 480, "musicgen-audiosr"),
}
"""By source; the page's system works with the autoencoder of Stable Audio Open, or is AudioSR itself."""


@dataclass(frozen=True)
class Traces:
    """Height and pattern of the lines that the decoder of each page of :data:`SUSPECTED` would leave; the balance."""

    heights: dict[str, float]
    patterns: dict[str, np.ndarray]
    factor: float
    lacking: float


def around_lines(y: np.ndarray, rate: int, *, spacing: float) -> np.ndarray:
    """Cut a spectrum into the surroundings of the multiples of a frequency.

    Parameters
    ----------
    y : ndarray, shape (channels, samples)
    rate : int
        Hz.
    spacing : float
        Hz.

    Returns
    -------
    ndarray, shape (multiples, PARTS)
        Mean logarithmic spectrum over its running median, in dB, between 2 and 15 kHz: each row begins on a multiple
        and ends before the next. No rows for less than ``PARTS / spacing`` seconds.
    """
    size = round(PARTS * rate / spacing)
    mono, window = y.mean(axis=0), np.hanning(size)
    starts = range(0, len(mono) - size + 1, size // 2)
    if not starts:
        return np.empty((0, PARTS))
    spectra = [np.abs(np.fft.rfft(mono[start : start + size] * window)) for start in starts]
    level = np.mean([20.0 * np.log10(spectrum + 1e-6) for spectrum in spectra], axis=0)
    fine = level - median_filter(level, PARTS + 1)
    first, last = (int(f / spacing) * PARTS for f in (LOW, min(HIGH, 0.5 * rate - 500.0)))
    return fine[first:last].reshape(-1, PARTS)


def line_height(around: np.ndarray) -> float:
    """Measure how far lines rise beyond what lies between them: the mean of all, less the median of the other places.

    Parameters
    ----------
    around : ndarray, shape (multiples, PARTS)
        As of :func:`around_lines`.

    Returns
    -------
    float
        dB; NaN without rows.
    """
    if not len(around):
        return float("nan")
    height = around.mean(axis=0)
    return float(height[0] - np.median(height[1:]))


def likeness(pattern: np.ndarray, outputs: list[np.ndarray]) -> float:
    """Compare how high each line stands with the mean over outputs of a decoder: Pearson's correlation.

    Parameters
    ----------
    pattern : ndarray, shape (multiples,)
        dB.
    outputs : list of ndarray, shape (multiples,)

    Returns
    -------
    float
        NaN for a track that does not reach all of the lines, or is silent.
    """
    known = np.mean(outputs, axis=0)
    if len(pattern) != len(known) or not np.ptp(pattern):
        return float("nan")
    return float(np.corrcoef(pattern, known)[0, 1])


def balance(y: np.ndarray) -> tuple[float, float]:
    """Fit the left channel by a multiple of the right one: the factor, and what their correlation lacks of 1."""
    if len(y) < 2:
        return float("nan"), float("nan")
    left, right = y[0].astype(np.float64), y[1].astype(np.float64)
    power = float(right @ right) + 1e-12
    return float(left @ right) / power, 1.0 - float(np.corrcoef(left, right)[0, 1])


def traces(track: LabelledTrack) -> Traces | None:
    """Measure the first minute of a track; None where it cannot be decoded."""
    try:
        with open_audio(track.path) as stream:
            y, rate = next(stream.blocks(SECONDS)), stream.rate
    except AidetectError:
        return None
    around = {page: around_lines(y, rate, spacing=decoder.frames) for page, decoder in SUSPECTED.items()}
    heights = {page: line_height(a) for page, a in around.items()}
    with np.errstate(invalid="ignore"):
        return Traces(heights, {page: a[:, 0] for page, a in around.items()}, *balance(y))


def summary(x: np.ndarray, *, digits: int = 2) -> dict[str, Any]:
    """Say how high people's tracks come."""
    x = x[np.isfinite(x)]
    return {
        "tracks": len(x),
        "median": round(float(np.median(x)), digits),
        "of_99_percent": round(float(np.quantile(x, 0.99)), digits),
        "highest": [round(float(h), digits) for h in np.sort(x)[:-6:-1]],
    }


def compare(
    page: str,
    tracks: list[LabelledTrack],
    measured: list[Traces],
    *,
    doubted: np.ndarray,
    people: np.ndarray,
    detector: Detector,
) -> dict[str, Any]:
    """Set the doubted tracks of one page beside people's other tracks and beside what its decoder is known to make."""
    decoder = SUSPECTED[page]
    generator = np.array([track.generator for track in tracks])
    height = np.array([found.heights[page] for found in measured])
    pattern = [found.patterns[page] for found in measured]
    lines = max(len(p) for p in pattern)
    own = [p for p, name in zip(pattern, generator, strict=True) if name == decoder.generator and len(p) == lines]
    like = np.array([likeness(p, own) for p in pattern])
    among_themselves = [likeness(p, own[:i] + own[i + 1 :]) for i, p in enumerate(own)]
    rows = []
    for i in np.flatnonzero(doubted & np.array([track.source == page for track in tracks])):
        result = detector.score(tracks[i].path)
        rows.append(
            {
                "track": tracks[i].path.stem,
                "line_height": round(float(height[i]), 2),
                "likeness": round(float(like[i]), 3),
                "left_over_right": round(measured[i].factor, 6) if np.isfinite(measured[i].factor) else None,
                "lacking": float(f"{measured[i].lacking:.1e}") if np.isfinite(measured[i].lacking) else None,
                "verdict": result.verdict,
                "probability": round(result.probability, 4),
            }
        )
    usual = float(np.nanquantile(height[people], 0.99))
    marked = []
    for name in sorted(set(generator[~doubted & ~people].tolist())):
        heights = height[~people & (generator == name) & np.isfinite(height)]
        if len(heights) >= 3 and np.median(heights) > usual:
            marked.append(
                {"generator": name, "tracks": len(heights), "line_height": round(float(np.median(heights)), 2)}
            )
    return {
        "page": page,
        "frames_per_second": round(decoder.frames, 3),
        "lines": lines,
        "relabelled": sorted(rows, key=lambda row: -row["line_height"]),
        "line_height_of_people": summary(height[people]),
        "likeness_of_people": summary(like[people], digits=3),
        "outputs": {
            "generator": decoder.generator,
            "tracks": len(own),
            "likeness_to_the_others": [round(x, 3) for x in sorted(among_themselves, reverse=True)],
        },
        "generators_of_which_most_are_above_99_percent_of_people": marked,
    }


def main() -> None:
    """Measure, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/decoder_traces.json"))
    args = parser.parse_args()
    tracks = [track for path in args.labels for track in read_labels(path)]
    kept = {track.path for track in relabelled(tracks, RELABELLED)}
    results = Parallel(n_jobs=args.jobs, verbose=1)(delayed(traces)(track) for track in tracks)
    found = [(track, measured) for track, measured in zip(tracks, results, strict=True) if measured is not None]
    tracks, measured = [track for track, _ in found], [measured for _, measured in found]
    doubted = np.array([track.path not in kept for track in tracks])
    people = ~doubted & np.array([track.label == "human" for track in tracks])
    one_channel = people & np.array([0.0 < m.lacking < NEARLY_ONE_CHANNEL for m in measured])
    factor = np.array([m.factor for m in measured])
    detector = Detector.load()  # it learned from none of the doubted
    summed = {
        "people": int(people.sum()),
        "people_of_nearly_one_channel": [round(float(f), 6) for f in np.sort(factor[one_channel])],
        "pages": [
            compare(page, tracks, measured, doubted=doubted, people=people, detector=detector) for page in SUSPECTED
        ],
    }
    args.out.write_text(json.dumps(summed, indent=1) + "\n")
    print(json.dumps(summed, indent=1))


if __name__ == "__main__":
    main()
