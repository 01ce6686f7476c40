from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import made_up, with_twins

from aidetect import dataset
from aidetect.errors import LabelsError, OutputError
from aidetect.labels import LabelledTrack
from aidetect.store import FeatureStore

SMALL = made_up(tracks=4)


def test_tables_survive_storage(tmp_path: Path) -> None:
    table = made_up(tracks=30)
    dataset.save_table(table, tmp_path)
    back = dataset.load_table(tmp_path)
    np.testing.assert_allclose(back.values, table.values, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(back.details, table.details)
    np.testing.assert_array_equal(back.modulation, table.modulation)
    assert back.rows == table.rows
    assert back.digest() == table.digest()


def test_twins_survive_storage(tmp_path: Path) -> None:
    table = with_twins(made_up(tracks=30))
    paths = dataset.save_table(table, tmp_path)
    assert [path.name for path in paths] == ["features-00.npz", "twins-00.npz"]
    back = dataset.load_table(tmp_path)
    assert back.twins is not None
    assert table.twins is not None
    assert back.twins.rows == table.twins.rows
    assert back.digest() == table.digest() != made_up(tracks=30).digest()
    dataset.save_table(made_up(tracks=30), tmp_path)
    assert dataset.load_table(tmp_path).twins is None  # not those of the table that was here before


def test_simulations_come_in_pairs_beside_the_table(song_path: Path, tmp_path: Path) -> None:
    tracks = [LabelledTrack(song_path, "human", "s1"), LabelledTrack(song_path, "ai", "s2")]
    table = dataset.build_table(tracks, simulations=1)
    assert table.column("label").tolist() == ["human", "ai"]
    assert table.twins is not None
    assert table.twins.column("label").tolist() == ["simulated", "human"]
    assert table.twins.column("variant").tolist() == ["sim1", "twin1"]
    assert set(table.twins.column("source").tolist()) == {"s1"}
    simulated, plain = np.isfinite(table.twins.values)
    assert plain.any()
    assert np.mean(simulated != plain) < 0.02  # nothing is cut off in one of them only


def test_a_damaged_table_is_told(tmp_path: Path) -> None:
    (path,) = dataset.save_table(made_up(tracks=20), tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(LabelsError, match="damaged"):
        dataset.load_table(tmp_path)
    with pytest.raises(LabelsError, match="no feature table"):
        dataset.load_table(tmp_path / "elsewhere")


def test_tracks_that_cannot_be_measured_are_reported_and_left_out(tmp_path: Path, song_path: Path) -> None:
    (tmp_path / "bad.mp3").write_bytes(b"no sound in here" * 100)
    tracks = [LabelledTrack(tmp_path / "bad.mp3", "ai", "s1"), LabelledTrack(song_path, "human", "s2")]
    said: list[str] = []
    table = dataset.build_table(tracks, report=said.append)
    assert [row["label"] for row in table.rows] == ["human"]
    assert len(said) == 1
    assert "bad.mp3" in said[0]
    with pytest.raises(LabelsError, match="none"):
        dataset.build_table(tracks[:1])


def test_without_anybody_to_report_to_one_warning_tells(tmp_path: Path, song_path: Path) -> None:
    tracks = [LabelledTrack(tmp_path / name, "ai", "s1") for name in ("gone.mp3", "lost.mp3")]
    with pytest.warns(UserWarning, match=r"2 of 3 tracks left out; the first: .*gone\.mp3") as told:
        table = dataset.table_of([*tracks, LabelledTrack(song_path, "human", "s2")])
    assert (len(table), len(told)) == (1, 1)
    with pytest.raises(LabelsError, match=r"none .* measured; the first: .*gone\.mp3"):
        dataset.table_of(tracks)
    with pytest.raises(LabelsError, match="the path is empty"):
        dataset.table_of("")


def test_a_file_given_twice_counts_once_and_has_one_label(song_path: Path) -> None:
    twice = [LabelledTrack(song_path, "human", "s1"), LabelledTrack(song_path, "human", "s2")]
    with pytest.warns(UserWarning, match="1 "):
        table = dataset.table_of(twice)
    assert table.column("source").tolist() == ["s1"]
    with pytest.raises(LabelsError, match=re.escape(song_path.name)):
        dataset.table_of([twice[0], LabelledTrack(song_path, "ai", "s1")])


def test_places_that_cannot_be_written_to_are_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(dataset, "build_table", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(OutputError, match="file"):
        dataset.table_of([], store=tmp_path / "file" / "store")
    with pytest.raises(OutputError, match="file"):
        dataset.save_table(SMALL, tmp_path / "file")


def test_a_store_that_fails_costs_no_track(song_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutputError("full")

    monkeypatch.setattr(dataset, "extract", lambda *_, **__: None)
    monkeypatch.setattr(FeatureStore, "put", full)
    with pytest.raises(OutputError, match="full"):
        dataset.build_table([LabelledTrack(song_path, "ai", "s1")], store=FeatureStore(tmp_path))


def test_tracks_are_known_again_beside_altered_copies_and_without() -> None:
    table = with_twins(made_up(tracks=8))
    altered = replace(table, rows=tuple({**row, "variant": "aug1"} for row in table.rows))
    both = dataset.concatenate([table, altered])
    assert both.plain_digest() == replace(table, twins=None).digest() != both.digest()


@pytest.mark.parametrize("kept", [False, True])
def test_a_file_that_is_gone_is_reported_and_left_out(tmp_path: Path, song_path: Path, kept: bool) -> None:
    tracks = [LabelledTrack(tmp_path / "gone.mp3", "ai", "s1"), LabelledTrack(song_path, "human", "s2")]
    said: list[str] = []
    store = FeatureStore(tmp_path / "store") if kept else None
    table = dataset.build_table(tracks, variants=("", "aug1"), store=store, report=said.append)
    assert [row["label"] for row in table.rows] == ["human", "human"]
    assert len(said) == 2
    assert all("gone.mp3" in line for line in said)


def test_tables_of_many_files_are_read_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_SHARD_ROWS", 2)
    table = made_up(tracks=204)
    assert dataset.save_table(table, tmp_path)[-1].name == "features-101.npz"
    assert dataset.load_table(tmp_path).rows == table.rows
    dataset.save_table(table.take(np.arange(10)), tmp_path)
    assert len(dataset.load_table(tmp_path)) == 10


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0.0, 0.999), value=st.integers(1, 255))
def test_a_flipped_byte_is_told_or_harmless(tmp_path: Path, place: float, value: int) -> None:
    (path,) = dataset.save_table(SMALL, tmp_path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= value
    path.write_bytes(data)
    try:
        back = dataset.load_table(tmp_path)
    except LabelsError as error:
        assert str(path) in str(error)
    else:
        assert back.digest() == SMALL.digest()


def test_altered_copies_are_repeatable_and_differ(song_path: Path, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    track = LabelledTrack(song_path, "human", "s")
    table = dataset.build_table([track], variants=("", "aug1", "aug2"), store=store)
    again = dataset.build_table([track], variants=("", "aug1", "aug2"))
    assert table.column("variant").tolist() == ["", "aug1", "aug2"]
    assert table.digest() == again.digest()
    assert not np.array_equal(table.details[1], table.details[2])


def test_the_store_saves_decoding(song_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path)
    first = dataset.measure(song_path, store=store)
    monkeypatch.setattr(dataset, "extract", lambda path: pytest.fail("decoded again"))
    assert dataset.measure(song_path, store=store).values == pytest.approx(dict(first.values), nan_ok=True, rel=1e-6)


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_excerpts_lie_where_they_should(tmp_path: Path, position: float) -> None:
    ramp = np.linspace(-0.5, 0.5, 80_000, dtype=np.float32)
    sf.write(tmp_path / "ramp.wav", ramp, 8_000, subtype="FLOAT")
    y, rate = dataset.excerpt(tmp_path / "ramp.wav", seconds=2.0, position=position)
    assert (y.shape, rate) == ((1, 16_000), 8_000)
    start = round(position * 64_000)
    np.testing.assert_allclose(y[0], ramp[start : start + 16_000])


def test_the_shipped_table_holds_nothing_that_is_relabelled() -> None:
    root = Path(__file__).parents[1]
    relabelled = {line.split(",")[0] for line in (root / "data" / "relabelled.csv").read_text().splitlines()[1:]}
    shipped = dataset.load_table(root / "models")
    assert relabelled
    assert shipped.twins is not None
    assert not relabelled & {row["id"] for row in (*shipped.rows, *shipped.twins.rows)}
