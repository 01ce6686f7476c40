"""Measure the shipped model's recipe on sources it does not see, and write the model card.

    python benchmarks/model_card.py --table models --out models/README.md

Reads the feature table of the repository; no audio is needed. Where docs/families.json and docs/robustness.json are
there, made by benchmarks/families.py and benchmarks/robustness.py, their tables are included.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from aidetect.dataset import load_table
from aidetect.detector import Detector, default_model_path
from aidetect.evaluation import Evaluation, Metrics, cross_validate, reliability, wilson
from aidetect.features import describe_features
from aidetect.verdicts import SHORT

HUMAN_SLICES = (
    *("origin", "proof of its age", "genre", "vocals", "length", "loudness"),
    *("codec", "bit rate", "channels", "sample rate"),
)


def percent(x: float) -> str:
    """Format a share."""
    return "-" if x != x else f"{100 * x:.1f} %"


def median(evaluations: list[Evaluation], read: str) -> float:
    """Median over the repeats of one figure."""
    return float(np.median([getattr(e.overall, read) for e in evaluations]))


def table(header: list[str], rows: list[list[str]]) -> str:
    """Format a Markdown table."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def figures(measured: list[Metrics]) -> list[str]:
    """Format the medians of AUROC and of the rates at 5 % and 1 %."""
    medians = [float(np.median([getattr(m, name) for m in measured])) for name in ("auroc", "tpr_at_5", "tpr_at_1")]
    return [f"{medians[0]:.4f}", f"{medians[1]:.3f}", f"{medians[2]:.3f}"]


def numbers(evaluation: Evaluation, name: str) -> np.ndarray:
    """Read one numeric entry of every row."""
    return np.array([float(row[name]) for row in evaluation.rows])


def overall(found: list[Evaluation]) -> str:
    """Format the main figures and those of each part alone."""
    names = list(found[0].alone())
    rows = []
    for label, chosen in (
        ("**whole detector**", [e.overall for e in found]),
        ("of these, generators met in training", [e.over(e.known_generators() | ~e.ai) for e in found]),
        (
            "the same, tracks over a minute",
            [e.over((e.known_generators() | ~e.ai) & (numbers(e, "seconds") >= SHORT)) for e in found],
        ),
        ("of these, generators never met", [e.over(~e.known_generators()) for e in found]),
    ):
        rows.append([label, *figures(chosen)])
    for name in names:
        read = np.median([e.alone()[name] for e in found], axis=0)
        label = name if not name.startswith("expert ") else f"expert `{name[7:]}`"
        label = f"family {label}" if not name.startswith("expert ") else label
        if name == "expert peaks":
            label += " (linear peak-residue model)"
        rows.append([label, f"{read[0]:.4f}", f"{read[1]:.3f}", f"{read[2]:.3f}"])
    return table(["", "AUROC", "TPR at 5 % FPR", "TPR at 1 % FPR"], rows)


def verdicts(found: list[Evaluation]) -> str:
    """Format the verdicts and the calibration."""
    m = found[0].overall
    flagged = round(m.false_positives * m.human)
    low, high = wilson(flagged, m.human)
    rows = [
        ["human tracks called AI", percent(median(found, "false_positives"))],
        ["in the first split", f"{flagged} of {m.human}, 95 % interval {percent(low)} to {percent(high)}"],
        ["AI tracks found", percent(median(found, "found"))],
        ["AI tracks called human", percent(median(found, "missed"))],
        ["uncertain, all tracks", percent(median(found, "uncertain"))],
        ["Brier score", f"{median(found, 'brier'):.4f}"],
        ["expected calibration error", f"{median(found, 'calibration_error'):.4f}"],
    ]
    return table(["thresholds from the other folds", ""], rows)


def slices(found: list[Evaluation], entries: np.ndarray, side: np.ndarray, *, least: int) -> str:
    """Format medians over the splits per value of some column, for one class, against all of the other class."""
    rows = []
    is_ai = bool(found[0].ai[side][0])
    for name in sorted(set(entries[side].tolist())):
        here = side & (entries == name)
        if here.sum() < least:
            continue
        measured = [e.over(here | (e.ai != is_ai)) for e in found]
        called = [m.found if is_ai else m.false_positives for m in measured]
        rows.append(
            [
                name,
                str(int(here.sum())),
                f"{np.median([m.auroc for m in measured]):.3f}",
                percent(float(np.median(called))),
                percent(min(called) if is_ai else max(called)),
                percent(float(np.median([np.mean(e.verdict[here] == "uncertain") for e in found]))),
            ]
        )
    return table(["", "tracks", "AUROC", "found" if is_ai else "called AI", "worst split", "uncertain"], rows)


def too_bold(found: list[Evaluation], by: dict[str, np.ndarray], *, least: int = 40, bound: float = 0.02) -> str:
    """Name the slices of people's music that are called AI more often than they may be."""
    named = []
    for column in HUMAN_SLICES:
        for name in sorted(set(by[column].tolist())):
            here = ~found[0].ai & (by[column] == name)
            rate = float(np.median([np.mean(e.verdict[here] == "ai") for e in found])) if here.sum() >= least else 0.0
            if rate > bound:
                named.append(f"{column} {name} ({percent(rate)} of {here.sum()})")
    return "; ".join(named) or "none"


