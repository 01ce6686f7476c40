"""Lookalikes: people's tracks that fit the signature of a generator best, by filters that never met their source.

    python benchmarks/lookalikes.py --table models --out docs/lookalikes.json

Those of which signatures abstain, since the speed that fits is in doubt, are not listed. Some may have gone through the
decoder of a generator on their way to a research page, others are chance. All stay in training, thresholds and figures
as they are labelled: nothing is left out because a model would like it better.
"""

from __future__ import annotations

import argparse
import collections
import json
from pathlib import Path

import numpy as np

from aidetect import alignment
from aidetect.dataset import load_table
from aidetect.experts import SignaturesExpert
from aidetect.fitting import SIGNATURES
from aidetect.heldout import out_of_source
from aidetect.splits import folds_of

LEAST = 20.0
"""Fit from which on a track is listed, in spreads of people's music."""


def main() -> None:
    """Find and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="models")
    parser.add_argument("--out", type=Path, default=Path("docs/lookalikes.json"))
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    table = load_table(args.table)
    views, fold = table.views(), folds_of(table)
    held = out_of_source(table, fold, recipes=[SIGNATURES], views=views, jobs=args.jobs)
    human, plain = table.column("label") == "human", table.column("variant") == ""
    of_source = collections.Counter(table.column("source")[human & plain].tolist())
    found: list[dict[str, object]] = []
    for number, experts in held.experts.items():
        (signatures,) = (expert for expert in experts if isinstance(expert, SignaturesExpert))
        here = np.flatnonzero(human & plain & (fold == number))
        tested = views.take(here)
        fits = signatures.fits(tested.undone(alignment.speeds(tested, experts)))
        for row in np.flatnonzero(np.nan_to_num(held.scores[SIGNATURES.name][here]) >= LEAST):
            known = table.rows[here[row]]
            found.append(
                {
                    "track": known["id"],
                    "source": known["source"],
                    "of_its_source": of_source[known["source"]],
                    "seconds": float(known["seconds"]),
                    "fits": signatures.generators[int(fits[row].argmax())],
                    "spreads": round(float(fits[row].max()), 1),
                }
            )
    found.sort(key=lambda row: -float(str(row["spreads"])))
    score = held.scores[SIGNATURES.name][human & plain]  # where they do not abstain
    summary = {"people": len(score), "median": round(float(np.nanmedian(score)), 1)}
    args.out.write_text(json.dumps({**summary, "lookalikes": found}, indent=1) + "\n")
    for about in found:
        print(*about.values())


if __name__ == "__main__":
    main()
