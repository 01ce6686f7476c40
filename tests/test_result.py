from __future__ import annotations

import copy
import json
import pickle
from dataclasses import asdict, replace

import pytest

from aidetect.experts import Evidence
from aidetect.features import describe_features
from aidetect.result import ReadOnly, Result


@pytest.fixture
def result() -> Result:
    return Result(
        path="song.mp3",
        probability=0.75,
        verdict="uncertain",
        families=ReadOnly(compression=0.1, shimmer=1.5, vocals=None),
        features=ReadOnly(dict.fromkeys((feature.name for feature in describe_features()), float("nan"))),
        reasons=(Evidence("crest_factor", -0.5, 12.0), Evidence("lines at 4-6 kHz", 1.2, float("nan"))),
        duration=61.0,
        model_version="m",
        thresholds=ReadOnly(ai=0.9, human=0.2),
        start=-0.5,
        error_rates=ReadOnly(false_positives=0.006, false_positives_high=0.014, missed=0.044),
    )


def test_a_result_cannot_be_changed(result: Result) -> None:
    for change in (
        lambda: result.features.__setitem__("crest_factor", 0.0),
        lambda: result.families.pop("shimmer"),
        lambda: result.thresholds.update(ai=0.0),
        lambda: result.error_rates.clear(),
    ):
        with pytest.raises(TypeError):
            change()


def test_a_result_can_be_copied_and_sent_to_another_process(result: Result) -> None:
    for other in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert other.to_dict() == result.to_dict()
        assert other.thresholds == result.thresholds
        with pytest.raises(TypeError):
            other.features["crest_factor"] = 0.0
    assert asdict(result)["families"] == dict(result.families)


def test_a_result_is_the_number_it_stands_for(result: Result) -> None:
    assert float(result) == result.probability
    assert 0.0 <= float(result) <= 1.0


def test_a_result_is_shown_in_a_line(result: Result) -> None:
    assert repr(result) == (
        "Result(path='song.mp3', verdict='uncertain', probability=0.7500, duration=61.0, model_version='m')"
    )
    assert result == replace(result)
    assert result != replace(result, start=0.0)


def test_a_dict_of_a_result_says_where_evidence_starts_and_verdicts_begin(result: Result) -> None:
    found = json.loads(json.dumps(result.to_dict()))
    assert found["start"] == -0.5
    assert found["thresholds"] == {"ai": 0.9, "human": 0.2}
    assert found["error_rates"] == {"false_positives": 0.006, "false_positives_high": 0.014, "missed": 0.044}
    assert found["withheld"] is False
    assert found["families"]["vocals"] is None
