"""Robustness: altered excerpts of tracks, scored by models that never saw their sources.

    python benchmarks/robustness.py LABELS.csv [LABELS.csv ...] --table models --store FOLDER --out docs/robustness.json

Excerpts of 20 seconds are taken from the middle of tracks of both classes, at most two from a source, and passed
through every transform of `aidetect.transforms.GRID`; clean excerpts of other lengths, whole tracks and whole tracks at
other speeds follow. For every fold of sources a detector is trained on all other
folds of the feature table, with thresholds from those folds' clean tracks; it scores the excerpts of its own fold.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from aidetect.combiner import probability_of
from aidetect.dataset import excerpt, load_table, measure
from aidetect.detector import Detector
from aidetect.errors import AidetectError
from aidetect.evaluation import auroc, rate_interval
from aidetect.experts import Views
from aidetect.extraction import TrackFeatures, extract_array
from aidetect.labels import LabelledTrack, read_labels, relabelled
from aidetect.store import FeatureStore, content_key
from aidetect.training import fold_detectors
from aidetect.transforms import GRID, Transform
from aidetect.verdicts import SHORT

SECONDS = 20.0
WHOLE = 36_000.0  # s, longer than any track
SPEEDS = ("speed -6%", "speed -3%", "speed +3%", "speed +6%")
RELABELLED = Path(__file__).parent.parent / "data" / "relabelled.csv"
PLAIN = Transform("clean", lambda y, rate: (y, rate))
TRIALS: tuple[tuple[Transform, float], ...] = (
    (PLAIN, SECONDS),
    *((transform, SECONDS) for transform in GRID),
    *((Transform(f"clean, {seconds:.0f} s", PLAIN.apply), seconds) for seconds in (5.0, 10.0, 30.0)),
    (Transform("clean, whole track", PLAIN.apply), WHOLE),
    *((Transform(f"{t.name}, whole track", t.apply), WHOLE) for t in GRID if t.name in SPEEDS),
)
"""Transforms and the seconds of audio they are applied to. What is altered is compared to clean audio of that length,
clean audio to the first trial."""


def corpus_arguments(description: str | None, *, out: str) -> argparse.ArgumentParser:
    """Return the command line that benchmarks on the corpus share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="+")
    parser.add_argument("--table", default="models")
    parser.add_argument("--store", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(out))
    return parser


def choose(tracks: list[LabelledTrack], count: int, *, per_source: int, seed: int = 0) -> list[LabelledTrack]:
    """Draw tracks of each class, few from each source; labels are put right once the order is drawn."""
    order = np.random.default_rng(seed).permutation(len(tracks))
    taken: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    chosen = []
    for track in relabelled([tracks[i] for i in order], RELABELLED):
        if classes[track.label] < count and taken[track.source] < per_source:
            chosen.append(track)
            taken[track.source] += 1
            classes[track.label] += 1
    return chosen


def altered(track: LabelledTrack, store: FeatureStore, numbers: Sequence[int]) -> list[TrackFeatures | None]:
    """Measure the middle of a track in some of the trials; what it takes is decoded once for each length.

    Trials are given by number, since a Transform cannot be sent to a process.
    """
    decoded: dict[float, tuple[np.ndarray, int]] = {}
    found: list[TrackFeatures | None] = []
    for transform, seconds in (TRIALS[number] for number in numbers):
        if transform.apply is PLAIN.apply and seconds == WHOLE:
            found.append(measure(track.path, store=store))
            continue
        key = content_key(track.path, f"middle{seconds:.0f}-{transform.name}".replace("/", "_"))
        features = store.get(key)
        if features is None:
            try:
                if seconds not in decoded:
                    decoded[seconds] = excerpt(track.path, seconds=seconds, position=0.5)
                features = extract_array(*transform.apply(*decoded[seconds]))
                store.put(key, features)
            except AidetectError:
                pass
        found.append(features)
    return found


