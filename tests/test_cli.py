from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from conftest import music
from tables import made_up

from aidetect import cli
from aidetect.cli import main
from aidetect.dataset import save_table
from aidetect.detector import Detector
from aidetect.errors import FolderError
from aidetect.experts import Evidence
from aidetect.result import Result


def test_score_prints_a_panel(song_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(song_path)]) == 0
    text = capsys.readouterr().out
    for words in ("Verdict", "Probability", "compression", "shimmer", "vocals", "model"):
        assert words in text


def test_score_as_json(song_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--json", str(song_path), str(song_path)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2
    assert rows[0]["families"].keys() == {"compression", "shimmer", "vocals"}


def _bad(folder: Path) -> dict[str, Path]:
    cases = {name: folder / name for name in ("missing.mp3", "empty.wav", "text.mp3", "silent.wav", "short.wav")}
    cases["folder"] = folder
    cases["empty.wav"].write_bytes(b"")
    cases["text.mp3"].write_bytes(b"words, words, words\n" * 200)
    sf.write(cases["silent.wav"], np.zeros(44_100 * 6), 44_100)
    sf.write(cases["short.wav"], music(seconds=1.0).T, 44_100)
    return cases


@pytest.mark.parametrize("case", ["missing.mp3", "empty.wav", "text.mp3", "silent.wav", "short.wav", "folder"])
def test_bad_input_gives_one_clear_line_and_the_rest_goes_on(
    tmp_path: Path, song_path: Path, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    path = _bad(tmp_path)[case]
    assert main(["score", str(path), str(song_path)]) == 1
    shown = capfd.readouterr()
    assert shown.err.startswith("aidetect: ")
    assert shown.err.count("\n") == 1
    assert str(path) in shown.err
    assert "Traceback" not in shown.err
    assert "Verdict" in shown.out


def test_names_from_strangers_are_shown_and_not_obeyed(
    tmp_path: Path, song_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "[bold red]x \x1b[2J.wav"
    shutil.copy(song_path, path)
    assert main(["score", str(path)]) == 0
    text = capsys.readouterr().out
    assert "[bold red]" in text
    assert "\x1b[2J" not in text


def test_errors_about_names_from_strangers_steer_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x\x1b[2J\udcff.wav"
    path.write_bytes(b"words, words\n" * 200)
    assert main(["score", str(path)]) == 1
    assert main(["features", str(path), str(tmp_path / "\x1b[2J.wav")]) == 1
    shown = capsys.readouterr()
    assert "\x1b" not in shown.err + shown.out
    (shown.err + shown.out).encode()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--add", "new", "--generator", "x", "--human", "mine", "--simulate", "0"], "--human, --simulate"),
        (["--add", "new", "--generator", "x", "--relabel", "r.csv"], "--relabel"),
        (["--add", "new", "--generator", "x", "--max-false-positives", "0.1"], "--max-false-positives"),
        (["--add", "new"], "--generator"),
        (["labels.csv", "--generator", "x", "-m", "own.model"], "--generator, --model"),
    ],
)
def test_options_given_in_vain_are_refused(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-o", "out.model", *argv]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["sing"], ["score"], ["batch", "x"], ["score", "--jason", "x"]])
def test_wrong_use_exits_with_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        *(("--max-false-positives", value, "between 0 and 1") for value in ("5", "-1", "nan", "0", "1", "x")),
        *(("--augment", value, "whole number of at least 0") for value in ("-1", "x")),
        ("--simulate", "-1", "whole number of at least 0"),
        *(("--jobs", value, "whole number of at least 1") for value in ("0", "x", "1.5")),
    ],
)
def test_numbers_that_are_none_are_refused_in_words(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "labels.csv", "-o", "own.model", option, value])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert words in told
    assert f"'{value}'" in told


