"""Measure the shipped model's recipe on sources it does not see, and write the model card.

    python benchmarks/model_card.py --table models --out models/README.md

Reads the feature table of the repository; no audio is needed. Where docs/families.json and docs/robustness.json are
there, made by benchmarks/families.py and benchmarks/robustness.py, their tables are included.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aidetect.dataset import FeatureTable, load_table
from aidetect.detector import Detector, default_model_path
from aidetect.evaluation import Evaluation, Metrics, cross_validate, reliability
from aidetect.features import describe_features
from aidetect.prevalence import stated_metrics
from aidetect.verdicts import SHORT

HUMAN_SLICES = (
    *("origin", "proof of its age", "genre", "vocals", "length", "loudness"),
    *("codec", "bit rate", "channels", "sample rate"),
)

LENGTHS = ("under 15 s", "15 to 60 s", "over 60 s")
FIGURES = (
    ("AUROC", "auroc"),
    ("TPR at 5 % FPR", "tpr_at_5"),
    ("TPR at 1 % FPR", "tpr_at_1"),
    ("people's tracks called AI", "false_positives"),
    ("AI tracks found", "found"),
    ("AI tracks called human", "missed"),
    ("uncertain, all tracks", "uncertain"),
    ("Brier score", "brier"),
    ("expected calibration error", "calibration_error"),
)
"""Names in the card and in the metrics."""


def percent(x: float | None) -> str:
    """Format a share."""
    return "-" if x is None or x != x else f"{100 * x:.1f} %"


def number(name: str, x: float | None) -> str:
    """Format a figure of the metrics: shares of verdicts in percent."""
    if name in ("false_positives", "found", "missed", "uncertain"):
        return percent(x)
    return "-" if x is None or x != x else f"{x:.4f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Format a Markdown table."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def figures(measured: list[Metrics]) -> list[str]:
    """Format the medians of AUROC and of the rates at 5 % and 1 %."""
    medians = [float(np.median([getattr(m, name) for m in measured])) for name in ("auroc", "tpr_at_5", "tpr_at_1")]
    return ["-" if x != x else f"{x:.{digits}f}" for x, digits in zip(medians, (4, 3, 3), strict=True)]


def numbers(evaluation: Evaluation, name: str) -> np.ndarray:
    """Read one numeric entry of every row."""
    return np.array([float(row[name]) for row in evaluation.rows])


def overall(found: list[Evaluation]) -> str:
    """Format the main figures and those of each part alone."""
    names = list(found[0].alone())
    rows_of_table = []
    for label, chosen in {"**whole detector**": [np.ones(len(e.ai), dtype=bool) for e in found], **met(found)}.items():
        tracks = int(np.median([int((rows & e.ai).sum()) for e, rows in zip(found, chosen, strict=True)]))
        measured = [e.over(rows) for e, rows in zip(found, chosen, strict=True)]
        rows_of_table.append([label, str(tracks), *figures(measured)])
    for name in names:
        read = np.median([e.alone()[name] for e in found], axis=0)
        label = name if not name.startswith("expert ") else f"expert `{name[7:]}`"
        label = f"family {label}" if not name.startswith("expert ") else label
        if name == "expert peaks":
            label += " (linear peak-residue model)"
        rows_of_table.append([label, "", f"{read[0]:.4f}", f"{read[1]:.3f}", f"{read[2]:.3f}"])
    return table(["", "AI tracks", "AUROC", "TPR at 5 % FPR", "TPR at 1 % FPR"], rows_of_table)


def met(found: list[Evaluation]) -> dict[str, list[np.ndarray]]:
    """Sort the tracks of every split by how well training knew their makers; people's tracks are in every part."""
    names, families = [e.known_generators() for e in found], [e.known_families() for e in found]
    return {
        "of these, generators met in training": [n | ~e.ai for e, n in zip(found, names, strict=True)],
        "the same, tracks over a minute": [
            (n | ~e.ai) & (numbers(e, "seconds") >= SHORT) for e, n in zip(found, names, strict=True)
        ],
        "of these, generators of which only kin were met": [
            (f & ~n) | ~e.ai for e, n, f in zip(found, names, families, strict=True)
        ],
        "of these, families never met": [~f for f in families],
    }


