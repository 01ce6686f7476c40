from __future__ import annotations

import io
import os
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from aidetect import errors, extraction, transients
from aidetect.decoding import AudioStream
from aidetect.demo import tune
from aidetect.extraction import MIN_SECONDS, extract, extract_array, extract_stream
from aidetect.features import describe_features

RATE = 44_100


def test_every_feature_of_the_catalogue_is_measured(song: np.ndarray) -> None:
    track = extract_array(song, RATE)
    assert list(track.values) == [feature.name for feature in describe_features()]
    assert track.duration == pytest.approx(6.0, abs=0.01)
    assert (track.sample_rate, track.channels) == (RATE, 2)


def test_file_object_path_and_array_agree(song_path: Path) -> None:
    from_path = extract(song_path)
    from_object = extract(io.BytesIO(song_path.read_bytes()))
    y, rate = sf.read(song_path, dtype="float32")
    from_array = extract_array(y.T, rate)
    for other in (from_object, from_array):
        np.testing.assert_array_equal(other.details, from_path.details)
        for name, value in from_path.values.items():
            assert other.values[name] == pytest.approx(value, nan_ok=True, rel=1e-6), name


@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_excerpts_stand_for_a_long_track(tmp_path: Path, song: np.ndarray, ending: str) -> None:
    path = tmp_path / f"long.{ending}"
    sf.write(path, np.tile(song, 20).T, RATE)
    full, fast = extract(path), extract(path, effort="fast")
    assert (full.effort, fast.effort) == ("full", "fast")
    assert fast.duration == pytest.approx(full.duration, abs=0.1)
    for name in ("level_spread_6k_8k", "flatness_6k_8k", "tone_density_500_1000hz", "band_crest_150_600hz"):
        assert fast.values[name] == pytest.approx(full.values[name], rel=0.2), name
    assert np.isnan(fast.values["integrated_loudness"])
    with path.open("rb") as file:
        assert extract(file, effort="fast").values == pytest.approx(dict(fast.values), nan_ok=True)


def cut_in_half(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.mark.parametrize(("ending", "seconds"), [("flac", 120.0), ("wav", 240.0), ("ogg", 240.0), ("mp3", 120.0)])
def test_a_cut_file_is_measured_in_full_whatever_the_effort(
    tmp_path: Path, song: np.ndarray, ending: str, seconds: float
) -> None:
    path = tmp_path / f"cut.{ending}"
    with sf.SoundFile(path, "w", RATE, 2) as file:
        for _ in range(round(seconds / 6.0)):
            file.write(song.T)
    full, fast = extract(cut_in_half(path)), extract(path, effort="fast")
    assert full.duration == pytest.approx(seconds / 2, rel=0.05)
    assert (fast.effort, fast.duration, fast.warnings) == ("full", full.duration, full.warnings)
    assert len(fast.warnings) == 1
    assert "cut short" in fast.warnings[0]


def test_excerpts_tell_of_samples_that_are_no_numbers(tmp_path: Path, song: np.ndarray) -> None:
    y = np.tile(song, 20)
    y[:, [12 * RATE, 60 * RATE]] = np.nan  # the middles of two of the five windows
    path = tmp_path / "holes.wav"
    sf.write(path, y.T, RATE, subtype="FLOAT")
    track = extract(path, effort="fast")
    assert track.effort == "fast"
    assert track.warnings == ("4 samples were not finite numbers (NaN or infinite) and were replaced by silence",)


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("seek")


def sounding_for(seconds: float, song: np.ndarray) -> bytes:
    """A FLAC file of two minutes that falls silent."""
    y = np.tile(song, 20)
    y[:, round(seconds * RATE) :] = 0.0
    out = io.BytesIO()
    sf.write(out, y.T, RATE, format="FLAC")
    return out.getvalue()


@pytest.mark.parametrize(("seconds", "effort"), [(120.0, "fast"), (50.0, "fast"), (20.0, "full")])
def test_excerpts_of_what_cannot_seek_and_of_tracks_that_fall_silent(
    song: np.ndarray, seconds: float, effort: str
) -> None:
    data = sounding_for(seconds, song)
    piped, held = (extract(source, effort="fast") for source in (Pipe(data), io.BytesIO(data)))
    assert piped.effort == held.effort == effort
    assert piped.duration == held.duration == pytest.approx(120.0)
    assert piped.values == pytest.approx(dict(held.values), nan_ok=True, rel=1e-9)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_of_a_mostly_silent_track_is_read_once(tmp_path: Path, song: np.ndarray) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(sounding_for(20.0, song),), daemon=True)
    writer.start()
    found: list[str] = []
    # In a thread: opening the pipe a second time would wait for ever.
    reader = threading.Thread(target=lambda: found.append(extract(pipe, effort="fast").effort), daemon=True)
    reader.start()
    reader.join(60.0)
    assert found == ["full"]