@pytest.mark.parametrize("value", ["0", "nan", "inf", "1e300", "soon"])
def test_a_time_limit_is_a_time(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["batch", "x", "-o", "y.csv", "--time-limit", value])
    assert "must be a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["-o", "nowhere/own.model"],
        ["-o", "file/own.model"],
        ["-o", "folder"],
        ["-o", "own.model", "--save-table", "file"],
        ["-o", "own.model", "--save-table", "file/table"],
        ["-o", "own.model", "--store", "file/store"],
    ],
    ids=" ".join,
)
def test_places_that_cannot_be_written_to_are_told_before_anything_is_measured(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aidetect.dataset.build_table", lambda *_, **__: pytest.fail("measured"))
    Path("file").touch()
    Path("folder").mkdir()
    Path("labels.csv").write_text("path,label,source\na.mp3,ai,s\n")
    assert main(["train", "labels.csv", *options]) == 2
    assert "be written" in (told := capsys.readouterr().err) or "give" in told
    assert told.count("\n") == 1


class Canned:
    """A detector that knows its answers."""

    version, about = "1", {"data": made_up(tracks=4).digest()}

    def score(self, path: str, **_: object) -> Result:
        if Path(path).is_dir():
            raise FolderError(f"{path}: this is a folder; give the audio files in it.")
        families = {"compression": -2.0, "shimmer": 3.0, "vocals": None}
        reasons = (Evidence("effective_bandwidth", 1.0, 16_000.0),)
        return Result(path, 0.5, "uncertain", families, {}, reasons, ("\u201codd\u201d",), 90.0, 44_100, 2)


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Detector, "load", lambda *_: Canned())


@pytest.mark.usefixtures("canned")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_narrow_encoding_shows_plain_characters(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["score", "\u5b50.mp3"]) == 0
    shown = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert "####|" in shown
    assert "|######" in shown
    assert "?.mp3" in shown


