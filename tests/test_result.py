from __future__ import annotations

import copy
import pickle
from dataclasses import asdict

import numpy as np
import pytest

from aidetect import score_array
from aidetect.result import Result


@pytest.fixture(scope="module")
def result(song: np.ndarray) -> Result:
    return score_array(song, 44_100, name="song")


def test_a_result_cannot_be_changed(result: Result) -> None:
    for change in (
        lambda: result.features.__setitem__("crest_factor", 0.0),
        lambda: result.families.pop("shimmer"),
        lambda: result.thresholds.update(ai=0.0),
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
