from __future__ import annotations

import io
import json
import math
import pickle
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from conftest import music
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import NAMES, made_up, sped_up

import aidetect
from aidetect import alignment, fitting, training
from aidetect.detector import Detector
from aidetect.errors import ModelFileError, OutputError, TrainingError
from aidetect.experts import SignaturesExpert, Views
from aidetect.modelfile import read_model, write_model
from aidetect.prevalence import error_rates
from aidetect.verdicts import Thresholds

RECIPES = tuple(
    r for r in fitting.RECIPES if r.name in ("peaks", "texture", "texture_net", "signatures", "dynamics", "voice")
)


@pytest.fixture(scope="module")
def small() -> Detector:
    return training.fit_detector(made_up(strength=2.0), version="small", recipes=RECIPES)


@pytest.fixture(scope="module")
def small_path(small: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.model"
    small.save(path)
    return path


def test_a_saved_detector_answers_as_before(small: Detector, small_path: Path) -> None:
    table = made_up(seed=5)
    views = table.views()
    again = Detector.load(small_path)
    first, second = (d.decide(views, seconds=table.seconds())[0] for d in (small, again))
    np.testing.assert_allclose(second, first, rtol=1e-5, atol=1e-5)
    assert again.version == "small"
    assert again.thresholds == small.thresholds
    assert again.about["metrics"]["auroc"] > 0.9


def test_evidence_of_families_adds_up_to_the_probability(small: Detector, song: np.ndarray) -> None:
    result = small.score_array(song, 44_100)
    total = result.start + sum(v for v in result.families.values() if v is not None)
    assert result.probability == pytest.approx(1 / (1 + math.exp(-np.clip(total, -12, 12))), abs=1e-4)
    louder = {kind: replace(combiner, bias=2.0) for kind, combiner in small.combiners.items()}
    other = replace(small, combiners=louder).score_array(song, 44_100)
    assert other.families == result.families
    assert other.start > 0.0
    assert math.log(other.probability / (1.0 - other.probability)) == pytest.approx(
        float(np.clip(total - result.start + other.start, -12, 12)), abs=1e-3
    )


def test_reasons_add_up_to_what_the_experts_moved(
    small: Detector, song: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aidetect import detector
    from aidetect.experts import Views
    from aidetect.extraction import extract_array

    monkeypatch.setattr(detector, "_REASONS", 10_000)
    track = extract_array(song, 44_100)
    views = Views(np.array([list(track.values.values())]), track.details[None], track.modulation[None])
    combiner = small.combiners["vocal" if bool(small.sings(views)[0]) else "instrumental"]
    wanted = 0.0
    for expert in small.experts:
        if expert.name in combiner.weights:
            end = float(expert.score(views)[0])
            start = end - sum(part.weight for part in expert.explain(views))
            moved = combiner.evidence(
                {expert.name: np.float32([start, end])} | dict.fromkeys(combiner.weights, np.zeros(2))
            )
            wanted += float(np.diff(moved[expert.name])[0])
    wanted *= float(combiner.reliance(np.float32([track.duration]))[0])
    total = sum(reason.weight for reason in small.judge(track).reasons)
    assert total == pytest.approx(wanted, abs=0.15)  # what is below 0.01 is not shown


def test_the_vocal_family_abstains_where_nobody_sings(small: Detector) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 5 * 44_100)).astype(np.float32)
    result = small.score_array(noise, 44_100)
    assert result.families["vocals"] is None
    assert result.to_dict()["families"]["vocals"] is None


def test_music_over_a_telephone_gets_no_verdict_and_the_reason(song: np.ndarray) -> None:
    import soxr

    narrow = soxr.resample(song.T, 44_100, 8_000).T
    result = aidetect.score_array(narrow, 8_000)
    assert result.verdict == "uncertain"
    assert any("kHz" in warning for warning in result.warnings)


