"""Generators never met: train without a whole family of systems, test on it; and teach it from 20 tracks.

    python benchmarks/families.py --table models --out docs/families.json

A family is all versions of a system and its kin (everything that decodes with MusicGen's codec and language model
counts as one). Families are dealt into folds together with sources of human music; a fold's experts learn from no track
of its families, and from no track of a source that occurs in the fold; its combiner learns from the other folds.
With --additions, some popular generators are left out one by one, each with its family and all sources it occurs in.
The tracks of each of its sources are then looked for after `aidetect.additions.with_addition` has taught the generator
from 20 tracks of the others (or all, where they have fewer); where there is one source only, half of its tracks teach.
A second measure, kinder than one of unseen sources, lets tracks of all its sources teach and looks for the others.
Lyria is tried as version 3 alone, of which there are no 20 tracks beside others to look for, and with all its kin.
"""

from __future__ import annotations

import argparse
import collections
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aidetect.additions import heard_by, refitted, signature_scores, with_addition
from aidetect.combiner import combine, probability_of
from aidetect.dataset import FeatureTable, load_table
from aidetect.detector import Detector
from aidetect.evaluation import auroc, tpr_at
from aidetect.fitting import RECIPES, Recipe
from aidetect.heldout import HeldOut, out_of_family, out_of_source
from aidetect.kin import family_of
from aidetect.novelty import fit_range
from aidetect.splits import folds_of, row_weights, split_groups
from aidetect.stacking import Lesson, cross_fitted
from aidetect.verdicts import choose_thresholds

POPULAR = ("elevenlabs-music", "acestep-v1", "yue", "lyria-3", "lyria", "suno-v5", "minimax-music-2.6", "udio")
"""Generators, or families of which no generator has the name."""
LEAST = 5
"""Tracks of a family that count towards mean and worst."""
TAUGHT = 20
"""Tracks that a generator is taught from, where it has as many."""


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
    silent = known.withheld(table, probability)
    seconds, source = table.seconds(), table.column("source")
    guess = probability_of(logits)
    withheld = unseen.withheld(table, guess)
    found: list[dict[str, object]] = []
    for name in sorted(set(family[ai].tolist()), key=lambda f: (-int((family[ai & plain] == f).sum()), f)):
        own = plain & ai & (family == name) & (unseen.fold >= 0)
        if not own.any():
            continue  # without its sources nothing of a class would be left to learn from
        here = own | (plain & ~ai & np.isin(unseen.fold, unseen.fold[own]))
        met = plain & ~np.isin(source, source[ai & (family == name)])
        limits = choose_thresholds(probability[met], ai[met], seconds[met], withheld=silent[met])
        verdict = limits.verdicts(guess[own], seconds=seconds[own], withheld=withheld[own])
        found.append(
            {
                "family": name,
                "generators": sorted(set(generator[own].tolist())),
                "tracks": int(own.sum()),
                "auroc": round(auroc(logits[here], ai[here]), 4),
                "tpr_at_5": round(tpr_at(logits[here], ai[here], 0.05), 4),
                "found": round(float((verdict == "ai").mean()), 4),
                "missed": round(float((verdict == "human").mean()), 4),
                "simulated_alone": round(auroc(unseen.scores["simulated"][here], ai[here]), 4),
            }
        )
    return found


def median_of(splits: list[list[dict[str, object]]]) -> list[dict[str, object]]:
    """Put the median over splits in the place of every figure."""
    found = []
    by_family = [{str(row["family"]): row for row in rows} for rows in splits]
    for name in by_family[0]:
        rows = [split[name] for split in by_family if name in split]
        figures = {k: [float(str(row[k])) for row in rows] for k, v in rows[0].items() if isinstance(v, float)}
        found.append({**rows[0], **{k: round(float(np.median(v)), 4) for k, v in figures.items()}})
    return found


def of_family(table: FeatureTable, name: str) -> np.ndarray:
    """Which rows are of a generator or its kin."""
    family = np.array([family_of(generator) for generator in table.column("generator").tolist()])
    return (table.column("label") == "ai") & (family == family_of(name))


def of_name(table: FeatureTable, name: str) -> np.ndarray:
    """Which rows are of a generator, or of a whole family if no generator has this name."""
    own: np.ndarray = table.column("generator") == name
    return own if own.any() else of_family(table, name)


