from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import music

from aidetect.cli import main


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