@pytest.mark.usefixtures("canned")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("argv", [["score", "a.mp3"], ["score", "--json", "a.mp3"], ["features"]], ids=" ".join)
def test_a_full_disk_is_one_line(
    argv: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(argv) == 1
    told = capsys.readouterr().err
    assert told.startswith("aidetect: the output cannot be written (")
    assert told.count("\n") == 1


@pytest.mark.usefixtures("canned")
def test_a_folder_to_score_is_sent_to_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--json", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "aidetect batch" in shown.err
    assert "aidetect batch" in json.loads(shown.out)["error"]


def test_a_batch_of_nothing_is_told_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    command = ["batch", str(tmp_path / "in"), "-o", str(tmp_path / "t.csv")]
    assert main(command) == 2
    assert "nothing to score" in capsys.readouterr().err
    (tmp_path / "in" / "a.wav").touch()
    assert main([*command, "--include", "*.flac"]) == 2
    assert "patterns" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_file_is_no_folder_for_the_tunes_of_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.mp3").write_bytes(b"precious")
    assert main(["demo", "--keep", str(tmp_path / "song.mp3")]) == 2
    assert "song.mp3: this is a file" in capsys.readouterr().err


@pytest.mark.usefixtures("canned")
@pytest.mark.parametrize("cross", [[], ["--cross-validate"]])
def test_an_evaluation_that_leaves_files_out_exits_with_one(
    tmp_path: Path,
    song_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    cross: list[str],
) -> None:
    found = SimpleNamespace(to_dict=dict)
    monkeypatch.setattr("aidetect.evaluation.evaluate", lambda *_, **__: found)
    monkeypatch.setattr("aidetect.evaluation.cross_validate", lambda *_, **__: [found])
    labels = tmp_path / "labels.csv"
    labels.write_text(f"path,label,source\n{song_path},ai,s\nnone.mp3,human,t\n")
    assert main(["evaluate", str(labels), "--json", *cross]) == 1
    assert "left out: " in capsys.readouterr().err
    labels.write_text(f"path,label,source\n{song_path},ai,s\n")
    assert main(["evaluate", str(labels), "--json", *cross]) == 0
    assert "trained on" not in capsys.readouterr().err


def test_labels_are_put_right_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path,label,source\na.mp3,human,s\nb.mp3,ai,t\nc.mp3,human,s\n")
    (tmp_path / "r.csv").write_text("id,label\na.mp3,resynth\nc.mp3,ai\n")
    args = cli._parser().parse_args(["evaluate", str(tmp_path / "l.csv"), "--relabel", str(tmp_path / "r.csv")])
    assert [(t.path.name, t.label) for t in cli._tracks(args)] == [("b.mp3", "ai"), ("c.mp3", "ai")]


def test_a_table_takes_no_other_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(made_up(tracks=12), tmp_path)
    assert main(["evaluate", str(tmp_path), "--relabel", "r.csv"]) == 2
    assert "--relabel" in capsys.readouterr().err


@pytest.mark.usefixtures("canned")
@pytest.mark.parametrize("own", [True, False])
def test_an_evaluation_on_the_tracks_of_training_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setattr("aidetect.evaluation.evaluate", lambda *_, **__: SimpleNamespace(to_dict=dict))
    save_table(made_up(tracks=4 if own else 6), tmp_path)
    assert main(["evaluate", str(tmp_path), "--json"]) == 0
    assert ("trained on these very tracks" in capsys.readouterr().err) == own


@pytest.mark.parametrize("unseen", [False, True])
def test_training_states_how_high_false_positives_may_be_and_on_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unseen: bool
) -> None:
    stated = {"auroc": 0.9, "found": 0.5, "false_positives": 0.0, "false_positives_high": 0.299, "uncertain": 0.4}
    made = SimpleNamespace(about={"metrics": stated | {"human": 9}, "unseen_sources": unseen})
    monkeypatch.setattr("aidetect.training.train", lambda *_, **__: made)
    monkeypatch.setattr(cli, "_table", lambda _: (made_up(tracks=12), 0))
    assert main(["train", "labels.csv", "-o", str(tmp_path / "own.model")]) == 0
    told = capsys.readouterr().out
    assert "0.0% of people's music called AI (of 9 tracks" in told
    assert "29.9%" in told
    assert ("sources outside training" in told) == unseen
    assert ("other tracks of the same sources" in told) != unseen


