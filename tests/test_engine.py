from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import joblib
import pytest
import soundfile as sf
from conftest import music

from aidetect import engine
from aidetect.batch import score_folder
from aidetect.detector import Detector
from aidetect.engine import Batch, score_batch
from aidetect.errors import AidetectError, FileMissingError, LabelsError, OutputError
from aidetect.journal import Journal, Stamp, digest_of, journal_path
from aidetect.tables import COLUMNS

RATE = 8_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight files of five contents, one of them broken."""
    root = tmp_path_factory.mktemp("music")
    for number in range(4):
        sf.write(root / f"{number}.wav", music(seconds=4.5, rate=RATE, channels=1, seed=number).T, RATE)
    (root / "sub").mkdir()
    for number in range(3):
        shutil.copy(root / f"{number}.wav", root / "sub" / f"copy {number}.wav")
    (root / "bad.mp3").write_bytes(b"no music" * 300)
    return root


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that processes were asked for."""
    asked: list[str] = []
    real = engine.Worker.score

    def score(self: engine.Worker, path: str) -> dict[str, object]:
        asked.append(Path(path).name)
        return real(self, path)

    monkeypatch.setattr(engine.Worker, "score", score)
    return asked


def test_rows_come_in_order_and_are_those_of_score_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    rows = list(score_batch(folder, out, jobs=2))
    expected = list(score_folder(folder))
    assert [row["path"] for row in rows] == [item.path for item in expected]
    for row, item in zip(rows, expected, strict=True):
        assert (row["error"] is None) == hasattr(item, "probability")
        if row["error"] is None:
            assert row["probability"] == pytest.approx(item.probability, abs=1e-6)
    assert len(out.read_text().splitlines()) == len(rows)
    assert not list(tmp_path.glob("*.part"))


def test_each_content_is_scored_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    rows = {Path(row["path"]).name: row for row in score_batch(folder, tmp_path / "t.csv", jobs=2)}
    assert len(asked) == 5
    assert rows["copy 1.wav"]["probability"] == rows["1.wav"]["probability"]


