from __future__ import annotations

import pytest

from aidetect.features import FAMILIES, describe_features, feature_number


def test_the_catalogue_is_complete_and_unique() -> None:
    features = describe_features()
    assert len({f.name for f in features}) == len(features)
    assert {f.family for f in features} == set(FAMILIES)
    assert all(f.unit and f.meaning and f.source and "\n" not in f.meaning for f in features)


def test_families_stand_together_and_in_order() -> None:
    numbers = [FAMILIES.index(feature.family) for feature in describe_features()]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    "name",
    ["integrated_loudness", "true_peak", "clipped_samples", "effective_bandwidth", "cutoff_drop", "voiced_seconds"],
)
def test_what_tells_the_history_of_a_file_is_not_scored(name: str) -> None:
    assert not describe_features()[feature_number(name)].scored


def test_columns_are_found_by_name() -> None:
    features = describe_features()
    assert [feature_number(feature.name) for feature in features] == list(range(len(features)))
    with pytest.raises(KeyError):
        feature_number("no_such_feature")