def test_a_file_of_the_caller_stays_open_after_a_second_reading(song: np.ndarray) -> None:
    file = io.BytesIO(sounding_for(20.0, song))
    assert extract(file, effort="fast").effort == "full"
    assert not file.closed


def test_short_tracks_are_measured_in_full(song_path: Path) -> None:
    assert extract(song_path, effort="fast").effort == "full"
    with pytest.raises(ValueError, match="effort"):
        extract(song_path, effort="lazy")  # type: ignore[arg-type]


def test_level_does_not_change_what_is_scored(song: np.ndarray) -> None:
    loud, quiet = extract_array(song, RATE), extract_array(0.1 * song, RATE)
    for feature in describe_features():
        if feature.scored and np.isfinite(loud.values[feature.name]):
            assert quiet.values[feature.name] == pytest.approx(loud.values[feature.name], rel=0.05, abs=0.05), (
                feature.name
            )


def test_integrated_loudness_falls_with_the_gain(song: np.ndarray) -> None:
    loud, quiet = extract_array(song, RATE).values, extract_array(0.1 * song, RATE).values
    assert loud["integrated_loudness"] - quiet["integrated_loudness"] == pytest.approx(20.0, abs=0.1)


def test_too_short_says_how_much_is_needed(song: np.ndarray) -> None:
    with pytest.raises(errors.TooShortError, match=f"{MIN_SECONDS:.0f} s"):
        extract_array(song[:, : 2 * RATE], RATE)


def test_silence_is_named() -> None:
    with pytest.raises(errors.SilentAudioError, match="silent"):
        extract_array(np.zeros(6 * RATE, np.float32), RATE)


