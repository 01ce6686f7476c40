from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import aidetect
from aidetect.errors import AudioError, ModelFileError
from aidetect.modelfile import model_folder


def test_the_shipped_model_scores(song_path: Path) -> None:
    result = aidetect.score(song_path)
    assert 0.0 <= float(result) == result.probability <= 1.0
    assert result.verdict in ("ai", "human", "uncertain")
    assert set(result.families) == {"compression", "shimmer", "vocals"}
    assert result.path == str(song_path)
    assert result.sample_rate == 44_100
    assert result.model_version
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["verdict"] == result.verdict
    with pytest.raises(TypeError):
        result.features["plr"] = 0.0


def test_array_and_file_get_one_answer(song: np.ndarray, song_path: Path) -> None:
    y, rate = sf.read(song_path, dtype="float32")
    assert aidetect.score_array(y.T, rate).probability == pytest.approx(aidetect.score(song_path).probability, abs=1e-6)


def test_a_file_object_gets_the_answer_of_its_path(song_path: Path) -> None:
    assert aidetect.score(io.BytesIO(song_path.read_bytes())).probability == aidetect.score(song_path).probability


def test_the_model_can_be_named(song_path: Path, tmp_path: Path) -> None:
    (shipped,) = model_folder().glob("*.model")
    assert aidetect.score(song_path, model=shipped).to_dict() == aidetect.score(song_path).to_dict()
    broken = tmp_path / "broken.model"
    broken.write_bytes(shipped.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="broken"):
        aidetect.score(song_path, model=broken)
    with pytest.raises(ModelFileError, match="broken"):
        aidetect.score_array(np.zeros(44_100), 44_100, model=broken)


def test_an_effort_that_does_not_exist_is_refused(song_path: Path) -> None:
    with pytest.raises(ValueError, match="'slow'"):
        aidetect.score(song_path, effort="slow")  # type: ignore[arg-type]


def test_an_array_is_called_as_the_caller_likes(song: np.ndarray) -> None:
    assert aidetect.score_array(song, 44_100, name="take 3").path == "take 3"
    with pytest.raises(AudioError, match="take 4"):
        aidetect.score_array(song[:, :1000], 44_100, name="take 4")


def test_everything_public_is_there_and_documented() -> None:
    for name in aidetect.__all__:
        public = getattr(aidetect, name)
        assert not callable(public) or public.__doc__, name


def test_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="none"):
        aidetect.score(tmp_path / "none.wav")


def test_importing_and_scoring_need_no_training_libraries(song_path: Path) -> None:
    code = (
        "import sys, aidetect;"
        "heavy = {'numpy', 'scipy', 'librosa', 'sklearn', 'soundfile', 'av'} & set(sys.modules);"
        "assert not heavy, heavy;"
        f"aidetect.score({str(song_path)!r});"
        "late = {'librosa', 'sklearn', 'matplotlib'} & set(sys.modules);"
        "assert not late, late"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