def test_existing_output_is_refused_and_resume_scores_only_what_is_new(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    out = tmp_path / "t.csv"
    list(score_batch(own, out))
    first = out.read_bytes()
    with pytest.raises(OutputError, match="resume"):
        list(score_batch(own, out))
    asked = counted(monkeypatch)
    assert list(score_batch(own, out, resume=True))
    assert (asked, out.read_bytes()) == ([], first)
    os.utime(own / "0.wav", (1, 1))  # another time, the same content
    sf.write(own / "1.wav", music(seconds=4.5, rate=RATE, channels=1, seed=9).T, RATE)
    sf.write(own / "new.wav", music(seconds=4.5, rate=RATE, channels=1, seed=10).T, RATE)
    assert len(list(score_batch(own, out, resume=True))) == 9
    assert sorted(asked) == ["1.wav", "new.wav"]


def test_another_model_scores_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "t.jsonl"
    list(score_batch(folder / "sub", out))
    shipped = Detector.load()
    replace(shipped, thresholds=replace(shipped.thresholds, ai=0.99)).save(tmp_path / "other.model")
    asked = counted(monkeypatch)
    with pytest.warns(UserWarning, match="made with another model or effort"):
        list(score_batch(folder / "sub", out, resume=True, model=tmp_path / "other.model"))
    assert len(asked) == 3


def test_resume_never_replaces_what_no_batch_made(folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label\na.wav,human\n")
    with pytest.raises(OutputError, match=r"labels\.csv\.journal is missing"):
        list(score_batch(folder, labels, resume=True))
    assert labels.read_text() == "path,label\na.wav,human\n"
    assert not list(tmp_path.glob("*.journal*"))


def test_a_killed_run_goes_on_to_the_same_table(folder: Path, tmp_path: Path) -> None:
    undisturbed = tmp_path / "whole.csv"
    list(score_batch(folder, undisturbed))
    rng = random.Random(0)
    out = tmp_path / "t.csv"
    command = [sys.executable, "-m", "aidetect", "batch", str(folder), "-o", str(out), "--resume", "--jobs", "2"]
    for _ in range(3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 1  # one file is broken
    assert out.read_bytes() == undisturbed.read_bytes()


def test_paths_are_drawn_as_they_are_needed(folder: Path, tmp_path: Path) -> None:
    drawn = []

    def endless():  # type: ignore[no-untyped-def]
        for number in range(10**9):
            drawn.append(number)
            yield folder / "0.wav"

    batch = Batch(endless(), tmp_path / "t.csv")
    rows = iter(batch)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    batch.close()
    assert len(drawn) < 20
    assert not (tmp_path / "t.csv").exists()
    assert (tmp_path / "t.csv.part").read_text().count("\n") == 2


def test_a_missing_file_is_a_row_and_is_tried_again(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "list.txt").write_text("later.wav\n")
    (row,) = score_batch(tmp_path / "list.txt", tmp_path / "t.csv")
    assert "no such file" in row["error"]
    shutil.copy(folder / "0.wav", tmp_path / "later.wav")
    (row,) = score_batch(tmp_path / "list.txt", tmp_path / "t.csv", resume=True)
    assert row["error"] is None


def test_another_joblib_backend_takes_over(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    list(score_batch(folder, tmp_path / "own.csv"))
    assert asked
    asked.clear()
    with joblib.parallel_config(backend="threading", n_jobs=2):
        list(score_batch(folder, tmp_path / "t.csv"))
    assert not asked
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "own.csv").read_bytes()


def test_a_dask_cluster_scores(folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    list(score_batch(folder, tmp_path / "own.csv"))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        list(score_batch(folder, tmp_path / "t.csv"))
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "own.csv").read_bytes()


def test_a_ray_instance_scores(folder: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    list(score_batch(folder, tmp_path / "own.csv"))
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    try:
        register_ray()
        with joblib.parallel_config(backend="ray", n_jobs=2):
            list(score_batch(folder, tmp_path / "t.csv"))
    finally:
        ray.shutdown()
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "own.csv").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_name_that_is_no_utf8_is_scored_like_any_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in" / os.fsdecode(b"a\xff.wav")
    path.parent.mkdir()
    shutil.copy(folder / "0.wav", path)
    asked = counted(monkeypatch)
    out = tmp_path / "t.jsonl"
    (row,) = score_batch(path.parent, out)
    assert (row["path"], row["error"], asked) == (str(path), None, [path.name])
    assert json.loads(out.read_text(encoding="utf-8")) == row
    assert list(score_batch(path.parent, out, resume=True)) == [row]
    assert asked == [path.name]


def test_a_disk_that_fails_makes_a_row_that_is_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "list.txt").write_text(f"{folder / '0.wav'}\n")
    asked = counted(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("aidetect.journal.hashlib.file_digest", broken)
        (row,) = score_batch(tmp_path / "list.txt", tmp_path / "t.csv")
    assert "0.wav: the file cannot be read (Input/output error)" in row["error"]
    assert (tuple(row), row["verdict"], asked) == (COLUMNS, None, [])
    (row,) = score_batch(tmp_path / "list.txt", tmp_path / "t.csv", resume=True)
    assert (row["error"], asked) == (None, ["0.wav"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such pipes")
def test_pipes_devices_and_folders_are_errors_and_are_not_read(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    names = ["pipe.wav", "/dev/zero", str(folder), str(folder / "0.wav")]
    (tmp_path / "list.txt").write_text("\n".join(names))
    out = tmp_path / "t.jsonl"
    command = [sys.executable, "-m", "aidetect", "batch", str(tmp_path / "list.txt"), "-o", str(out)]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60.0).returncode == 1
    errors = [json.loads(line)["error"] for line in out.read_text().splitlines()]
    for error in errors[:2]:
        assert "pipe or a device" in error
    assert "folder" in errors[2]
    assert errors[3] is None


def test_files_that_took_too_long_are_tried_again_and_so_are_their_twins(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{folder / '0.wav'}\n{folder / 'sub' / 'copy 0.wav'}\n")
    out = tmp_path / "t.csv"
    for row in score_batch(tmp_path / "list.txt", out, time_limit=0.001):
        assert "--time-limit" in row["error"]
    rows = list(score_batch(tmp_path / "list.txt", out, resume=True))
    assert [row["error"] for row in rows] == [None, None]
    assert "--time-limit" not in out.read_text()


@pytest.mark.parametrize(
    "known", [{"passing": True}, dict.fromkeys(COLUMNS) | {"passing": True}], ids=["died", "out of memory"]
)
def test_failures_that_may_pass_leave_the_table_of_a_resumed_run_as_it_would_be(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, object]
) -> None:
    real = engine.Worker.score
    failed: list[str] = []

    def score(self: engine.Worker, path: str) -> dict[str, object]:
        if Path(path).name not in ("1.wav", "copy 1.wav"):
            return real(self, path)
        failed.append(path)
        return known | {"path": path, "error": f"{path}: failed."}

    monkeypatch.setattr(engine.Worker, "score", score)
    whole, out = tmp_path / "whole.csv", tmp_path / "t.csv"
    rows = list(score_batch(folder, whole))
    assert all(tuple(row) == COLUMNS for row in rows)
    assert len(failed) == 2
    stopped = score_batch(folder, out)
    for _ in range(3):
        next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert list(score_batch(folder, out, resume=True)) == rows
    assert out.read_bytes() == whole.read_bytes()
    monkeypatch.setattr(engine.Worker, "score", real)
    assert sum(row["error"] is not None for row in score_batch(folder, out, resume=True)) == 1  # bad.mp3


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in which no process and no model is needed: every file is scored at once."""
    monkeypatch.setattr(engine.Detector, "load", lambda _: SimpleNamespace(version="1", about={}))
    monkeypatch.setattr(engine, "model_key", lambda *_: "m")
    monkeypatch.setattr(engine.Worker, "score", lambda self, path: {"path": path, "verdict": "human", "effort": "full"})


@pytest.mark.usefixtures("no_model")
def test_a_folder_that_cannot_be_read_is_a_row(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str | os.PathLike[str] = ".") -> object:
        if Path(path) == folder / "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        rows = {row["path"]: row for row in score_batch(folder, tmp_path / "t.csv")}
    assert len(rows) == 6
    assert "sub: the folder cannot be read (Permission denied)" in rows[str(folder / "sub")]["error"]
    assert len(list(score_batch(folder, tmp_path / "t.csv", resume=True))) == 8  # it can be read now


@pytest.mark.usefixtures("no_model")
def test_rows_of_journals_of_before_have_the_columns_of_now(folder: Path, tmp_path: Path) -> None:
    path, out = folder / "0.wav", tmp_path / "t.jsonl"
    old = {name: None for name in COLUMNS if name not in ("effort", "speed")} | {"path": str(path), "verdict": "ai"}
    journal = Journal(journal_path(out), model="m")
    journal.put(old, stamp=Stamp.of(path), digest=digest_of(path), cost=0.0)
    journal.close()
    paths = [path, folder / "sub" / "copy 0.wav"]
    batch = Batch(paths, out, resume=True)
    rows = list(batch)
    batch.close()
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert [(row["verdict"], row["effort"], row["speed"]) for row in rows] == [("ai", None, None)] * 2


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_name_that_no_file_can_have_is_a_row(folder: Path, tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "list.txt").write_bytes(b"a\0b.wav\n" + os.fsencode(folder / "0.wav"))
    out = tmp_path / f"t{suffix}"
    bad, good = score_batch(tmp_path / "list.txt", out)
    assert (bad["path"], bad["verdict"], good["error"]) == (str(tmp_path / "a\0b.wav"), None, None)
    assert "no such file" in bad["error"]
    assert list(score_batch(tmp_path / "list.txt", out, resume=True)) == [bad, good]


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("text", "error"),
    [(b"\n\n", FileMissingError), (b"caf\xe9.wav\n", LabelsError)],
    ids=["an empty list", "a list that cannot be read"],
)
def test_a_run_about_nothing_leaves_nothing_in_the_way_of_the_next(
    tmp_path: Path, text: bytes, error: type[AidetectError]
) -> None:
    (tmp_path / "list.txt").write_bytes(text)
    with pytest.raises(error):
        list(score_batch(tmp_path / "list.txt", tmp_path / "t.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["list.txt"]


@pytest.mark.usefixtures("no_model")
def test_a_run_that_stops_before_its_first_row_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AidetectError("cannot be started")

    with monkeypatch.context() as patch, pytest.raises(AidetectError, match="started"):
        patch.setattr(engine.Worker, "score", broken)
        list(score_batch(folder / "sub", tmp_path / "t.csv"))
    assert not list(tmp_path.iterdir())
    list(score_batch(folder / "sub", tmp_path / "t.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.csv.journal"]


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("resume", [False, True])
def test_places_that_cannot_be_written_to_are_told_at_once(folder: Path, tmp_path: Path, resume: bool) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(OutputError, match="folder"):
        Batch([folder / "0.wav"], tmp_path / "t.csv", resume=resume)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="store"):
        Batch([folder / "0.wav"], tmp_path / "u.csv", store=tmp_path / "file" / "store", resume=resume)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "t.csv"]


@pytest.mark.parametrize("output", ["", "..", "/"])
def test_a_name_that_no_table_can_have_is_refused_in_words(output: str) -> None:
    with pytest.raises(OutputError, match="must end in"):
        Batch(["a.wav"], output)
