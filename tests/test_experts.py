from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tables import NAMES, made_up

from aidetect import fitting
from aidetect.analysis import GRID
from aidetect.dataset import FeatureTable, concatenate
from aidetect.evaluation import auroc
from aidetect.experts import SignaturesExpert, signature_parts

PLACES = {"first": np.arange(600, len(GRID) - 1, 90), "second": np.arange(640, len(GRID) - 1, 110)}


def of_two_kinds(*, tracks: int = 80, seed: int = 0) -> FeatureTable:
    """People's tracks, and those of two generators with lines at places of their own, weak ones."""
    base = made_up(tracks=3 * tracks, strength=0.0, seed=seed)
    ai = base.column("label") == "ai"
    parts = [base.take(~ai)]
    for i, (name, places) in enumerate(PLACES.items()):
        part = base.take(np.flatnonzero(ai)[i::2])
        details = part.details.copy()
        details[:, places] += np.int8(5)
        parts.append(replace(part, details=details, rows=tuple({**row, "generator": name} for row in part.rows)))
    return concatenate(parts)


def fitted(table: FeatureTable) -> SignaturesExpert:
    found = fitting.fit_expert(
        fitting.SIGNATURES, table, table.views(), np.ones(len(table), np.float32), np.arange(len(table))
    )
    assert isinstance(found, SignaturesExpert)
    return found


@pytest.fixture(scope="module")
def expert() -> SignaturesExpert:
    return fitted(of_two_kinds())


def test_a_signature_fits_its_own_generator_best(expert: SignaturesExpert) -> None:
    fresh = of_two_kinds(seed=1)
    fits, generator = expert.fits(fresh.views()), fresh.column("generator")
    assert expert.generators == ("first", "second")
    for i, name in enumerate(expert.generators):
        assert np.mean(fits[generator == name].argmax(axis=1) == i) > 0.95
        assert auroc(fits[:, i], generator == name) > 0.95
    assert auroc(expert.score(fresh.views()), fresh.column("label") == "ai") > 0.95


def test_fits_are_in_spreads_of_people_not_met(expert: SignaturesExpert) -> None:
    fresh = of_two_kinds(tracks=200, seed=1)
    fits = expert.fits(fresh.take(fresh.column("label") == "human").views())
    # Three views with shares 2, 1, 1, each of unit spread and independent of the others: sqrt(6) together.
    np.testing.assert_allclose(fits.std(axis=0), np.sqrt(6.0), rtol=0.4)
    np.testing.assert_allclose(fits.mean(axis=0), 0.0, atol=2.0)


def test_envelope_and_features_alone_make_no_great_fit(expert: SignaturesExpert) -> None:
    people = of_two_kinds(seed=1)
    people = people.take(people.column("label") == "human")
    _, envelope, singles = (expert.filters[part, 0] for part in signature_parts(len(expert.columns)))
    columns = [NAMES.index(name) for name in expert.columns]
    values = people.values.copy()
    values[:, columns] = np.where(singles > 0.0, 1e4, -1e4)
    lines = np.where(envelope > 0.0, np.int8(8), np.int8(0))
    pulse = replace(people, values=values, modulation=np.broadcast_to(lines, people.modulation.shape))
    before, after = (expert.fits(table.views())[:, 0] for table in (people, pulse))
    assert (replace(expert, limit=1e9).fits(pulse.views())[:, 0] > 10.0 * expert.limit).all()
    assert (after > before).all()
    assert np.median(after) < 2.0 * expert.limit + 2.0  # and what the fine structure adds: 0 within a spread of it


def test_the_best_fit_counts_and_is_named(expert: SignaturesExpert) -> None:
    table = of_two_kinds(tracks=200, seed=2)
    second = table.take(np.flatnonzero(table.column("generator") == "second")[:1])
    (reason,) = expert.explain(second.views())
    assert reason.name == "signature of second"
    assert reason.weight == pytest.approx(float(expert.score(second.views())[0]))
    people = table.take(table.column("label") == "human")
    unlike = people.take(expert.fits(people.views()).max(axis=1).argsort()[:1])
    (reason,) = expert.explain(unlike.views())
    assert reason.name == "signature of any known generator"
    assert reason.weight < 0.0


def test_a_missing_feature_moves_no_signature(expert: SignaturesExpert) -> None:
    table = of_two_kinds(seed=3).take(np.arange(5))
    mean = replace(table, values=table.values.copy())
    columns = [i for i, name in enumerate(NAMES) if name in expert.columns]
    mean.values[:, columns] = expert.mean[-len(columns) :]
    gone = replace(table, values=np.full_like(table.values, np.nan))
    np.testing.assert_allclose(expert.fits(gone.views()), expert.fits(mean.views()), atol=1e-3)


@pytest.mark.parametrize("width", [40, 400])
def test_filters_are_matched_and_answers_to_people_not_met_are_told(width: int) -> None:
    rng = np.random.default_rng(0)
    people = rng.standard_normal((200, width)).astype(np.float32)
    other = rng.standard_normal((width, 2)).astype(np.float32)

    def direct(x: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
        middle = x.mean(axis=0)
        covariance = np.cov(x.T.astype(np.float64), bias=True) + ridge * np.eye(width)
        return middle, np.linalg.solve(covariance, other - middle[:, None])

    ridge = fitting._RIDGE * float(people.var(axis=0).mean())
    middle, wanted = direct(people, ridge)
    share = np.full(200, 1 / 200, np.float32)
    found, unmet = fitting._matched(people - middle, share, other - middle[:, None])
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-4)
    for i in range(0, 200, 40):
        rest, without = direct(np.delete(people, i, axis=0), ridge)
        np.testing.assert_allclose(unmet[i], (people[i] - rest) @ without, rtol=0.03, atol=0.05)


def test_generators_of_few_tracks_and_unnamed_ones() -> None:
    table = of_two_kinds()
    generator = table.column("generator")
    few = np.flatnonzero(generator == "second")[2:]
    assert fitted(table.take(np.setdiff1d(np.arange(len(table)), few))).generators == ("first",)
    unnamed = replace(table, rows=tuple({**row, "generator": ""} for row in table.rows))
    assert fitted(unnamed).generators == ("unnamed",)