def shipped(about: Mapping[str, Any]) -> str:
    """Format the rates that the model states of itself, for all tracks and by length."""
    parts = [about["metrics"], *(stated_metrics(about, name) for name in ("long", "short"))]

    def interval(m: Mapping[str, Any], name: str) -> str:
        return f"{percent(m[name])} ({percent(m.get(name + '_low'))} to {percent(m.get(name + '_high'))})"

    rows = [
        ["people's tracks", *(f"{m['human']} of {m.get('human_sources', '?')} sources" for m in parts)],
        ["AI tracks", *(f"{m['ai']} of {m.get('ai_sources', '?')} sources" for m in parts)],
        ["people's tracks called AI", *(interval(m, "false_positives") for m in parts)],
        ["of these tracks", *(str(round(m["false_positives"] * m["human"])) for m in parts)],
        ["from sources", *(str(m.get("flagged_sources", "?")) for m in parts)],
        ["AI tracks found", *(interval(m, "found") for m in parts)],
        ["AI tracks called human", *(interval(m, "missed") for m in parts)],
        *(
            [label, *(number(name, m[name]) for m in parts)]
            for label, name in FIGURES
            if name not in ("false_positives", "found", "missed")
        ),
    ]
    return table(["", "all", f"of {SHORT:.0f} s and more", "shorter"], rows)


def verdicts(found: list[Evaluation]) -> str:
    """Format the figures of the splits, from the lowest to the highest."""
    measured = [e.overall for e in found]
    rows = []
    for label, name in FIGURES:
        read = [getattr(m, name) for m in measured]
        rows.append([label, *(number(name, float(x)) for x in (np.median(read), min(read), max(read)))])
    return table(["", "median of the splits", "lowest", "highest"], rows)


def intervals(evaluation: Evaluation, *, draws: int = 1000) -> str:
    """Format the intervals that drawing sources gives for one split."""
    m, ends = evaluation.overall, evaluation.intervals(draws=draws)
    rows = [
        [label, number(name, getattr(m, name)), " to ".join(number(name, x) for x in ends[name])]
        for label, name in FIGURES
        if name in ("auroc", "tpr_at_1", "found", "false_positives")
    ]
    wrong = round(m.false_positives * m.human) if m.human else 0
    rows.append(["people's tracks called AI, by Wilson's interval over the design effect", percent(m.false_positives)])
    rows[-1].append(f"{percent(m.false_positives_low)} to {percent(m.false_positives_high)}")
    rows.append(["these tracks", f"{wrong} of {m.human}", f"of {m.flagged_sources} of {m.human_sources} sources"])
    return table(["first split", "", "95 % interval by sources"], rows)


def calibration(found: list[Evaluation], length: np.ndarray) -> str:
    """Format the calibration by length, and by how well the makers were known."""
    parts = {
        "all tracks": [np.ones(len(e.ai), dtype=bool) for e in found],
        **{name: [length == name] * len(found) for name in LENGTHS},
        **{label.removeprefix("of these, "): rows for label, rows in met(found).items()},
    }
    rows_of_table = []
    for label, chosen in parts.items():
        measured = [e.over(rows) for e, rows in zip(found, chosen, strict=True)]
        errors = [m.calibration_error for m in measured]
        counts = [f"{int(np.median([getattr(m, side) for m in measured]))}" for side in ("human", "ai")]
        medians = [float(np.median(x)) for x in (errors, [m.brier for m in measured])]
        spread = f"{number('', min(errors))} to {number('', max(errors))}"
        rows_of_table.append([label, " / ".join(counts), number("", medians[0]), spread, number("", medians[1])])
    return table(["", "human / AI", "expected calibration error", "of the splits", "Brier score"], rows_of_table)


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
        bound = [m.found_low if is_ai else m.false_positives_high for m in measured]
        rows.append(
            [
                name,
                str(int(here.sum())),
                str(measured[0].ai_sources if is_ai else measured[0].human_sources),
                f"{np.median([m.auroc for m in measured]):.3f}",
                percent(float(np.median(called))),
                percent(float(np.median(bound))),
                percent(min(called) if is_ai else max(called)),
                percent(float(np.median([np.mean(e.verdict[here] == "uncertain") for e in found]))),
            ]
        )
    called_so = ("found", "at least") if is_ai else ("called AI", "at most")
    return table(["", "tracks", "sources", "AUROC", *called_so, "worst split", "uncertain"], rows)


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


