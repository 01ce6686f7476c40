"""Generators never met: train without a whole family of systems, test on it; and teach it from 20 tracks.

    python benchmarks/families.py --table models --out docs/families.json

A family is all versions of a system and its kin (everything that decodes with MusicGen's codec and language model
counts as one). Families are dealt into folds together with sources of human music; a fold's experts learn from no track
of its families, and from no track of a source that occurs in the fold; its combiner learns from the other folds.
With --additions, some popular generators are left out one by one, then taught with
`aidetect.additions.with_addition` from 20 of their tracks (or half of them, where there are fewer than 40), and looked
for among the others.
"""

from __future__ import annotations

import argparse
import collections
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from aidetect.additions import heard_by, signature_scores, with_addition
from aidetect.combiner import combine, probability_of
from aidetect.dataset import FeatureTable, load_table
from aidetect.detector import Detector
from aidetect.evaluation import auroc, tpr_at
from aidetect.fitting import RECIPES, fit_expert
from aidetect.heldout import out_of_family, out_of_source
from aidetect.kin import family_of
from aidetect.splits import folds_of, row_weights
from aidetect.stacking import Lesson, cross_fitted
from aidetect.verdicts import choose_thresholds

POPULAR = ("elevenlabs-music", "acestep-v1", "yue", "lyria-3", "suno-v5", "minimax-music-2.6", "udio")
LEAST = 5
"""Tracks of a family that count towards mean and worst."""


def unseen_families(table: FeatureTable, *, seed: int = 0, jobs: int = 1) -> list[dict[str, object]]:
    """Measure every family by experts and a combiner that know none of it."""
    ai, plain = table.column("label") == "ai", table.column("variant") == ""
    generator = table.column("generator")
    family = np.array([family_of(name) for name in generator.tolist()])
    known = out_of_source(table, folds_of(table, seed=seed), jobs=jobs)
    unseen = out_of_family(table, seed=seed, jobs=jobs)
    if unseen is None:
        raise SystemExit("the table names too few families")
    lesson = Lesson.of(table, known, unseen)
    logits, _ = cross_fitted(unseen, lesson)
    probability = probability_of(cross_fitted(known, lesson)[0])
    seconds = table.seconds()
    limits = choose_thresholds(probability[plain], ai[plain], seconds[plain])
    guess = probability_of(logits)
    verdict = limits.verdicts(guess, seconds=seconds, withheld=unseen.withheld(table, guess))
    found: list[dict[str, object]] = []
    for name in sorted(set(family[ai].tolist()), key=lambda f: (-int((family[ai & plain] == f).sum()), f)):
        own = plain & ai & (family == name)
        here = own | (plain & ~ai & np.isin(unseen.fold, unseen.fold[own]))
        found.append(
            {
                "family": name,
                "generators": sorted(set(generator[own].tolist())),
                "tracks": int(own.sum()),
                "auroc": round(auroc(logits[here], ai[here]), 4),
                "tpr_at_5": round(tpr_at(logits[here], ai[here], 0.05), 4),
                "found": round(float((verdict[own] == "ai").mean()), 4),
                "missed": round(float((verdict[own] == "human").mean()), 4),
                "simulated_alone": round(auroc(unseen.scores["simulated"][here], ai[here]), 4),
            }
        )
    return found


def median_of(splits: list[list[dict[str, object]]]) -> list[dict[str, object]]:
    """Put the median over splits in the place of every figure."""
    found = []
    for rows in zip(*splits, strict=True):
        figures = {k: [float(str(row[k])) for row in rows] for k, v in rows[0].items() if isinstance(v, float)}
        found.append({**rows[0], **{k: round(float(np.median(v)), 4) for k, v in figures.items()}})
    return found


