from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import music
from tables import made_up

from aidetect import fitting, training
from aidetect.analysis import GRID
from aidetect.dataset import FeatureTable
from aidetect.detector import Detector
from aidetect.errors import TrainingError

RECIPES = tuple(r for r in fitting.RECIPES if r.name in ("peaks", "lines", "texture_net", "dynamics", "voice"))


def newcomer(*, tracks: int, seed: int) -> FeatureTable:
    """Tracks of a generator with lines where no other has them, and nothing else to tell it by."""
    table = made_up(tracks=2 * tracks, strength=0.0, seed=seed).take(np.arange(2 * tracks) % 2 == 0)
    details = table.details.copy()
    details[:, np.arange(630, len(GRID) - 1, 90)] += np.int8(20)
    return replace(table, details=details, rows=tuple({**r, "generator": "new", "source": "added"} for r in table.rows))


def test_a_new_generator_is_learned_and_named() -> None:
    base = made_up(strength=2.0)
    before = training.fit_detector(base, recipes=RECIPES)
    after = training.with_addition(before, base, newcomer(tracks=20, seed=1), generator="new")
    fresh = newcomer(tracks=20, seed=2)
    views = fresh.views()
    assert np.mean(before.decide(views, seconds=fresh.seconds())[0] > 0) < 0.6
    assert np.mean(after.decide(views, seconds=fresh.seconds())[0] > 0) > 0.9
    assert after.version.endswith("+new")
    assert after.about["additions"][-1]["tracks"] == 20
    known = base.views()
    ai = base.column("label") == "ai"
    assert np.mean((after.decide(known, seconds=base.seconds())[0] > 0) == ai) > 0.9


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    for i in range(12):
        sf.write(folder / f"{i:02d}.wav", music(seconds=4.5, rate=16_000, seed=i).T, 16_000)
    (folder / "broken.mp3").write_bytes(b"nothing" * 100)
    return folder


def test_recalibration_bounds_false_positives_and_says_what_is_left(catalogue: Path) -> None:
    detector, said = Detector.load(), []
    tuned = detector.recalibrate(catalogue, max_false_positive_rate=0.25, report=said.append)
    scores = [tuned.score(path).probability for path in sorted(catalogue.glob("*.wav"))]
    # (12 + 1) * 0.25 = 3.25: the third highest must stay below, so that two lie above.
    assert sum(p >= tuned.thresholds.ai for p in scores) == 2
    note = tuned.about["recalibration"]
    assert note["tracks"] == 12
    assert 0.0 <= note["recall"] <= 1.0
    assert tuned.thresholds.human <= tuned.thresholds.ai
    assert len(said) == 1


def test_too_few_tracks_for_a_rate_are_refused(catalogue: Path) -> None:
    with pytest.raises(TrainingError, match="99"):
        Detector.load().recalibrate(sorted(catalogue.glob("0*.wav"))[:3])