def measure_all(
    tracks: list[LabelledTrack], store: FeatureStore, *, numbers: Sequence[int] = range(len(TRIALS)), jobs: int
) -> list[list[TrackFeatures | None]]:
    """Measure tracks in trials, all of :data:`TRIALS` or some: for each a list, as long as that of the tracks."""
    by_track = Parallel(n_jobs=jobs, verbose=1)(delayed(altered)(track, store, numbers) for track in tracks)
    return [list(trial) for trial in zip(*by_track, strict=True)]


def main() -> None:
    """Run the grid and write its table."""
    parser = corpus_arguments(__doc__, out="docs/robustness.json")
    parser.add_argument("--count", type=int, default=80, help="tracks per class")
    parser.add_argument("--measure-only", action="store_true")
    args = parser.parse_args()
    store = FeatureStore(args.store)
    tracks = choose([t for path in args.labels for t in read_labels(path)], args.count, per_source=2)
    results = measure_all(tracks, store, jobs=args.jobs)
    if args.measure_only:
        return
    detectors, fold_of_source = fold_detectors(load_table(args.table), jobs=args.jobs)
    ai, source = np.array([t.label == "ai" for t in tracks]), np.array([t.source for t in tracks])
    rows = []
    scores = [score(features, tracks, detectors, fold_of_source) for features in results]
    first = {seconds: number for number, (_, seconds) in reversed(list(enumerate(TRIALS)))}
    long = np.array([features is not None and features.duration >= SHORT for features in results[first[WHOLE]]])
    for (transform, seconds), (probability, verdict) in zip(TRIALS, scores, strict=True):
        clean = scores[0 if transform.apply is PLAIN.apply else first[seconds]][1]
        ok = np.isfinite(probability)
        flagged = verdict[ok & ~ai] == "ai"
        rows.append(
            {
                "transform": transform.name,
                "human": len(flagged),
                "ai": int((ok & ai).sum()),
                "auroc": round(auroc(probability[ok], ai[ok]), 4),
                "false_positives": round(float(flagged.mean()), 4),
                "false_positives_high": round(rate_interval(flagged, source[ok & ~ai])[1], 4),
                "found": round(float((verdict[ok & ai] == "ai").mean()), 4),
                "uncertain": round(float((verdict[ok] == "uncertain").mean()), 4),
                "same": round(float((verdict[ok] == clean[ok]).mean()), 4),
                "same_over_60_s": round(float((verdict[ok & long] == clean[ok & long]).mean()), 4),
                "opposite": round(float(opposite(verdict[ok], clean[ok]).mean()), 4),
            }
        )
        print(rows[-1], flush=True)
    args.out.write_text(json.dumps(rows, indent=1) + "\n")


def opposite(verdict: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """Where one verdict is ``ai`` and the other ``human``."""
    return ((verdict == "ai") & (clean == "human")) | ((verdict == "human") & (clean == "ai"))


def score(
    features: list[TrackFeatures | None],
    tracks: list[LabelledTrack],
    detectors: dict[int, Detector],
    fold_of_source: dict[str, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Score each track with the detector that did not see its source: probabilities and verdicts."""
    probability = np.full(len(tracks), np.nan)
    verdict = np.full(len(tracks), "", dtype="<U10")
    for fold, detector in detectors.items():
        here = [i for i, t in enumerate(tracks) if fold_of_source.get(t.source) == fold and features[i] is not None]
        if not here:
            continue
        views = Views.of([features[i] for i in here])
        seconds = np.array([features[i].duration for i in here])
        logits, _, doubted = detector.decide(views, seconds=seconds)
        probability[here] = probability_of(logits)
        withheld = detector.withheld(views.values, probability[here], doubted)
        verdict[here] = detector.thresholds.verdicts(probability[here], seconds=seconds, withheld=withheld)
    return probability, verdict


if __name__ == "__main__":
    main()