def test_too_few_bands_stand_against_human_only(small: Detector) -> None:
    table = made_up(tracks=20).take(np.zeros(4, dtype=int))
    table.values[:, NAMES.index("effective_bandwidth")] = (4_000.0, 4_000.0, 6_000.0, 6_000.0)
    values, none = table.values, np.zeros(4, dtype=bool)
    probability = np.array([0.1, 0.99, 0.1, 0.99], dtype=np.float32)
    lenient = replace(small, known=replace(small.known, limit=1.0))
    assert lenient.withheld(values, probability, none).tolist() == [True, False, False, False]
    strict = replace(small, known=replace(small.known, limit=-1.0))
    assert strict.withheld(values, probability, none).all()


def test_a_verdict_that_is_withheld_is_marked(small: Detector, song: np.ndarray) -> None:
    strict, lenient = (replace(small, known=replace(small.known, limit=limit)) for limit in (-1.0, 1.0))
    withheld = strict.score_array(song, 44_100)
    assert withheld.withheld
    assert withheld.verdict == "uncertain"
    assert any("no verdict is given" in warning for warning in withheld.warnings)
    assert not lenient.score_array(song, 44_100).withheld


def test_results_say_how_often_verdicts_are_wrong(small: Detector, song: np.ndarray) -> None:
    short = {"false_positives": 0.02, "false_positives_high": 0.04, "missed": 0.05}
    stated = replace(small, about={**small.about, "metrics_by_length": {"short": short, "long": {}}})
    assert stated.score_array(song, 44_100).error_rates == short
    assert replace(small, about={}).score_array(song, 44_100).error_rates == {}


def test_a_detector_is_shown_in_a_line(small: Detector) -> None:
    assert repr(small) == f"Detector(version='small', experts={len(small.experts)}, sources='8 ai, 8 human')"
    assert "unknown" in repr(replace(small, about={}))


@pytest.fixture(scope="module")
def judging(small: Detector) -> Detector:
    """The same for music unlike its training, of which it withholds no verdict."""
    return replace(small, known=replace(small.known, limit=1.0))


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    for i in range(12):
        sf.write(folder / f"{i:02d}.wav", music(seconds=4.5, rate=16_000, seed=i).T, 16_000)
    (folder / "broken.mp3").write_bytes(b"nothing" * 100)
    return folder


def test_recalibration_bounds_false_positives_and_says_what_is_left(judging: Detector, catalogue: Path) -> None:
    said: list[str] = []
    tuned = judging.recalibrate(catalogue, max_false_positive_rate=0.25, report=said.append)
    ai, human = tuned.thresholds.limits(4.5)
    scores = [tuned.score(path).probability for path in sorted(catalogue.glob("*.wav"))]
    # (12 + 1) * 0.25 = 3.25: the third highest must stay below, so that two lie above.
    assert sum(p >= ai for p in scores) == 2
    note = tuned.about["recalibration"]
    assert note["tracks"] == note["lengths"]["short"]["tracks"] == 12
    assert 0.0 <= note["lengths"]["short"]["recall"] <= 1.0
    assert human <= ai
    assert tuned.thresholds.ai >= judging.thresholds.ai  # no track of that length was there
    assert len(said) == 1


def test_training_keeps_how_ai_tracks_of_each_length_score() -> None:
    table = made_up(strength=2.0)
    halves = tuple({**row, "seconds": "20.0" if i % 4 < 2 else "90.0"} for i, row in enumerate(table.rows))
    about = training.fit_detector(replace(table, rows=halves), recipes=RECIPES).about
    quantiles = about["ai_quantiles_by_length"]
    assert {name: len(found) for name, found in quantiles.items()} == {"short": 201, "long": 201}
    assert max(quantiles["short"][-1], quantiles["long"][-1]) == about["ai_quantiles"][-1]
    assert quantiles["short"] != quantiles["long"]