def lossless(codec: np.ndarray) -> np.ndarray:
    """Tell which codecs keep every sample: PCM, whole numbers and floats, FLAC and ALAC."""
    pcm = np.char.startswith(codec, "pcm") & ~np.isin(codec, ("pcm_alaw", "pcm_mulaw"))
    return pcm | np.isin(codec, ("float", "double", "flac", "alac"))


def columns(evaluation: Evaluation, loudness: np.ndarray) -> dict[str, np.ndarray]:
    """Sort the tracks into slices; `loudness` in LUFS, shape (tracks,)."""
    of = evaluation.entries
    seconds, kilobits = numbers(evaluation, "seconds"), numbers(evaluation, "kilobits")
    rates = np.array(["below 112 kbit/s", "112 to 159 kbit/s", "160 to 255 kbit/s", "256 kbit/s and more"])
    levels = np.array(["below -20 LUFS", "-20 to -14 LUFS", "-14 to -9 LUFS", "above -9 LUFS"])
    origin = np.array(["Debian packages" if s.startswith("deb:") else "repositories" for s in of("source")])
    return {
        "generator": of("generator"),
        "codec": of("codec"),
        "length": np.array(LENGTHS)[np.digitize(seconds, (15.0, 60.0))],
        "channels": of("channels"),
        "sample rate": of("sample_rate"),
        "vocals": of("vocals"),
        "origin": origin,
        "proof of its age": of("proof"),
        "genre": np.char.lower(of("genre")),
        "bit rate": np.where(lossless(of("codec")), "lossless", rates[np.digitize(kilobits, (112.0, 160.0, 256.0))]),
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
    draw(found, args.plot)
    parts = card(data, found, Detector.load(default_model_path()).about, folds=args.folds)
    for name, path, write in (
        ("families", Path("docs/families.json"), _families),
        ("robustness", Path("docs/robustness.json"), _robustness),
    ):
        parts[name] = write(json.loads(path.read_text())) if path.exists() else "Not measured yet."
    template = Path(__file__).with_name("model_card.template.md").read_text(encoding="utf-8")
    Path(args.out).write_text(filled(template, parts), encoding="utf-8")
    print(parts["shipped"], parts["overall"], parts["verdicts"], parts["intervals"], sep="\n\n")


def card(
    data: FeatureTable, found: list[Evaluation], about: Mapping[str, Any], *, folds: int, draws: int = 1000
) -> dict[str, str]:
    """Make the parts of the card that the table, the splits and the shipped model tell."""
    first = found[0]
    names = [feature.name for feature in describe_features()]
    plain = data.column("variant") == ""
    by = columns(first, data.values[plain, names.index("integrated_loudness")])
    human_slices = [
        f"### Human music by {name}\n\n" + slices(found, by[name], ~first.ai, least=20) for name in HUMAN_SLICES
    ]
    return {
        "version": about["version"],
        "digest": about["data"][:16],
        "human": str(about["tracks"]["human"]),
        "ai": str(about["tracks"]["ai"]),
        "human_sources": str(about["sources"]["human"]),
        "twins": str(0 if data.twins is None else len(data.twins) // 2),
        "ai_sources": str(about["sources"]["ai"]),
        "generators": str(len(about["generators"])),
        "rows": str(len(data)),
        "repeats": str(len(found)),
        "folds": str(folds),
        "shipped": shipped(about),
        "overall": overall(found),
        "verdicts": verdicts(found),
        "intervals": intervals(first, draws=draws),
        "calibration": calibration(found, by["length"]),
        "reliability": table(
            ["mean prediction", "share of AI", "tracks"],
            [[f"{p:.2f}", f"{share:.2f}", str(n)] for p, share, n in reliability(first.probability, first.ai)],
        ),
        "by_generator": slices(found, by["generator"], first.ai, least=4),
        "by_codec_ai": slices(found, by["codec"], first.ai, least=20),
        "by_length_ai": slices(found, by["length"], first.ai, least=20),
        "human_slices": "\n\n".join(human_slices),
        "too_bold": too_bold(found, by),
    }


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Put the parts into their places."""
    for key, value in parts.items():
        template = template.replace("{{" + key + "}}", value)
    return template


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
            percent(r["false_positives_high"]),
            percent(r["found"]),
            percent(r["uncertain"]),
            percent(r["same"]),
            percent(r["opposite"]),
        ]
        for r in rows
    ]
    header = ["transform", "human / AI", "AUROC", "human called AI", "at most", "AI found", "uncertain", "same"]
    return table([*header, "opposite"], cells)


if __name__ == "__main__":
    main()
