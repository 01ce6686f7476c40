"""Effort: what `effort="fast"` costs in accuracy, on whole tracks of sources outside training.

    python benchmarks/effort.py LABELS.csv [LABELS.csv ...] --table models --store FOLDER --out docs/effort.json

Every track that is long enough for excerpts is measured in both ways and scored by a detector that never saw its
source, with thresholds from the other folds' full measurements.
"""

from __future__ import annotations

import json

import numpy as np
from joblib import Parallel, delayed
from robustness import RELABELLED, corpus_arguments, score

from aidetect.dataset import load_table, measure
from aidetect.errors import AidetectError
from aidetect.evaluation import auroc, tpr_at
from aidetect.extraction import TrackFeatures
from aidetect.labels import CLASSES, LabelledTrack, read_labels, relabelled
from aidetect.store import FeatureStore
from aidetect.training import fold_detectors


def both(track: LabelledTrack, store: FeatureStore) -> tuple[TrackFeatures, TrackFeatures] | None:
    """Measure a track in full and by excerpts; None where excerpts are not taken."""
    try:
        full, fast = measure(track.path, store=store), measure(track.path, store=store, effort="fast")
    except AidetectError:
        return None
    return (full, fast) if fast.effort == "fast" else None


def main() -> None:
    """Measure, score, write."""
    args = corpus_arguments(__doc__, out="docs/effort.json").parse_args()
    store = FeatureStore(args.store)
    known = relabelled([track for path in args.labels for track in read_labels(path)], RELABELLED)
    labelled = [track for track in known if track.label in CLASSES]
    pairs = Parallel(n_jobs=args.jobs, batch_size=8)(delayed(both)(track, store) for track in labelled)
    tracks = [track for track, pair in zip(labelled, pairs, strict=True) if pair is not None]
    ai = np.array([track.label == "ai" for track in tracks])
    detectors, fold_of_source = fold_detectors(load_table(args.table), jobs=args.jobs)
    rows = []
    for number, effort in enumerate(("full", "fast")):
        features = [pair[number] for pair in pairs if pair is not None]
        probability, verdict = score(features, tracks, detectors, fold_of_source)
        ok = np.isfinite(probability)
        rows.append(
            {
                "effort": effort,
                "human": int((ok & ~ai).sum()),
                "ai": int((ok & ai).sum()),
                "auroc": round(auroc(probability[ok], ai[ok]), 4),
                "tpr_at_1": round(tpr_at(probability[ok], ai[ok], 0.01), 4),
                "false_positives": round(float((verdict[ok & ~ai] == "ai").mean()), 4),
                "found": round(float((verdict[ok & ai] == "ai").mean()), 4),
                "missed": round(float((verdict[ok & ai] == "human").mean()), 4),
                "uncertain": round(float((verdict[ok] == "uncertain").mean()), 4),
            }
        )
        print(rows[-1])
    args.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