def columns(evaluation: Evaluation, loudness: np.ndarray) -> dict[str, np.ndarray]:
    """Sort the tracks into slices; `loudness` in LUFS, shape (tracks,)."""

    def of(name: str) -> np.ndarray:
        return np.array([row.get(name, "") or "unknown" for row in evaluation.rows])

    seconds, kilobits = numbers(evaluation, "seconds"), numbers(evaluation, "kilobits")
    lengths = np.array(["under 15 s", "15 to 60 s", "over 60 s"])
    rates = np.array(["below 112 kbit/s", "112 to 159 kbit/s", "160 to 255 kbit/s", "256 kbit/s and more"])
    lossless = np.isin(of("codec"), ("flac", "alac")) | np.char.startswith(of("codec"), "pcm")
    levels = np.array(["below -20 LUFS", "-20 to -14 LUFS", "-14 to -9 LUFS", "above -9 LUFS"])
    origin = np.array(["Debian packages" if s.startswith("deb:") else "repositories" for s in of("source")])
    return {
        "generator": of("generator"),
        "codec": of("codec"),
        "length": lengths[np.digitize(seconds, (15.0, 60.0))],
        "channels": of("channels"),
        "sample rate": of("sample_rate"),
        "vocals": of("vocals"),
        "origin": origin,
        "proof of its age": of("proof"),
        "genre": np.char.lower(of("genre")),
        "bit rate": np.where(lossless, "lossless", rates[np.digitize(kilobits, (112.0, 160.0, 256.0))]),
        "loudness": levels[np.digitize(loudness, (-20.0, -14.0, -9.0))],
    }


def draw(found: list[Evaluation], path: Path) -> None:
    """Draw the reliability diagram and the spread of probabilities of both classes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    left.plot((0, 1), (0, 1), color="0.6", linewidth=1, label="perfect")
    for number, evaluation in enumerate(found):
        points = reliability(evaluation.probability, evaluation.ai)
        left.plot([p for p, _, _ in points], [s for _, s, _ in points], "o-", label=f"split {number + 1}")
    left.set(xlabel="mean predicted probability", ylabel="share of AI (classes weigh the same)", title="Reliability")
    left.legend(frameon=False)
    first = found[0]
    for name, side in (("people", ~first.ai), ("AI", first.ai)):
        right.hist(first.probability[side], bins=np.linspace(0, 1, 41), alpha=0.6, label=f"{name}, {side.sum()} tracks")
    right.set(xlabel="predicted probability of AI", ylabel="tracks", yscale="log", title="Unseen sources, split 1")
    right.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="models")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", default="models/README.md")
    parser.add_argument("--plot", type=Path, default=Path("docs/reliability.png"))
    args = parser.parse_args()
    data = load_table(args.table)
    found = cross_validate(data, folds=args.folds, repeats=args.repeats, jobs=args.jobs)
    first = found[0]
    names = [feature.name for feature in describe_features()]
    plain = data.column("variant") == ""
    by = columns(first, data.values[plain, names.index("integrated_loudness")])
    draw(found, args.plot)
    about = Detector.load(default_model_path()).about
    text = Path(__file__).with_name("model_card.template.md").read_text(encoding="utf-8")
    human_slices = [
        f"### Human music by {name}\n\n" + slices(found, by[name], ~first.ai, least=20) for name in HUMAN_SLICES
    ]
    robustness, families = Path("docs/robustness.json"), Path("docs/families.json")
    parts = {
        "version": about["version"],
        "digest": about["data"][:16],
        "human": str(about["tracks"]["human"]),
        "ai": str(about["tracks"]["ai"]),
        "human_sources": str(about["sources"]["human"]),
        "twins": str(0 if data.twins is None else len(data.twins) // 2),
        "families": _families(json.loads(families.read_text())) if families.exists() else "Not measured yet.",
        "ai_sources": str(about["sources"]["ai"]),
        "generators": str(len(about["generators"])),
        "rows": str(len(data)),
        "repeats": str(args.repeats),
        "folds": str(args.folds),
        "spread": ", ".join(f"{e.overall.auroc:.4f}" for e in found),
        "overall": overall(found),
        "verdicts": verdicts(found),
        "reliability": table(
            ["mean prediction", "share of AI", "tracks"],
            [[f"{p:.2f}", f"{share:.2f}", str(n)] for p, share, n in reliability(first.probability, first.ai)],
        ),
        "by_generator": slices(found, by["generator"], first.ai, least=4),
        "by_codec_ai": slices(found, by["codec"], first.ai, least=20),
        "by_length_ai": slices(found, by["length"], first.ai, least=20),
        "human_slices": "\n\n".join(human_slices),
        "too_bold": too_bold(found, by),
        "robustness": _robustness(json.loads(robustness.read_text())) if robustness.exists() else "Not measured yet.",
    }
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    Path(args.out).write_text(text, encoding="utf-8")
    print(parts["overall"], parts["verdicts"], sep="\n\n")


def _families(found: dict[str, Any]) -> str:
    rows = [
        [
            row["family"],
            str(row["tracks"]),
            f"{row['auroc']:.3f}",
            f"{row['tpr_at_5']:.2f}",
            percent(row["found"]),
            percent(row["missed"]),
        ]
        for row in found["families"]
    ]
    mean = f"Mean over families of at least five tracks {found['mean_auroc']:.3f}, worst {found['worst_auroc']:.3f}."
    return mean + "\n\n" + table(["", "tracks", "AUROC", "TPR at 5 % FPR", "called AI", "called human"], rows)


def _robustness(rows: list[dict[str, float]]) -> str:
    cells = [
        [
            r["transform"],
            f"{r['human']} / {r['ai']}",
            f"{r['auroc']:.3f}",
            percent(r["false_positives"]),
            percent(r["found"]),
            percent(r["uncertain"]),
            percent(r["same"]),
            percent(r["opposite"]),
        ]
        for r in rows
    ]
    header = ["transform", "human / AI", "AUROC", "human called AI", "AI found", "uncertain", "same", "opposite"]
    return table(header, cells)


if __name__ == "__main__":
    main()
