from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import alignment
import decoder_traces
import model_card
import numpy as np
import pytest
import robustness
from scipy.special import exp1
from tables import made_up

from aidetect.dataset import FeatureTable
from aidetect.evaluation import Evaluation
from aidetect.labels import LabelledTrack

BENCHMARKS = Path(model_card.__file__).parent
GENERATORS = ("suno", "suno-v5", "udio", "musicgen", "vidmuse")


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    made = made_up(tracks=240, sources=40, generators=GENERATORS)
    more = [
        {"kilobits": "200", "seconds": str((10.0, 30.0, 90.0)[i % 3]), "codec": ("mp3", "float", "pcm_16")[i // 2 % 3]}
        for i in range(len(made.rows))
    ]
    return FeatureTable(
        made.values, made.details, made.modulation, tuple({**r, **m} for r, m in zip(made.rows, more, strict=True))
    )


@pytest.fixture(scope="module")
def splits(table: FeatureTable) -> list[Evaluation]:
    ai, found = table.column("label") == "ai", []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        p = np.clip(0.4 * ai + 0.6 * rng.random(len(ai)), 0.0, 1.0).astype(np.float32)
        verdict = np.where(p > 0.55, "ai", np.where(p < 0.3, "human", "uncertain"))
        parts = {"shimmer": p, "expert peaks": p}
        found.append(Evaluation(table.rows, ai, p, parts, verdict, rng.integers(0, 5, len(ai))))
    return found


@pytest.fixture(scope="module")
def about(splits: list[Evaluation]) -> dict[str, Any]:
    first = splits[0]
    return {
        "version": "made up",
        "data": 20 * "0",
        "tracks": {"human": 120, "ai": 120},
        "sources": {"human": 20, "ai": 20},
        "generators": list(GENERATORS),
        "metrics": first.overall.to_dict(),
        "metrics_by_length": {
            name: first.over(rows).to_dict()
            for name, rows in (
                ("long", model_card.numbers(first, "seconds") >= 60.0),
                ("short", model_card.numbers(first, "seconds") < 60.0),
            )
        },
    }


def test_the_card_is_filled(table: FeatureTable, splits: list[Evaluation], about: dict[str, Any]) -> None:
    parts = model_card.card(table, splits, about, folds=5, draws=20)
    measured = BENCHMARKS.parent / "docs"
    parts["families"] = model_card._families(json.loads((measured / "families.json").read_text()))
    parts["robustness"] = model_card._robustness(json.loads((measured / "robustness.json").read_text()))
    template = (BENCHMARKS / "model_card.template.md").read_text(encoding="utf-8")
    assert all("{{" + key + "}}" in template for key in parts)
    text = model_card.filled(template, parts)
    assert "{{" not in text
    assert text.index("The shipped model's own rates") < text.index("Figures on unseen sources")


def test_the_card_tells_the_shipped_rates_and_the_range_of_the_splits(
    splits: list[Evaluation], about: dict[str, Any]
) -> None:
    own, short = splits[0].overall, about["metrics_by_length"]["short"]
    rates = model_card.shipped(about)
    assert f"{model_card.percent(own.found)} ({model_card.percent(own.found_low)} to" in rates
    assert model_card.percent(short["false_positives_high"]) in rates
    assert f"| from sources | {own.flagged_sources} |" in rates
    (line,) = [line for line in model_card.verdicts(splits).splitlines() if line.startswith("| AI tracks found")]
    found = sorted(e.overall.found for e in splits)
    assert found[0] < found[1]
    assert [cell.strip() for cell in line.split("|")[3:5]] == [model_card.percent(x) for x in found]


def test_the_card_calls_never_met_only_what_has_no_kin(splits: list[Evaluation]) -> None:
    fold = np.where(np.isin([row["generator"] for row in splits[0].rows], ("suno", "musicgen")), 0, 1)
    one = Evaluation(splits[0].rows, splits[0].ai, splits[0].probability, {}, splits[0].verdict, fold)
    rows = model_card.met([one])
    generator = np.array([row["generator"] for row in one.rows])

    def named(label: str) -> set[str]:
        return set(generator[rows[label][0] & one.ai].tolist())

    assert named("of these, generators met in training") == set()
    assert named("of these, generators of which only kin were met") == {"suno", "suno-v5", "musicgen", "vidmuse"}
    assert named("of these, families never met") == {"udio"}
    assert all((chosen | one.ai).all() for label, (chosen,) in rows.items() if "minute" not in label)


def test_the_card_states_calibration_by_length_and_bounds_by_source(splits: list[Evaluation]) -> None:
    by = model_card.columns(splits[0], np.zeros(240))
    lines = model_card.calibration(splits, by["length"]).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:6]] == ["all tracks", *model_card.LENGTHS]
    expected = np.median([e.over(by["length"] == "under 15 s").calibration_error for e in splits])
    assert f"| {expected:.4f} |" in lines[3]
    people = model_card.slices(splits, by["length"], ~splits[0].ai, least=20).splitlines()
    assert people[0].split("|")[2:7] == [" tracks ", " sources ", " AUROC ", " called AI ", " at most "]
    bound = np.median([e.over((by["length"] == "over 60 s") | e.ai).false_positives_high for e in splits])
    (line,) = [line for line in people if line.startswith("| over 60 s")]
    assert model_card.percent(float(bound)) == line.split("|")[6].strip()