def test_a_recalibrated_model_is_saved_with_what_is_known_of_it(
    judging: Detector, catalogue: Path, tmp_path: Path
) -> None:
    tuned = judging.recalibrate(catalogue, max_false_positive_rate=0.25, report=lambda _: None)
    tuned.save(tmp_path / "own.model")
    again = Detector.load(tmp_path / "own.model")
    assert again.thresholds == tuned.thresholds
    assert again.about["recalibration"] == tuned.about["recalibration"]


def test_too_few_tracks_for_a_rate_are_refused(judging: Detector, catalogue: Path) -> None:
    with pytest.raises(TrainingError, match="at least 99"):
        judging.recalibrate(sorted(catalogue.glob("0*.wav"))[:3])


def test_copies_of_a_track_count_once(judging: Detector, catalogue: Path, tmp_path: Path) -> None:
    track = catalogue / "00.wav"
    copy = tmp_path / "another name.wav"
    copy.write_bytes(track.read_bytes())
    with (
        pytest.raises(TrainingError, match=r"^1 different human tracks \(1 under 60 s, 0 longer\) .* at least 99"),
        pytest.warns(UserWarning, match=r"99 of 100 files are copies of others .*00\.wav: a copy of"),
    ):
        judging.recalibrate([track] * 99 + [copy])
    told: list[str] = []
    tracks = sorted(catalogue.glob("*.wav"))
    tuned = judging.recalibrate([*tracks, copy], max_false_positive_rate=0.25, report=told.append)
    assert tuned.about["recalibration"]["tracks"] == 12
    assert told == [f"{copy}: a copy of {track}."]


