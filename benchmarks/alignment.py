"""Changes of speed: how often they are found, and how often one is seen that never was.

    python benchmarks/alignment.py LABELS.csv [LABELS.csv ...] --table models --store FOLDER

The tracks of the feature table, and the altered excerpts and tracks of benchmarks/robustness.py, are aligned by experts
that never saw their sources. Writes docs/alignment.json and the picture docs/alignment.png.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from robustness import TRIALS, choose, corpus_arguments, measure_all

from aidetect import alignment
from aidetect.dataset import load_table
from aidetect.detector import Expert
from aidetect.evaluation import rate_interval
from aidetect.experts import Views
from aidetect.fitting import SIGNATURES
from aidetect.heldout import HeldOut, out_of_source
from aidetect.labels import read_labels
from aidetect.splits import folds_of
from aidetect.store import FeatureStore

NEAR = 1e-3  # of the true speed
BELIEVED = 0.02  # of people's tracks, at the limit of the other folds
SHOWN = 3  # tracks of each class in the picture


def speed_of(name: str) -> float | None:
    """Read the speed from the name of a transform; None where it changes none, or another thing too."""
    words = name.removesuffix(", whole track").split()
    if words[0] != "speed" or len(words) != 2:
        return None
    return 1.0 + float(words[1].rstrip("%")) / 100.0


def draw(curves: dict[str, list[np.ndarray]], path: Path, *, factor: float) -> None:
    """Draw fits against speed."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2 * SHOWN, 1, figsize=(8.0, 8.0), sharex=True, sharey=True, layout="constrained")
    names = [name for name, found in curves.items() for _ in found]
    for panel, name, total in zip(panels, names, [c for found in curves.values() for c in found], strict=True):
        speeds = np.exp(np.linspace(-alignment.REACH, alignment.REACH, len(total)))
        colour = "tab:red" if name == "ai" else "tab:blue"
        panel.plot(100.0 * (speeds - 1.0), total, color=colour, linewidth=0.6, label=name)
        panel.axhline(alignment.LEAST_FIT, color="0.5", linewidth=0.8, linestyle="--")
        panel.axvline(100.0 * (factor - 1.0), color="0.8", linewidth=3.0, zorder=0)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(loc="upper left", frameon=False, handlelength=1.0)
    figure.supylabel("best fit of a signature, in spreads of its curve")
    panels[-1].set_xlabel("speed at which signatures are looked for, % from the file's own")
    panels[0].set_title(f"Whole tracks sped up by {100.0 * (factor - 1.0):.0f} % (grey); dashed: believed from here on")
    figure.savefig(path, dpi=110)


def limits_of_others(fit: np.ndarray, fold: np.ndarray, counted: np.ndarray) -> dict[int, float]:
    """Choose for each fold the fit that a share of :data:`BELIEVED` of the counted tracks of other folds exceeds."""
    limits = {}
    for number in sorted(set(fold.tolist())):
        others = np.sort(fit[counted & (fold != number)])[::-1]
        limits[number] = float(others[int(BELIEVED * len(others))])
    return limits


def untouched(table_path: str, *, jobs: int) -> tuple[dict[str, object], HeldOut, dict[str, int]]:
    """Align the tracks of the table as they are.

    The limit that ships was set on these very tracks (about :data:`BELIEVED` of people's reach it), so what exceeds it
    is counted, and no more; the share that has an interval is that beyond limits from the other folds.
    """
    table = load_table(table_path)
    fold = folds_of(table)
    held = out_of_source(table, fold, recipes=[SIGNATURES], jobs=jobs)
    plain, ai = table.column("variant") == "", table.column("label") == "ai"
    fit = np.zeros(len(table))
    views = table.views()
    for number, experts in held.experts.items():
        rows = np.flatnonzero(fold == number)
        fit[rows] = alignment.likely_speeds(views.take(rows), experts)[1]
    limits = limits_of_others(fit, fold, plain & ~ai)
    beyond = fit > np.array([limits[number] for number in fold.tolist()])
    source = table.column("source")
    row: dict[str, object] = {"limits": [round(x, 2) for x in limits.values()]}
    for name, side in (("human", plain & ~ai), ("ai", plain & ai)):
        row |= {f"{name}_tracks": int(side.sum()), f"{name}_moved": int((fit[side] > alignment.LEAST_FIT).sum())}
        row[f"{name}_sure"] = int((fit[side] > alignment.SURE_FIT).sum())
        low, high = rate_interval(beyond[side], source[side])
        row |= {f"{name}_beyond": int(beyond[side].sum()), f"{name}_low": round(low, 4), f"{name}_high": round(high, 4)}
    return row, held, dict(zip(source.tolist(), fold.tolist(), strict=True))


def main() -> None:
    """Measure, write, draw."""
    parser = corpus_arguments(__doc__, out="docs/alignment.json")
    parser.add_argument("--plot", type=Path, default=Path("docs/alignment.png"))
    args = parser.parse_args()
    row, held, fold_of_source = untouched(args.table, jobs=args.jobs)
    print(row)
    store = FeatureStore(args.store)
    tracks = choose([t for path in args.labels for t in read_labels(path)], 80, per_source=2)
    experts: list[tuple[Expert, ...]] = [held.experts[fold_of_source[t.source]] for t in tracks]
    rows, curves = [], {"ai": [], "human": []}
    factors = {number: factor for number, (t, _) in enumerate(TRIALS) if (factor := speed_of(t.name)) is not None}
    measured = measure_all(tracks, store, numbers=list(factors), jobs=args.jobs)
    for (number, factor), trial in zip(factors.items(), measured, strict=True):
        transform, seconds = TRIALS[number]
        right, moved = {"ai": [], "human": []}, {"ai": [], "human": []}
        for track, knowing, features in zip(tracks, experts, trial, strict=True):
            if features is None:
                continue
            views = Views.of([features])
            found = float(alignment.speeds(views, knowing)[0])
            right[track.label].append(abs(found / factor - 1.0) < NEAR)
            moved[track.label].append(found != 1.0)
            if factor == 1.03 and seconds > 60.0 and len(curves[track.label]) < SHOWN and features.duration > 60.0:
                curves[track.label].append(alignment.fits(views, knowing)[0])
        rows.append(
            {
                "transform": transform.name,
                "ai": len(right["ai"]),
                "ai_right": round(float(np.mean(right["ai"])), 4),
                "ai_wrong": round(float(np.mean(moved["ai"]) - np.mean(right["ai"])), 4),
                "human_moved": round(float(np.mean(moved["human"])), 4),
            }
        )
        print(rows[-1], flush=True)
    args.out.write_text(json.dumps({"untouched": row, "altered": rows}, indent=1) + "\n")
    draw(curves, args.plot, factor=1.03)


if __name__ == "__main__":
    main()