def test_lossless_is_all_that_keeps_every_sample() -> None:
    kept = ("pcm_16", "pcm_24", "pcm_s16le", "float", "double", "flac", "alac")
    lost = ("mp3", "aac", "vorbis", "opus", "ulaw", "pcm_mulaw", "unknown")
    assert model_card.lossless(np.array(kept)).all()
    assert not model_card.lossless(np.array(lost)).any()


def test_limits_of_fits_come_from_other_folds() -> None:
    fit, fold = np.arange(2000.0), np.arange(2000) // 1000
    limits = alignment.limits_of_others(fit, fold, np.ones(2000, dtype=bool))
    assert limits == {0: 1979.0, 1: 979.0}  # twenty of the other thousand lie above
    assert limits == alignment.limits_of_others(np.append(fit, 1e9), np.append(fold, 1), np.append(fit >= 0, False))


def test_fits_of_tracks_as_they_are_have_an_interval_by_limits_not_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    table = made_up(tracks=80, sources=8)
    fits = np.random.default_rng(0).random(80)
    held = alignment.HeldOut({}, fits > 2.0, alignment.folds_of(table), dict.fromkeys(range(5), ()))
    monkeypatch.setattr(alignment, "load_table", lambda _: table)
    monkeypatch.setattr(alignment, "out_of_source", lambda *_, **__: held)
    monkeypatch.setattr(
        alignment.alignment, "likely_speeds", lambda views, _: (None, views.values[:, 0].astype(float) + 5.0)
    )
    row, _, fold_of_source = alignment.untouched("anywhere", jobs=1)
    assert row["human_tracks"] == row["ai_tracks"] == 40
    assert len(row["limits"]) == len(set(fold_of_source.values()))
    assert row["human_moved"] == 0
    assert row["human_low"] < row["human_beyond"] / 40 < row["human_high"]


def test_robustness_bounds_false_alarms_by_source() -> None:
    assert robustness.rate_interval(np.arange(80) < 2, np.repeat(np.arange(40), 2).astype(str))[1] > 0.09