@pytest.mark.parametrize(
    "argv",
    [
        *(["train", "-o", "own.model", *given] for given in ([""], ["--human", ""], ["l.csv", "--store", " "])),
        ["train", "l.csv", "-o", ""],
        ["batch", "", "-o", "t.csv"],
        ["batch", "music", "-o", ""],
    ],
    ids=" ".join,
)
def test_an_empty_path_is_told_in_words(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert "the path is empty" in capsys.readouterr().err


def test_files_of_several_labels_files_count_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, label in (("one", "ai"), ("two", "human")):
        (tmp_path / f"{name}.csv").write_text(f"path,label,source\na.mp3,{label},s\n")
    lists = [str(tmp_path / f"{name}.csv") for name in ("one", "two")]
    assert main(["train", *lists, "-o", str(tmp_path / "own.model")]) == 2
    told = capsys.readouterr().err
    assert "one.csv, line 2" in told
    assert "two.csv, line 2" in told


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "aidetect score song.mp3" in text
    assert "exit status" in text


def test_batch_writes_a_table(tmp_path: Path, song_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(song_path, folder / "a.wav")
    out = tmp_path / "scores.csv"
    assert main(["batch", str(folder), "-o", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 2
    (folder / "b.mp3").write_bytes(b"bad" * 1000)
    assert main(["batch", str(folder), "-o", str(tmp_path / "two.jsonl")]) == 1
    assert main(["batch", str(folder), "-o", str(out)]) == 2
    assert "exists" in capsys.readouterr().err


def test_features_of_a_file_and_their_catalogue(song_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", str(song_path), "--json"]) == 0
    features = json.loads(capsys.readouterr().out)["features"]
    assert main(["features", "none.wav", str(song_path), "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["path"] == "none.wav"
    assert "no such file" in rows[0]["error"]
    assert rows[1]["features"] == features
    assert main(["features"]) == 0
    catalogue = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in catalogue] == list(features)
    assert all(len(row) == 5 for row in catalogue)


def test_a_fast_answer_says_that_it_rests_on_excerpts(
    tmp_path: Path, song_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y, rate = sf.read(song_path)
    sf.write(tmp_path / "long.flac", np.tile(y, (18, 1)), rate)
    assert main(["score", "--effort", "fast", str(tmp_path / "long.flac")]) == 0
    assert "excerpts" in capsys.readouterr().out
    assert main(["score", str(tmp_path / "long.flac")]) == 0
    assert "excerpts" not in capsys.readouterr().out


def test_batch_says_what_it_comes_to_and_resumes(
    tmp_path: Path, song_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text(f"{song_path}\nnone.wav\n")
    command = ["batch", str(tmp_path / "list.txt"), "-o", str(tmp_path / "t.csv")]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "2 files:" in told
    assert "1 failed" in told
    assert "none.wav: there is no such file" in told
    assert main(command) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 1


def test_cache_is_shown_and_cleared(tmp_path: Path, song_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.txt").write_text(f"{song_path}\n")
    store = str(tmp_path / "store")
    assert main(["batch", str(tmp_path / "list.txt"), "-o", str(tmp_path / "t.csv"), "--store", store]) == 0
    assert main(["cache", store]) == 0
    assert "1 tracks" in capsys.readouterr().out
    assert main(["cache", store, "--clear"]) == 0
    assert "0 tracks" in capsys.readouterr().out
    assert main(["cache", str(tmp_path / "none")]) == 2


def test_kept_features_lie_in_the_users_cache(
    tmp_path: Path, song_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("AIDETECT_STORE", str(own))
    (tmp_path / "list.txt").write_text(f"{song_path}\n")
    assert main(["cache"]) == 2
    assert main(["batch", str(tmp_path / "list.txt"), "-o", str(tmp_path / "t.csv"), "--keep"]) == 0
    capsys.readouterr()
    assert main(["cache"]) == 0
    assert f"{own}: features of 1 tracks" in capsys.readouterr().out


def test_train_on_two_folders_then_score_and_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from aidetect.demo import strided_decoder

    rng = np.random.default_rng(0)
    for label in ("human", "ai"):
        for source in range(3):
            folder = tmp_path / label / f"s{source}"
            folder.mkdir(parents=True)
            for track in range(3):
                y = music(seconds=5.0, seed=int(rng.integers(1 << 30)))
                sf.write(folder / f"{track}.flac", (strided_decoder(y) if label == "ai" else y).T, 44_100)
    model = tmp_path / "own.model"
    folders = ["--human", str(tmp_path / "human"), "--ai", str(tmp_path / "ai")]
    store = ["--store", str(tmp_path / "store")]
    assert main(["train", *folders, *store, "-o", str(model), "--augment", "0"]) == 0
    assert "AUROC" in capsys.readouterr().out
    assert main(["score", "-m", str(model), "--json", str(tmp_path / "ai" / "s0" / "0.flac")]) == 0
    assert json.loads(capsys.readouterr().out)["model_version"] == "own"
    assert main(["evaluate", *folders, *store, "-m", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["auroc"] > 0.9
    assert main(["evaluate", *folders, *store, "-m", str(model)]) == 0
    assert "Verdicts" in capsys.readouterr().out


def test_demo_shows_the_decoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--keep", str(tmp_path / "kept")]) == 0
    assert "simulated decoder" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == ["decoder.wav", "plain.wav"]


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aidetect", "score", str(tmp_path / "none.wav")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("aidetect: ")