def lessons(
    table: FeatureTable, own: np.ndarray, *, mixed: bool = False, draws: int = 3, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Choose, several times over, rows to teach from and rows to look for, both with their altered copies.

    The tracks of each source in turn are looked for, taught from up to :data:`TAUGHT` tracks of the others, drawn at
    random. Where there is one source only, or `mixed`, up to that many and half of all tracks are drawn `draws` times.
    """
    ids, group = table.column("id"), split_groups(table)
    rng = np.random.default_rng(seed)

    def some(here: np.ndarray, count: int) -> np.ndarray:
        chosen = rng.permutation(sorted(set(ids[here].tolist())))[:count]
        return here & np.isin(ids, chosen)

    groups = sorted(set(group[own].tolist()))
    if len(groups) > 1 and not mixed:
        return [(some(own & (group != number), TAUGHT), own & (group == number)) for number in groups]
    half = min(TAUGHT, len(set(ids[own].tolist())) // 2)
    taught = [some(own, half) for _ in range(draws)]
    return [(learn, own & ~learn) for learn in taught]


def additions(
    table: FeatureTable, *, shipped: Detector, popular: Sequence[str] = POPULAR, draws: int = 3, jobs: int = 1
) -> list[dict[str, object]]:
    """Leave out popular generators in turn, teach them from 20 tracks, and look for others; shares of all looked for.

    Before, experts know neither the generator nor its kin, nor any track of its sources. Combiner and thresholds are
    those of the shipped model, a dozen numbers in all.
    """
    group, generator, source = split_groups(table), table.column("generator"), table.column("source")
    found = []
    for name in popular:
        own, kin = of_name(table, name), of_family(table, name)
        rest = table.take(~kin & ~np.isin(group, group[own]))
        before = replace(
            shipped,
            experts=refitted(shipped, rest, rest.views().prepared(), row_weights(rest), jobs=jobs),
            known=fit_range(rest.values[rest.column("variant") == ""], limit=shipped.known.limit),
        )
        row: dict[str, object] = {"generator": name, "sources": len(set(source[own].tolist()))}
        row |= _taught(table, before, rest, lessons(table, own, draws=draws), generator=name, jobs=jobs)
        if len(set(group[own].tolist())) > 1:
            drawn = lessons(table, own, mixed=True, draws=draws)
            row["drawn_from_all"] = _taught(table, before, rest, drawn, generator=name, jobs=jobs)
        row["left_out"] = sorted(set(generator[kin].tolist()))
        found.append(row)
        print(row, flush=True)
    return found


def _taught(
    table: FeatureTable,
    before: Detector,
    rest: FeatureTable,
    tried: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    generator: str,
    jobs: int,
) -> dict[str, object]:
    """Teach a generator in several ways, each from the start; shares of all tracks looked for, and each lesson."""
    plain, source = table.column("variant") == "", table.column("source")
    found: list[dict[str, object]] = []
    flags: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for learn, test in tried:
        new, tested = table.take(learn), table.take(test & plain)
        renamed = tuple({**row, "source": "addition", "generator": generator} for row in new.rows)
        after = with_addition(before, rest, replace(new, rows=renamed), generator=generator, jobs=jobs)
        lesson: dict[str, object] = {
            "taught": int((learn & plain).sum()),
            "taught_sources": len(set(source[learn].tolist())),
            "tested": len(tested),
            "tested_sources": sorted(set(source[test].tolist())),
        }
        views = tested.views()
        for label, detector in (("before", before), ("after", after)):
            logits, _, doubted = detector.decide(views, seconds=tested.seconds())
            probability = probability_of(logits)
            withheld = detector.withheld(tested.values, probability, doubted)
            verdict = detector.thresholds.verdicts(probability, seconds=tested.seconds(), withheld=withheld)
            for key, flag in (("found", verdict == "ai"), ("above_half", probability >= 0.5)):
                flags[f"{key}_{label}"].append(flag)
                lesson[f"{key}_{label}"] = int(flag.sum())
        found.append(lesson)
    shares: dict[str, object] = {key: round(float(np.concatenate(flag).mean()), 4) for key, flag in flags.items()}
    least = round(min(float(flag.mean()) for flag in flags["found_after"]), 4)
    return {**shares, "least_found_after": least, "lessons": found}


def others(
    table: FeatureTable, *, name: str, recipes: Sequence[Recipe] = RECIPES, seed: int = 0, jobs: int = 1
) -> dict[str, object]:
    """Measure everything but one family on unseen sources, without and with 20 tracks of a generator of it.

    Combiners, what the addition is worth, and thresholds come from other folds than they are tried on. Thresholds are
    those from before, since an addition leaves them as they are.
    """
    generator, group, kin = table.column("generator"), split_groups(table), of_family(table, name)
    learn, _ = lessons(table, generator == name, seed=seed)[0]
    rest = table.take(~kin)
    fold = folds_of(rest, folds=3, seed=seed)
    ai, plain, seconds = rest.column("label") == "ai", rest.column("variant") == "", rest.seconds()
    logits, withheld = {}, {}
    for label, kept in (("before", ~kin), ("after", ~kin | learn)):
        part, mine = table.take(kept), learn[kept]
        dealt = np.full(len(part), -1, dtype=np.int64)  # what is added is learned from in every fold, tested in none
        dealt[~mine] = fold
        views = part.views()
        result = out_of_source(part, dealt, recipes=recipes, views=views, jobs=jobs)
        scores, sings = {e: score[~mine] for e, score in result.scores.items()}, result.sings[~mine]
        held = HeldOut(scores, sings, fold)
        lesson = Lesson.of(rest, held, None)
        if not mine.any():
            logits[label] = cross_fitted(held, lesson)[0]
        else:
            own = signature_scores(part, views, row_weights(part), added=mine, fold=dealt, name=name, jobs=jobs)[~mine]
            logits[label] = np.zeros(len(rest), dtype=np.float32)
            for number in sorted(set(fold.tolist())):
                test = fold == number
                combiners = heard_by(lesson.combiners(~test), "added", own[~test & plain & ~ai])
                parts = {e: score[test] for e, score in (*scores.items(), ("added", own))}
                logits[label][test] = combine(parts, sings[test], combiners, seconds=seconds[test])[0]
        guess = np.zeros(len(part), dtype=np.float32)
        guess[~mine] = probability_of(logits[label])
        withheld[label] = result.withheld(part, guess)[~mine]
    here = plain & ~np.isin(group[~kin], group[learn])  # what shares a source with the addition was not unseen
    found: dict[str, object] = {"generator": name}
    for label, verdict in _verdicts(logits, withheld, ai, seconds, fold, plain).items():
        found[label] = round(auroc(logits[label][here], ai[here]), 4)
        found[f"people_called_ai_{label}"] = int((verdict[here & ~ai] == "ai").sum())
        found[f"ai_found_{label}"] = round(float((verdict[here & ai] == "ai").mean()), 4)
    found |= {"taught": int((learn & (table.column("variant") == "")).sum())}
    found |= {"people": int((here & ~ai).sum()), "ai": int((here & ai).sum())}
    return found | {"left_out": sorted(set(generator[kin].tolist()))}


def _verdicts(
    logits: dict[str, np.ndarray],
    withheld: dict[str, np.ndarray],
    ai: np.ndarray,
    seconds: np.ndarray,
    fold: np.ndarray,
    plain: np.ndarray,
) -> dict[str, np.ndarray]:
    """Give verdicts before and after by thresholds of other folds, from before."""
    guess = {label: probability_of(values) for label, values in logits.items()}
    found = {label: np.full(len(ai), "", dtype="<U9") for label in logits}
    for number in sorted(set(fold.tolist())):
        test, rest = fold == number, plain & (fold != number)
        limits = choose_thresholds(guess["before"][rest], ai[rest], seconds[rest], withheld=withheld["before"][rest])
        for label, verdict in found.items():
            verdict[test] = limits.verdicts(guess[label][test], seconds=seconds[test], withheld=withheld[label][test])
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="models")
    parser.add_argument("--out", type=Path, default=Path("docs/families.json"))
    parser.add_argument("--additions", action="store_true")
    parser.add_argument(
        "--splits", type=int, default=3, help="whose median is taken; with --additions, draws of one source's tracks"
    )
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