def lines(
    *, spacing: float, decibels: float | np.ndarray, rate: int = 44_100, seconds: float = 12.0, seed: int = 0
) -> np.ndarray:
    """White noise, and sines at the multiples of some spacing that much above its level in bands of 1 / 3 Hz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    y = 0.1 * rng.standard_normal(len(t))
    frequencies = np.arange(spacing, 0.45 * rate, spacing)
    power = np.broadcast_to(10 ** (0.1 * np.asarray(decibels)) * 0.01 / (0.5 * rate) / 3.0, len(frequencies))
    for frequency, of_line in zip(frequencies, power, strict=True):
        y += np.sqrt(2.0 * of_line) * np.sin(2 * np.pi * frequency * t + rng.uniform(0, 2 * np.pi))
    return np.stack([y, y])


def height(y: np.ndarray, rate: int, *, spacing: float) -> float:
    return decoder_traces.line_height(decoder_traces.around_lines(y, rate, spacing=spacing))


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_lines_at_the_frames_of_a_decoder_are_found_and_no_others(rate: int) -> None:
    frames = 44_100 / 2_048
    there = height(lines(spacing=frames, decibels=6.0, rate=rate), rate, spacing=frames)
    over = 10**0.6 / 3.0 / (1.5 * frames / decoder_traces.PARTS)  # a Hann window spreads noise 1.5 bins
    # Mean logarithm of a Rician power over that of noise alone: ln s + E1(s), and minus Euler's constant.
    assert there == pytest.approx(10 / np.log(10) * (np.log(over) + exp1(over) + np.euler_gamma), abs=0.2)
    for spacing in (10.0, 37.5, 50.0):
        assert abs(height(lines(spacing=spacing, decibels=6.0, rate=rate), rate, spacing=frames)) < 0.5


def test_too_short_for_lines_is_no_number() -> None:
    assert np.isnan(height(np.zeros((2, 44_100), dtype=np.float32), 44_100, spacing=44_100 / 2_048))


def test_which_lines_are_high_tells_decoders_apart() -> None:
    def pattern(decibels: np.ndarray, seed: int, rate: int = 48_000) -> np.ndarray:
        y = lines(spacing=100.0, decibels=decibels, rate=rate, seconds=5.0, seed=seed)
        return decoder_traces.around_lines(y, rate, spacing=100.0)[:, 0]

    one, another = np.random.default_rng(5).uniform(0.0, 25.0, size=(2, 215))
    known = [pattern(one, 1), pattern(one, 2)]
    assert len(known[0]) == 130
    assert decoder_traces.likeness(pattern(one, 3), known) > 0.8
    assert abs(decoder_traces.likeness(pattern(another, 3), known)) < 0.3  # the standard error of 130 lines is 0.09
    assert np.isnan(decoder_traces.likeness(pattern(one[:107], 3, rate=24_000), known))
    assert np.isnan(decoder_traces.likeness(np.zeros(130), known))


def test_the_balance_of_nearly_one_channel() -> None:
    right = np.random.default_rng(0).standard_normal(44_100).astype(np.float32)
    factor, lacking = decoder_traces.balance(np.stack([0.9997 * right, right]))
    assert factor == pytest.approx(0.9997, abs=1e-6)
    assert lacking < 1e-9
    factor, lacking = decoder_traces.balance(np.stack([np.roll(right, 1000), right]))
    assert lacking > 0.9
    assert np.isnan(decoder_traces.balance(right[None])).all()


def test_what_is_relabelled_is_not_drawn_and_the_others_are_as_before(tmp_path: Path) -> None:
    def track(name: str, source: str) -> LabelledTrack:
        return LabelledTrack(tmp_path / name, "human", source, extra={"id": name})

    doubted = [row.split(",")[0] for row in robustness.RELABELLED.read_text().splitlines()[1:]]
    tracks = [track(f"t{i}", f"s{i}") for i in range(20)] + [track(name, name) for name in doubted]
    drawn = robustness.choose(tracks, 20, per_source=1)
    assert {t.extra["id"] for t in drawn} == {f"t{i}" for i in range(20)}
    order = np.random.default_rng(0).permutation(len(tracks))
    assert [t.extra["id"] for t in drawn] == [f"t{i}" for i in order if i < 20]
