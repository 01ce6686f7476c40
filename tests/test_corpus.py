"""The shipped model on the labelled clips beside the checkout. It was trained on most of their originals: these tests
watch for breakage, they do not measure."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from conftest import CORPUS

import aidetect
from aidetect.evaluation import auroc

pytestmark = pytest.mark.corpus


def _clips(label: str, count: int) -> list[dict[str, str]]:
    with (CORPUS / "tracks.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == label]
    return rows[:: max(1, len(rows) // count)][:count]


def test_clips_of_both_classes_are_told_apart() -> None:
    rows = _clips("ai", 30) + _clips("human", 30)
    ai = np.array([row["label"] == "ai" for row in rows])
    results = [aidetect.score(CORPUS / row["file"]) for row in rows]
    assert auroc(np.array([r.probability for r in results]), ai) > 0.9
    human = [r.verdict for r, is_ai in zip(results, ai, strict=True) if not is_ai]
    assert human.count("ai") <= 2