def additions(
    table: FeatureTable, *, shipped: Detector, popular: Sequence[str] = POPULAR, draws: int = 3, jobs: int = 1
) -> list[dict[str, object]]:
    """Leave out popular generators in turn, teach them from 20 tracks, and look for the rest; means over draws.

    Experts never see the tracks that are looked for; combiner and thresholds are those of the shipped model, a dozen
    numbers in all.
    """
    plain = table.column("variant") == ""
    generator, ids = table.column("generator"), table.column("id")
    found = []
    for name in popular:
        own = generator == name
        rest = table.take(~own)
        weight, views = row_weights(rest), rest.views().prepared()
        rows = np.arange(len(rest))
        recipes = [recipe for recipe in RECIPES if not recipe.simulated]  # what knows no generators at all can stay
        fitted = Parallel(n_jobs=jobs, prefer="threads")(
            delayed(fit_expert)(recipe, rest, views, weight, rows) for recipe in recipes
        )
        untaught = {e.name: e for e in (*shipped.experts, *fitted)}
        before = replace(shipped, experts=tuple(untaught.values()))
        results: dict[str, list[float]] = collections.defaultdict(list)
        for seed in range(draws):
            tracks = np.random.default_rng(seed).permutation(sorted(set(ids[own].tolist())))
            taught = set(tracks[: min(20, len(tracks) // 2)].tolist())
            learn = own & np.isin(ids, list(taught))
            tested = table.take(own & ~learn & plain)
            new = table.take(learn)
            renamed = tuple({**row, "source": "addition"} for row in new.rows)
            after = with_addition(before, rest, replace(new, rows=renamed), generator=name, jobs=jobs)
            for label, detector in (("before", before), ("after", after)):
                probability = probability_of(detector.decide(tested.views(), seconds=tested.seconds())[0])
                verdict = detector.thresholds.verdicts(
                    probability, seconds=tested.seconds(), withheld=detector.withheld(tested.values, probability)
                )
                results[f"found_{label}"].append(float(np.mean(verdict == "ai")))
                results[f"above_half_{label}"].append(float(np.mean(probability >= 0.5)))
        row: dict[str, object] = {"generator": name, "taught": len(taught), "tested": len(tested), "draws": draws}
        row |= {key: round(float(np.mean(shares)), 4) for key, shares in results.items()}
        row["worst_found_after"] = round(min(results["found_after"]), 4)
        found.append(row)
        print(row, flush=True)
    return found


def others(table: FeatureTable, *, name: str, seed: int = 0, jobs: int = 1) -> dict[str, object]:
    """Measure everything but one generator on unseen sources, without and with 20 of its tracks to learn from."""
    generator, ids = table.column("generator"), table.column("id")
    own = generator == name
    taught = np.random.default_rng(seed).permutation(sorted(set(ids[own].tolist())))[:20]
    found: dict[str, object] = {"generator": name}
    for label, kept in (("before", ~own), ("after", ~own | np.isin(ids, taught))):
        part = table.take(kept)
        ai, plain, mine = part.column("label") == "ai", part.column("variant") == "", part.column("generator") == name
        fold = folds_of(part, folds=3, seed=seed)
        fold[mine] = -1  # learned from in every fold, tested in none
        views = part.views()
        result = out_of_source(part, fold, views=views, jobs=jobs)
        combiners, scores = Lesson.of(part, result, None).combiners(~mine), dict(result.scores)
        here = plain & ~mine
        if mine.any():
            scores["added"] = signature_scores(
                part, views, row_weights(part), added=mine, fold=fold, name=name, jobs=jobs
            )
            combiners = heard_by(combiners, "added", scores["added"][here & ~ai])
        logits = combine(scores, result.sings, combiners, seconds=part.seconds())[0]
        if label == "before":
            limits = choose_thresholds(probability_of(logits)[here], ai[here], part.seconds()[here])
        guess = probability_of(logits)
        verdicts = limits.verdicts(guess, seconds=part.seconds(), withheld=result.withheld(part, guess))
        found[label] = round(auroc(logits[here], ai[here]), 4)
        found[f"people_called_ai_{label}"] = int((verdicts[here & ~ai] == "ai").sum())
        found[f"ai_found_{label}"] = round(float((verdicts[here & ai] == "ai").mean()), 4)
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="models")
    parser.add_argument("--out", type=Path, default=Path("docs/families.json"))
    parser.add_argument("--additions", action="store_true")
    parser.add_argument("--splits", type=int, default=3, help="whose median is taken; draws with --additions")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    table = load_table(args.table)
    found: dict[str, object] = json.loads(args.out.read_text()) if args.out.exists() else {}
    if args.additions:
        found["additions"] = additions(table, shipped=Detector.load(), draws=args.splits, jobs=args.jobs)
        found["everything_else"] = others(table, name=POPULAR[0], jobs=args.jobs)
        print(found["everything_else"])
    else:
        rows = median_of([unseen_families(table, seed=seed, jobs=args.jobs) for seed in range(args.splits)])
        found["families"] = rows
        big = [float(str(r["auroc"])) for r in rows if int(str(r["tracks"])) >= LEAST]
        found["mean_auroc"], found["worst_auroc"] = round(float(np.mean(big)), 4), round(min(big), 4)
        for row in rows:
            print(*(row[k] for k in ("family", "tracks", "auroc", "tpr_at_5", "found", "missed", "simulated_alone")))
        print(f"mean over families of at least {LEAST} tracks", found["mean_auroc"], "worst", found["worst_auroc"])
    args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