@pytest.mark.parametrize("rate", [0.0, 1.0, 2.0, -0.5, float("nan")])
def test_rates_that_are_none_are_refused(small: Detector, catalogue: Path, rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        small.recalibrate(catalogue, max_false_positive_rate=rate)


def test_what_gets_no_verdict_sets_no_threshold(small: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = [
        SimpleNamespace(path=f"{i}", duration=90.0, probability=0.999 if i < 3 else 0.1, withheld=i < 3)
        for i in range(40)
    ]
    monkeypatch.setattr("aidetect.batch.score_files", lambda paths, **_: tracks)
    told: list[str] = []
    tuned = small.recalibrate([], max_false_positive_rate=0.05, report=told.append)
    assert tuned.thresholds.ai < 0.2
    assert tuned.about["recalibration"]["tracks"] == 37
    assert [line[:4] for line in told] == ["0: g", "1: g", "2: g"]


def test_recalibration_is_named_once_and_leaves_no_file_out_silently(judging: Detector, tmp_path: Path) -> None:
    for seed in range(4):
        sf.write(tmp_path / f"{seed}.wav", music(seconds=4.5, rate=16_000, seed=seed).T, 16_000)
    (tmp_path / "broken.mp3").write_bytes(b"nothing" * 100)
    with pytest.warns(UserWarning, match=r"1 of 5 files .* left out; the first: .*broken\.mp3"):
        once = judging.recalibrate(tmp_path, max_false_positive_rate=0.25)
    told: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        twice = once.recalibrate(tmp_path, max_false_positive_rate=0.25, report=told.append)
    assert len(told) == 1
    assert once.version == twice.version == "small+recalibrated"
    result = twice.score(tmp_path / "0.wav")
    assert result.model_version == "small+recalibrated"
    rates = result.error_rates
    assert (rates["bound"], rates["false_positives"]) == (0.25, pytest.approx(1 / 5))
    assert rates["false_positives_high"] == pytest.approx(1.0 - 0.025**0.25)  # so rarely all of four lie below
    assert "bound" not in error_rates(twice.about, seconds=60.0)


def test_short_music_is_told_to_be_short(song: np.ndarray) -> None:
    assert any("6 s" in warning for warning in aidetect.score_array(song, 44_100).warnings)


@pytest.mark.parametrize(
    ("p", "verdict"), [(0.95, "ai"), (0.9, "ai"), (0.5, "uncertain"), (0.2, "human"), (0.0, "human")]
)
def test_verdicts(p: float, verdict: str) -> None:
    assert Thresholds(ai=0.9, human=0.2).verdict(p) == verdict


def test_model_files_hold_nothing_that_is_executed(small_path: Path) -> None:
    with zipfile.ZipFile(small_path) as archive:
        for name in archive.namelist():
            header = archive.read(name)[:200]
            assert header.startswith(b"\x93NUMPY")
            assert b"'|O'" not in header


def test_foreign_files_are_refused(tmp_path: Path, small_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("executed",)

    objects = io.BytesIO()
    np.savez(objects, **{"about.json": np.array([Evil()], dtype=object)})
    cases = {
        "pickle": pickle.dumps(Evil()),
        "objects": objects.getvalue(),
        "text": b"hello",
        "empty": b"",
        "cut": small_path.read_bytes()[:-300],
    }
    for name, data in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match=name):
            Detector.load(path)
    with pytest.raises(ModelFileError, match="nowhere"):
        Detector.load(tmp_path / "nowhere.model")


@pytest.fixture(scope="module")
def knows_lines() -> Detector:
    recipes = [r for r in fitting.RECIPES if r.name in ("lines", "peaks", "signatures")]
    return training.fit_detector(made_up(strength=2.0), version="lines", recipes=recipes)


@pytest.mark.parametrize("factor", [0.96, 1.03])
def test_a_change_of_speed_is_undone(knows_lines: Detector, factor: float) -> None:
    table = made_up(strength=3.0, seed=5)
    ai, seconds = table.column("label") == "ai", table.seconds()
    altered = sped_up(table, factor=factor).views()
    speed = knows_lines.speeds(altered)
    np.testing.assert_allclose(speed[ai], factor, rtol=4e-4)
    assert (speed[~ai] == 1.0).all()
    unaware = replace(knows_lines, least_fit=1e9)
    first, aligned, missed = (
        d.decide(views, seconds=seconds)[0]
        for d, views in ((knows_lines, table.views()), (knows_lines, altered), (unaware, altered))
    )
    assert np.median(aligned[ai]) > 0.6 * np.median(first[ai]) > 0.0
    assert np.median(missed[ai]) < 0.0


def test_a_result_says_what_speed_was_undone(
    small: Detector, song: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small.score_array(song, 44_100).to_dict()["speed"] == 1.0
    fits_at(monkeypatch, 0.97, fit=2.0 * alignment.SURE_FIT)
    for limits, told in ((Thresholds(ai=0.0, human=0.0), True), (Thresholds(ai=1.1, human=1.0), False)):
        result = replace(small, thresholds=limits, known=replace(small.known, limit=1.0)).score_array(song, 44_100)
        assert result.speed == pytest.approx(0.97)
        assert any("3.0 % too slow" in warning for warning in result.warnings) == told


def fits_at(monkeypatch: pytest.MonkeyPatch, speed: float, *, fit: float) -> None:
    def likely(views: Views, _: object) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(views), speed, np.float32), np.full(len(views), fit, np.float32)

    monkeypatch.setattr(alignment, "likely_speeds", likely)


@pytest.mark.parametrize(
    ("bias", "fit", "verdict"), [(90.0, 13.9, "uncertain"), (90.0, 14.1, "ai"), (-90.0, 13.9, "human")]
)
def test_nothing_is_called_ai_for_a_speed_that_fits_some_people_by_chance(
    small: Detector, song: np.ndarray, monkeypatch: pytest.MonkeyPatch, bias: float, fit: float, verdict: str
) -> None:
    fits_at(monkeypatch, 1.03, fit=fit)
    leaning = {name: replace(combiner, bias=bias) for name, combiner in small.combiners.items()}
    lenient = replace(small, combiners=leaning, thresholds=Thresholds(0.5, 0.4), known=replace(small.known, limit=1.0))
    result = lenient.score_array(song, 44_100)
    assert result.verdict == verdict
    assert result.withheld == (verdict == "uncertain")
    assert any("not called AI" in warning for warning in result.warnings) == result.withheld
    table = made_up(tracks=2)
    _, _, doubted = lenient.aligned(table.views())
    held = lenient.withheld(table.values, np.full(2, result.probability, dtype=np.float32), doubted)
    assert held.tolist() == [result.withheld] * 2


def test_a_speed_that_is_not_undone_is_no_reason_for_doubt(small: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    fits_at(monkeypatch, 1.03, fit=7.9)
    table = made_up(tracks=4)
    _, speed, doubted = small.aligned(table.views())
    assert (speed == 1.0).all()
    lenient = replace(small, known=replace(small.known, limit=1.0))
    assert not lenient.withheld(table.values, np.ones(4, np.float32), doubted).any()


@pytest.mark.parametrize(("fit", "heard"), [(13.9, False), (14.1, True)])
def test_signatures_are_no_evidence_where_the_speed_that_fits_them_is_in_doubt(
    small: Detector, song: np.ndarray, monkeypatch: pytest.MonkeyPatch, fit: float, heard: bool
) -> None:
    fits_at(monkeypatch, 1.03, fit=fit)
    views, _, doubted = small.aligned(made_up(tracks=4).views())
    assert (np.isfinite(small.scores(views)["signatures"]) == heard).all()
    assert (np.isfinite(small.scores(views)["peaks"])).all()
    logits, evidence, again = small.decide(made_up(tracks=4).views(), seconds=np.full(4, 90.0, np.float32))
    assert np.isfinite(logits).all()
    assert (np.isfinite(evidence["signatures"]) == heard).all()
    np.testing.assert_array_equal(again, doubted)
    result = small.score_array(song, 44_100)
    assert any(reason.name.startswith("signature of") for reason in result.reasons) <= heard
    assert all(np.isfinite(reason.weight) for reason in result.reasons)


def test_signatures_of_older_files_never_abstain(
    tmp_path: Path, small_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about, arrays = read_model(small_path)
    experts = [{k: v for k, v in expert.items() if k != "abstains"} for expert in about["experts"]]
    write_model(tmp_path / "old", about | {"format": 4, "experts": experts}, arrays)
    fits_at(monkeypatch, 1.03, fit=13.9)
    for number in range(2):
        old = Detector.load(tmp_path / "old")
        views = old.aligned(made_up(tracks=4).views())[0]
        assert np.isfinite(old.scores(views)["signatures"]).all(), number
        old.save(tmp_path / "old")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_older_files_undo_no_speed(tmp_path: Path, knows_lines: Detector, number: int) -> None:
    knows_lines.save(tmp_path / "new")
    about, arrays = read_model(tmp_path / "new")
    assert about["format"] == 5
    assert Detector.load(tmp_path / "new").least_fit == pytest.approx(knows_lines.least_fit)
    if number == 1:
        del about["least_fit"]
    write_model(tmp_path / "old", about | {"format": number}, arrays)
    old = Detector.load(tmp_path / "old")
    assert (old.speeds(sped_up(made_up(strength=2.0), factor=1.03).views()) == 1.0).all()
    old.save(tmp_path / "again")
    assert Detector.load(tmp_path / "again").least_fit == old.least_fit
    write_model(tmp_path / "bad", about | {"least_fit": -1.0}, arrays)
    with pytest.raises(ModelFileError, match="not positive"):
        Detector.load(tmp_path / "bad")


def test_older_files_have_one_threshold_for_all_short_tracks(tmp_path: Path, small: Detector) -> None:
    falling = Thresholds(ai=0.9, human=0.5, ai_short=0.99, human_short=0.4, falls_from=15.0)
    replace(small, thresholds=falling).save(tmp_path / "new")
    about, arrays = read_model(tmp_path / "new")
    assert Detector.load(tmp_path / "new").thresholds == falling
    del about["thresholds"]["falls_from"]
    write_model(tmp_path / "old", about | {"format": 4}, arrays)
    assert Detector.load(tmp_path / "old").thresholds.limits(59.0) == (0.99, 0.4)


@pytest.mark.parametrize("start", [0.0, -1.0, 61.0, None, "15 s"])
def test_a_threshold_that_falls_from_nowhere_is_refused(tmp_path: Path, small_path: Path, start: object) -> None:
    about, arrays = read_model(small_path)
    about["thresholds"]["falls_from"] = start
    write_model(tmp_path / "odd", about, arrays)
    with pytest.raises(ModelFileError):
        Detector.load(tmp_path / "odd")


def test_newer_formats_and_other_extractors_are_told(tmp_path: Path, small_path: Path) -> None:
    about, arrays = read_model(small_path)
    write_model(tmp_path / "newer", about | {"format": 99}, arrays)
    (about_other := dict(about))["extractor"] = -1
    write_model(tmp_path / "other", about_other, arrays)
    with pytest.raises(ModelFileError, match="newer"):
        Detector.load(tmp_path / "newer")
    with pytest.raises(ModelFileError, match="extractor"):
        Detector.load(tmp_path / "other")


def test_trees_that_run_in_circles_are_refused(tmp_path: Path, small_path: Path) -> None:
    about, arrays = read_model(small_path)
    left = arrays["texture.left"].copy()
    inner = np.flatnonzero(arrays["texture.feature"] >= 0)[0]
    left[inner] = inner
    write_model(tmp_path / "loop", about, arrays | {"texture.left": left})
    with pytest.raises(ModelFileError, match="trees"):
        Detector.load(tmp_path / "loop")


@pytest.mark.parametrize("width", [1, 100])
def test_linear_experts_of_another_width_than_their_view_are_refused(
    tmp_path: Path, small_path: Path, width: int
) -> None:
    about, arrays = read_model(small_path)
    name = next(e["name"] for e in about["experts"] if e["kind"] == "linear" and e["view"] != "values")
    for part in ("mean", "scale", "weights"):
        arrays[f"{name}.{part}"] = arrays[f"{name}.{part}"][:width]
    write_model(tmp_path / "cut.model", about, arrays)
    with pytest.raises(ModelFileError, match="shapes"):
        Detector.load(tmp_path / "cut.model")


@pytest.mark.parametrize("part", ["mean", "filters", "offsets"])
def test_signatures_of_the_wrong_shape_are_refused(tmp_path: Path, small_path: Path, part: str) -> None:
    about, arrays = read_model(small_path)
    write_model(tmp_path / "cut", about, arrays | {f"signatures.{part}": arrays[f"signatures.{part}"][:-1]})
    with pytest.raises(ModelFileError, match="shapes"):
        Detector.load(tmp_path / "cut")


def test_a_model_without_signatures_is_read_as_before(tmp_path: Path) -> None:
    recipes = [r for r in fitting.RECIPES if r.name in ("lines", "peaks", "modulation")]
    plain = training.fit_detector(made_up(strength=2.0), version="plain", recipes=recipes)
    plain.save(tmp_path / "new")
    about, arrays = read_model(tmp_path / "new")
    write_model(tmp_path / "old", about | {"format": 2}, arrays)
    views = made_up(strength=2.0, seed=1).views()
    assert (plain.speeds(views) == 1.0).all()
    for name, score in plain.scores(views).items():
        np.testing.assert_array_equal(Detector.load(tmp_path / "old").scores(views)[name], score)


def test_older_signatures_know_no_limit(tmp_path: Path, small: Detector, small_path: Path) -> None:
    about, arrays = read_model(small_path)
    experts = [{k: v for k, v in expert.items() if k != "limit"} for expert in about["experts"]]
    own = np.array([100.0, -100.0, 0.0], dtype=np.float32)[:, None] + arrays["signatures.offsets"]
    one = {"signatures.offsets": own.sum(axis=0)}
    write_model(tmp_path / "old", about | {"format": 3, "experts": experts}, arrays | one)
    views = made_up(strength=2.0, seed=1).views()
    (new,) = (expert for expert in small.experts if isinstance(expert, SignaturesExpert))
    (old,) = (expert for expert in Detector.load(tmp_path / "old").experts if isinstance(expert, SignaturesExpert))
    np.testing.assert_allclose(old.fits(views), replace(new, limit=1e9).fits(views), atol=1e-3)
    Detector.load(tmp_path / "old").save(tmp_path / "again")
    (again,) = (e for e in Detector.load(tmp_path / "again").experts if isinstance(e, SignaturesExpert))
    np.testing.assert_array_equal(again.fits(views), old.fits(views))


@pytest.mark.parametrize(
    ("limit", "said"), [(0.0, "not positive"), (-1.0, "not positive"), (None, "incomplete"), ("much", "incomplete")]
)
def test_signatures_without_a_limit_that_can_be_are_refused(
    tmp_path: Path, small_path: Path, limit: object, said: str
) -> None:
    about, arrays = read_model(small_path)
    experts = [{**e, "limit": limit} if e["kind"] == "signatures" else e for e in about["experts"]]
    write_model(tmp_path / "odd", {**about, "experts": experts}, arrays)
    with pytest.raises(ModelFileError, match=said):
        Detector.load(tmp_path / "odd")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_numbers_that_are_none_are_refused(tmp_path: Path, small_path: Path, number: float) -> None:
    about, arrays = read_model(small_path)
    expert = {**about["experts"][0], "bias": number}
    combiner = {**about["combiners"]["vocal"], "bias": number}
    for changed in (
        {"experts": [expert, *about["experts"][1:]]},
        {"combiners": {**about["combiners"], "vocal": combiner}},
        {"thresholds": {**about["thresholds"], "ai": number}},
        {"known": {**about["known"], "limit": number}},
    ):
        text = np.frombuffer(json.dumps({**about, **changed}).encode(), np.uint8)
        with (tmp_path / "odd").open("wb") as file:
            np.savez(file, **{"about.json": text}, **arrays)
        with pytest.raises(ModelFileError, match="odd"):
            Detector.load(tmp_path / "odd")


def test_scales_that_cannot_be_divided_by_are_refused(tmp_path: Path, small_path: Path) -> None:
    about, arrays = read_model(small_path)
    name = next(key for key in arrays if key.endswith(".scale"))
    write_model(tmp_path / "odd", about, {**arrays, name: np.zeros_like(arrays[name])})
    with pytest.raises(ModelFileError, match="scale that is not positive"):
        Detector.load(tmp_path / "odd")


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("floors", {"texture": 99.0}, "ceiling"),
        ("widths", {"texture": 0.0}, "width"),
        ("weights", {"unheard of": 1.0}, "does not hold"),
        ("centres", None, "incomplete"),
    ],
)
def test_combiners_that_cannot_be_are_refused(
    tmp_path: Path, small_path: Path, part: str, change: dict[str, float] | None, said: str
) -> None:
    about, arrays = read_model(small_path)
    combiner = about["combiners"]["vocal"]
    combiner[part] = {} if change is None else combiner[part] | change
    write_model(tmp_path / "changed", about, arrays)
    with pytest.raises(ModelFileError, match=said):
        Detector.load(tmp_path / "changed")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_models_are_refused_or_work(small_path: Path, data: st.DataObject) -> None:
    original = bytearray(small_path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        original[data.draw(st.integers(0, len(original) - 1))] ^= data.draw(st.integers(1, 255))
    path = small_path.with_name("damaged")
    path.write_bytes(original)
    try:
        Detector.load(path)
    except ModelFileError as error:
        assert str(path) in str(error)


def test_saving_where_one_may_not_is_told(small: Detector, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        small.save(tmp_path / "no" / "such" / "folder.model")
