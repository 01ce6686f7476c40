"""Generators never met: train without a whole family of systems, test on it; and teach it from 20 tracks.

    python benchmarks/families.py --table models --out docs/families.json

A family is all versions of a system and its kin (everything that decodes with MusicGen's codec and language model
counts as one). Families are dealt into folds together with sources of human music; a fold's models learn from no track
of its families, and from no track of a source that occurs in the fold. With --additions, some popular generators are
left out one by one, then taught with `aidetect.training.with_addition` from 20 of their tracks (or half of them, where
there are fewer than 40), and looked for among the others.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from aidetect.dataset import FeatureTable, load_table
from aidetect.detector import Detector, combine
from aidetect.evaluation import auroc, tpr_at
from aidetect.fitting import RECIPES, fit_expert, fit_gate
from aidetect.training import (
    fit_combiners,
    folds_of,
    out_of_source,
    row_weights,
    with_addition,
)

KIN = {
    "musicgen": "musicgen unimumo coco-mulla mcv2m stage vidmuse songecho m2ugen musicongen melodylm",
    "audioldm": "audioldm musicldm mt-musicldm mustango tango msldm mixldm",
    "stable-audio": "stable-audio diff-a-riff presto mr-flowdpo",
    "ace-step": "acestep",
    "suno": "suno",
    "elevenlabs": "elevenlabs-music",
    "noise2music": "noise2music",
    "lyria": "lyria musicfx",
    "riffusion": "riffusion flow-music",
    "msdm": "msdm gmsdi",
    "early": "samplernn wavenet sashimi unagan musika",
}
POPULAR = ("elevenlabs-music", "acestep-v1", "yue", "lyria-3", "suno-v5", "minimax-music-2.6", "udio")


def family_of(generator: str) -> str:
    """Name the family of a generator."""
    for family, members in KIN.items():
        if any(generator.startswith(member) for member in members.split()):
            return family
    return generator


def unseen_families(table: FeatureTable, *, folds: int = 8, seed: int = 0) -> list[dict[str, object]]:
    """Measure every family by models that know none of it."""
    rng = np.random.default_rng(seed)
    ai, plain = table.column("label") == "ai", table.column("variant") == ""
    family = np.array([family_of(g) for g in table.column("generator").tolist()])
    source = table.column("source")
    fold = folds_of(table, folds=folds, seed=seed)
    counts = sorted(set(family[ai].tolist()), key=lambda f: -int((family[ai & plain] == f).sum()))
    order = {name: i % folds for i, name in enumerate([*counts[:folds], *rng.permutation(counts[folds:]).tolist()])}
    fold[ai] = [order[f] for f in family[ai].tolist()]
    weight, views = row_weights(table), table.views()
    names = [recipe.name for recipe in RECIPES]
    scores = {name: np.zeros(len(table), dtype=np.float32) for name in names}
    sings = np.zeros(len(table), dtype=bool)
    for number in range(folds):
        test = fold == number
        rows = np.flatnonzero(~np.isin(source, list(set(source[test].tolist()))))
        for recipe in RECIPES:
            scores[recipe.name][test] = fit_expert(recipe, views, ai, weight, rows).score(views)[test]
        sings[test] = fit_gate(table, rows).score(views)[test] > 0
        print(f"fold {number + 1} of {folds}", flush=True)
    # The combiner is of the shipped kind: fitted on predictions for unseen sources, most of whose families are known.
    known = out_of_source(table, folds_of(table, seed=seed), views=views)
    logits = np.zeros(len(table), dtype=np.float32)
    for number in range(folds):
        test = fold == number
        combiners = fit_combiners(
            {n: s[~test] for n, s in known.scores.items()}, known.sings[~test], ai[~test], weight[~test]
        )
        logits[test] = combine({n: s[test] for n, s in scores.items()}, sings[test], combiners)[0]
    rows_out: list[dict[str, object]] = []
    for name in counts:
        here = plain & ((ai & (family == name)) | (~ai & (fold == order[name])))
        members = sorted(set(table.column("generator")[ai & (family == name)].tolist()))
        rows_out.append(
            {
                "family": name,
                "generators": members,
                "tracks": int((ai & plain & (family == name)).sum()),
                "auroc": round(auroc(logits[here], ai[here]), 4),
                "tpr_at_5": round(tpr_at(logits[here], ai[here], 0.05), 4),
            }
        )
    return rows_out


def additions(table: FeatureTable, *, shipped: Detector, seed: int = 0) -> list[dict[str, object]]:
    """Leave out popular generators in turn, teach them from 20 tracks, and look for the rest.

    Experts never see the tracks that are looked for; combiner and thresholds are those of the shipped model, a dozen
    numbers in all.
    """
    plain = table.column("variant") == ""
    generator, ids = table.column("generator"), table.column("id")
    found = []
    for name in POPULAR:
        own = generator == name
        tracks = np.random.default_rng(seed).permutation(sorted(set(ids[own].tolist())))
        taught = set(tracks[: min(20, len(tracks) // 2)].tolist())
        learn = own & np.isin(ids, list(taught))
        test = own & ~learn & plain
        rest = table.take(~own)
        weight, views, ai = row_weights(rest), rest.views(), rest.column("label") == "ai"
        rows = np.arange(len(rest))
        before = replace(shipped, experts=tuple(fit_expert(recipe, views, ai, weight, rows) for recipe in RECIPES))
        new = table.take(learn)
        renamed = tuple({**row, "source": "addition"} for row in new.rows)
        after = with_addition(before, rest, replace(new, rows=renamed), generator=name)
        tested = table.take(test)
        row: dict[str, object] = {"generator": name, "taught": len(taught), "tested": int(test.sum())}
        for label, detector in (("before", before), ("after", after)):
            probability = 1 / (1 + np.exp(-np.clip(detector.decide(tested.views())[0], -12, 12)))
            verdict = detector.thresholds.verdicts(
                probability, seconds=tested.seconds(), withheld=detector.withheld(tested.values)
            )
            row[f"found_{label}"] = round(float(np.mean(verdict == "ai")), 4)
            row[f"above_half_{label}"] = round(float(np.mean(probability >= 0.5)), 4)
        found.append(row)
        print(row, flush=True)
    return found


def others(table: FeatureTable, *, name: str, seed: int = 0) -> tuple[float, float]:
    """AUROC of everything but one generator on unseen sources, without and with 20 of its tracks to learn from."""
    generator, ids = table.column("generator"), table.column("id")
    own = generator == name
    taught = np.random.default_rng(seed).permutation(sorted(set(ids[own].tolist())))[:20]
    results = []
    for kept in (~own, ~own | np.isin(ids, taught)):
        part = table.take(kept)
        ai, plain, mine = part.column("label") == "ai", part.column("variant") == "", part.column("generator") == name
        fold = folds_of(part, folds=3, seed=seed)
        fold[mine] = -1  # learned from in every fold, tested in none
        result = out_of_source(part, fold)
        combiners = fit_combiners(
            {n: s[~mine] for n, s in result.scores.items()}, result.sings[~mine], ai[~mine], row_weights(part)[~mine]
        )
        logits = combine(result.scores, result.sings, combiners)[0]
        here = plain & ~mine
        results.append(auroc(logits[here], ai[here]))
    return results[0], results[1]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="models")
    parser.add_argument("--out", type=Path, default=Path("docs/families.json"))
    parser.add_argument("--additions", action="store_true")
    args = parser.parse_args()
    table = load_table(args.table)
    found: dict[str, object] = json.loads(args.out.read_text()) if args.out.exists() else {}
    if args.additions:
        found["additions"] = additions(table, shipped=Detector.load())
        before, after = others(table, name=POPULAR[0])
        found["everything_else"] = {"generator": POPULAR[0], "before": round(before, 4), "after": round(after, 4)}
        print(found["everything_else"])
    else:
        rows = unseen_families(table)
        found["families"] = rows
        big = [float(str(r["auroc"])) for r in rows if int(str(r["tracks"])) >= 5]
        found["mean_auroc"], found["worst_auroc"] = round(float(np.mean(big)), 4), round(min(big), 4)
        for row in rows:
            print(row["family"], row["tracks"], row["auroc"], row["tpr_at_5"])
        print("mean over families of at least 5 tracks", found["mean_auroc"], "worst", found["worst_auroc"])
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