def test_a_second_of_sound_after_silence_is_too_short(song: np.ndarray) -> None:
    y = np.concatenate([np.zeros((2, 10 * RATE), np.float32), song[:, : 3 * RATE // 2]], axis=1)
    with pytest.raises(errors.TooShortError, match=r"only 1\.\d s of sound"):
        extract_array(y, RATE)


def test_a_constant_is_silence() -> None:
    with pytest.raises(errors.SilentAudioError, match="silent"):
        extract_array(np.full((2, 6 * RATE), 0.5, np.float32), RATE)


def test_an_instant_of_music_in_minutes_of_silence_is_too_short(song: np.ndarray) -> None:
    y = np.zeros((2, 120 * RATE), np.float32)
    y[:, 61 * RATE : 61 * RATE + round(0.045 * RATE)] = song[:, RATE : RATE + round(0.045 * RATE)]
    with pytest.raises(errors.TooShortError, match=r"only 0\.1 s of sound"):
        extract_array(y, RATE)


def test_seconds_of_sound_are_rounded_down(song: np.ndarray) -> None:
    with pytest.raises(errors.TooShortError, match=r"only 3\.9 s of sound"):
        extract_array(song[:, : round(3.99 * RATE)], RATE)


def test_the_way_mono_is_stored_changes_no_ratio_of_peak_to_mean(song: np.ndarray) -> None:
    mono = song[0]
    stored = (mono, np.stack([mono, mono]), np.stack([mono, 0.0 * mono]), np.stack([0.0 * mono, mono]))
    plain, *others = (extract_array(y, RATE).values for y in stored)
    for other in others:
        assert other["plr"] == pytest.approx(plain["plr"], abs=1e-3)
        assert other["crest_factor"] == pytest.approx(plain["crest_factor"], abs=1e-3)


def test_a_pause_where_transients_are_measured_leaves_those_of_the_rest() -> None:
    y = tune(seconds=30.0)
    paused = y.copy()
    paused[:, round(12.9 * RATE) : round(17.1 * RATE)] = 0.0  # all of the four seconds that the second window gives
    rest = np.concatenate([y[:, : 10 * RATE], y[:, 20 * RATE :]], axis=1)
    found, expected = extract_array(paused, RATE).values, extract_array(rest, RATE).values
    measured = [feature.name for feature in transients.FEATURES if np.isfinite(expected[feature.name])]
    assert len(measured) > 50
    for name in measured:
        assert found[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-3), name


def singing(seconds: float) -> np.ndarray:
    """A voice alone: harmonics under two formants that move, with vibrato, over faint noise."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2.0 * np.pi * 220.0 * (t + 0.0005 * np.sin(2.0 * np.pi * 5.5 * t))
    first = 600.0 + 200.0 * np.sin(2.0 * np.pi * 1.5 * t)
    out = 2e-3 * np.random.default_rng(0).standard_normal(len(t))
    for k in range(1, 40):
        formants = np.exp(-(((220.0 * k - first) / 300.0) ** 2)) + np.exp(-(((220.0 * k - 1_400.0) / 400.0) ** 2))
        out += 0.1 * (formants + 0.05) * np.sin(k * phase)
    return out


def test_vocal_shimmer_is_that_of_the_frames_in_which_somebody_sings() -> None:
    voice = singing(6.0)
    hiss = 0.05 * np.random.default_rng(1).standard_normal(4 * RATE)
    alone = extract_array(voice.astype(np.float32), RATE).values
    mixed = extract_array(np.concatenate([voice, hiss]).astype(np.float32), RATE).values
    assert mixed["voiced_seconds"] == pytest.approx(6.0, abs=0.3)
    for name in ("flatness_1k_2k", "phase_time_regularity_1k_2k"):  # of short frames
        assert mixed[f"vocal_{name}"] == pytest.approx(alone[name], rel=0.1), name
        assert mixed[name] != pytest.approx(alone[name], rel=0.2), name
    for name in ("detail_std_1k_2k", "peak_height_1k_2k"):  # of long ones
        assert mixed[f"vocal_{name}"] == pytest.approx(alone[name], rel=0.1), name
        assert mixed[name] != pytest.approx(alone[name], rel=0.2), name


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 48_000, 96_000])
def test_any_rate_can_be_measured(rate: int) -> None:
    rng = np.random.default_rng(0)
    track = extract_array(0.1 * rng.standard_normal((2, 5 * rate)).astype(np.float32), rate)
    assert np.isfinite(track.values["integrated_loudness"])
    assert np.isfinite(track.values["detail_std_1k_2k"])
    assert np.isnan(track.values["detail_std_11k_14k"]) == (rate < 28_000)


def test_memory_stays_flat_however_long_the_file() -> None:
    block = 0.1 * np.random.default_rng(0).standard_normal((1, 80_000)).astype(np.float32)

    class Endless:
        name, rate, channels, native_rate, native_channels, codec = "long", 8_000, 1, 8_000, 1, "none"
        warnings: list[str] = []  # noqa: RUF012

        def __init__(self, count: int) -> None:
            self.count = count

        def blocks(self, seconds: float) -> object:
            assert seconds * self.rate == block.shape[1]
            return (block.copy() for _ in range(self.count))

    def peak(count: int) -> int:
        tracemalloc.start()
        stream: AudioStream = Endless(count)  # type: ignore[assignment]
        assert extract_stream(stream).duration == 10.0 * count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(3)
    assert peak(240) < peak(80) + 8_000_000  # forty minutes against thirteen


def test_what_is_looked_at_closely_is_measured_and_what_is_listened_to_is_looked_at() -> None:
    windows = range(1000)
    measured = {i for i in windows if extraction._measures(i)}
    close = {i for i in windows if extraction._looks_closely(i)}
    heard = {i for i in windows if extraction._listens(i)}
    assert heard < close < measured
    assert {0, 1, 2} <= close  # what a clip of thirty seconds has


def test_a_long_track_is_like_its_parts() -> None:
    """Sampling windows does not move what is measured: eight minutes of a tune against its first minute."""
    y = tune(seconds=60.0)
    short, long = extract_array(y, 44_100), extract_array(np.tile(y, (1, 8)), 44_100)
    for name in ("flatness_4k_6k", "attack_2000_6000hz", "tone_density_250_500hz", "integrated_loudness"):
        assert long.values[name] == pytest.approx(short.values[name], rel=0.1), name
