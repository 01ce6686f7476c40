from __future__ import annotations

import contextlib
import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect import errors
from aidetect.decoders import Chunk, DecoderSource
from aidetect.decoding import MAX_RATE, AudioStream, open_array, open_audio, open_input
from aidetect.inputs import take

RATE = 44_100


def tone(*, seconds: float = 1.5, rate: int = RATE, channels: int = 2, hertz: float = 440.0) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * hertz * t + k) for k in range(channels)]).astype(np.float32)


def read(source: object) -> tuple[np.ndarray, object]:
    with open_audio(source) as stream:
        return np.concatenate(list(stream.blocks(0.4)), axis=1), stream


def write_av(path: Path, y: np.ndarray, rate: int, codec: str) -> None:
    layout = {1: "mono", 2: "stereo"}[len(y)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.bit_rate = 128_000
        resampler = av.AudioResampler(format=stream.format.name, layout=layout, rate=rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y), "fltp", layout)
        frame.sample_rate = rate
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


LOSSLESS = [
    ("wav", "PCM_16"),
    ("wav", "FLOAT"),
    ("flac", "PCM_16"),
    ("aiff", "PCM_16"),
    ("au", "PCM_16"),
    ("caf", "PCM_16"),
]


@pytest.mark.parametrize(("ending", "subtype"), LOSSLESS)
def test_lossless_formats_come_out_sample_by_sample(tmp_path: Path, ending: str, subtype: str) -> None:
    y = tone()
    path = tmp_path / f"x.{ending}"
    sf.write(path, y.T, RATE, subtype=subtype)
    got, stream = read(path)
    assert got.dtype == np.float32
    assert got.shape == y.shape
    assert np.abs(got - y).max() <= 2.0**-15
    assert (stream.rate, stream.native_rate, stream.channels, stream.native_channels) == (RATE, RATE, 2, 2)
    assert stream.warnings == []


@pytest.mark.parametrize(
    ("ending", "encoder"),
    [("mp3", ""), ("ogg", ""), ("opus", ""), ("m4a", "aac"), ("wma", "wmav2"), ("webm", "libopus"), ("mp4", "aac")],
)
def test_lossy_formats_keep_tone_and_length(tmp_path: Path, ending: str, encoder: str) -> None:
    rate = 48_000 if ending in ("opus", "webm") else RATE
    y = tone(rate=rate, seconds=2.0)
    path = tmp_path / f"x.{ending}"
    if encoder:
        write_av(path, y, rate, encoder)
    else:
        subtype = {"ogg": "VORBIS", "opus": "OPUS", "mp3": "MPEG_LAYER_III"}[ending]
        sf.write(path, y.T, rate, format="MP3" if ending == "mp3" else "OGG", subtype=subtype)
    got, stream = read(path)
    assert stream.rate == rate
    assert got.shape[1] / rate == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(got[0, rate // 2 : rate // 2 + rate]))
    assert np.argmax(spectrum) == 440
    assert np.sqrt(np.mean(got[0, rate // 2 : rate] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 48_000, 88_200, 96_000, 192_000])
def test_rates_from_8_to_192_kilohertz(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "x.wav"
    sf.write(path, tone(rate=rate).T, rate)
    got, stream = read(path)
    assert stream.native_rate == rate
    assert stream.rate == (rate if rate <= MAX_RATE else 44_100 if rate % 11_025 == 0 else 48_000)
    assert got.shape[1] / stream.rate == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("channels", range(1, 9))
def test_one_to_eight_channels_fold_to_mono_or_stereo(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "x.wav"
    sf.write(path, tone(channels=channels).T, RATE)
    got, stream = read(path)
    assert len(got) == min(channels, 2)
    assert stream.native_channels == channels
    assert np.abs(got).max() <= 1.0


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("seconds", [0.1, 1.0, 3.7, 100.0])
def test_long_files_come_out_in_order_whatever_the_block(tmp_path: Path, channels: int, seconds: float) -> None:
    ramp = np.linspace(-0.9, 0.9, 7 * RATE, dtype=np.float32)
    sf.write(tmp_path / "ramp.wav", np.stack([ramp] * channels, axis=1), RATE, subtype="FLOAT")
    with open_audio(tmp_path / "ramp.wav") as stream:
        got = np.concatenate(list(stream.blocks(seconds)), axis=1)
    expected = ramp if channels < 3 else ramp * (1 + np.sqrt(0.5)) / (1 + np.sqrt(0.5))
    np.testing.assert_allclose(got[0], expected, atol=1e-6)


def test_blocks_are_full_but_the_last(song_path: Path) -> None:
    with open_audio(song_path) as stream:
        lengths = [block.shape[1] for block in stream.blocks(1.0)]
    assert lengths[:-1] == [RATE] * (len(lengths) - 1)
    assert 0 < lengths[-1] <= RATE


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
def test_file_objects_decode_like_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    sf.write(path, tone().T, RATE)
    from_path, _ = read(path)
    from_memory, _ = read(io.BytesIO(path.read_bytes()))
    np.testing.assert_array_equal(from_path, from_memory)


class Pipe(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: bytearray) -> int:
        return self._data.readinto(buffer)


def test_a_stream_that_cannot_seek(song_path: Path) -> None:
    got, _ = read(io.BufferedReader(Pipe(song_path.read_bytes())))
    expected, _ = read(song_path)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
def test_what_was_taken_is_decoded_again_from_its_start(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    sf.write(path, tone().T, RATE)
    item = take(io.BufferedReader(Pipe(path.read_bytes())))
    found = []
    for _ in range(2):
        with open_input(item) as stream:
            found.append(np.concatenate(list(stream.blocks()), axis=1))
    np.testing.assert_array_equal(*found)
    assert not item.file.closed
    item.close()


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda p: p / "none.mp3", errors.FileMissingError, "none.mp3"),
        (lambda p: p, errors.FolderError, "folder"),
        (lambda p: _written(p / "empty.wav", b""), errors.EmptyFileError, "empty"),
        (lambda p: _written(p / "text.mp3", b"these are words, not sound\n" * 400), errors.NotAudioError, "text.mp3"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, make: object, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        read(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_video_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(errors.NoAudioStreamError):
        read(path)


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
def test_truncated_files_give_what_they_hold_and_one_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str
) -> None:
    whole = tmp_path / f"whole.{ending}"
    rng = np.random.default_rng(0)
    sf.write(whole, 0.1 * rng.standard_normal((6 * RATE, 2)), RATE)
    data = whole.read_bytes()
    cut = _written(tmp_path / f"cut.{ending}", data[: len(data) * 6 // 10 + 1])
    got, stream = read(cut)
    assert 2.5 < got.shape[1] / RATE < 4.2
    assert len(stream.warnings) == 1
    assert capfd.readouterr().err == ""


def test_damage_in_the_middle_of_an_mp3_is_stepped_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.mp3"
    sf.write(path, 0.1 * np.random.default_rng(0).standard_normal((6 * RATE, 2)), RATE)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 3000] = bytes(3000)
    path.write_bytes(data)
    got, _ = read(path)
    assert got.shape[1] / RATE > 4.5
    assert np.isfinite(got).all()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("ending", "off"), [("wav", 0.01), ("flac", 0.2), ("mp3", 0.2), ("ogg", 2.5), ("m4a", 0.2)])
def test_excerpts_are_what_lies_there(tmp_path: Path, ending: str, off: float) -> None:
    t = np.arange(40 * RATE) / RATE
    y = (0.3 * np.sin(2 * np.pi * (200.0 + 10.0 * t) * t)).astype(np.float32)[None]  # 200 + 20 t Hz at time t
    path = tmp_path / f"sweep.{ending}"
    if ending == "m4a":
        write_av(path, y, RATE, "aac")
    else:
        sf.write(path, y.T, RATE)
    with open_audio(path) as stream:
        assert stream.length == pytest.approx(40.0, abs=0.2)
        found = list(stream.excerpts([5.0, 20.0, 38.0], 4.0))
        assert not stream.warnings
    assert [block.shape[1] / RATE for block in found] == pytest.approx([4.0, 4.0, 2.0], abs=off)
    for start, block in zip((5.0, 20.0), found, strict=False):
        second = block[0, : RATE // 2]
        crossings = np.count_nonzero(np.diff(np.signbit(second))) / (2 * len(second) / RATE)
        assert crossings == pytest.approx(200.0 + 20.0 * (start + 0.25), abs=2.0 + 20.0 * off)


@pytest.mark.parametrize("ending", ["wav", "flac"])
@pytest.mark.parametrize("start", [0.0, 0.1, 0.2])
def test_an_excerpt_of_the_beginning_has_no_lead_in_to_drop(tmp_path: Path, ending: str, start: float) -> None:
    y = 0.1 * np.random.default_rng(0).standard_normal((3 * RATE, 1))
    path = tmp_path / f"x.{ending}"
    sf.write(path, y, RATE)
    whole, _ = read(path)
    with open_audio(path) as stream:
        (block,) = stream.excerpts([start], 1.0)
    first = round(start * RATE)
    np.testing.assert_array_equal(block, whole[:, first : first + RATE])


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.nan, np.inf])
def test_excerpts_and_blocks_have_a_length(song_path: Path, seconds: float) -> None:
    with open_audio(song_path) as stream:
        for ask in (stream.blocks, lambda s: stream.excerpts([0.0], s)):
            with pytest.raises(ValueError, match="seconds must be a positive number"):
                ask(seconds)


def test_excerpts_do_not_judge_the_file_they_are_from(tmp_path: Path) -> None:
    whole = tmp_path / "whole.flac"
    sf.write(whole, 0.1 * np.random.default_rng(0).standard_normal(12 * RATE), RATE)
    data = whole.read_bytes()
    with open_audio(_written(tmp_path / "cut.flac", data[: len(data) // 2])) as stream:
        assert stream.length == pytest.approx(12.0)
        assert [block.shape[1] for block in stream.excerpts([1.0, 9.0, 10.0], 1.0)][:1] == [RATE]
        assert stream.warnings == []


@pytest.mark.parametrize("ending", ["wav", "aiff", "ogg"])
def test_a_file_seen_to_be_cut_short_has_no_length_to_rely_on(tmp_path: Path, ending: str) -> None:
    whole = tmp_path / f"whole.{ending}"
    sf.write(whole, 0.1 * np.random.default_rng(0).standard_normal(6 * RATE), RATE)
    data = whole.read_bytes()
    with open_audio(whole) as stream:
        assert stream.length == pytest.approx(6.0, abs=0.1)
    with open_audio(_written(tmp_path / f"cut.{ending}", data[: len(data) * 6 // 10])) as stream:
        assert stream.length is None


def test_excerpts_tell_once_of_samples_that_are_no_numbers(tmp_path: Path) -> None:
    y = tone(seconds=12.0, channels=1)
    y[0, [round(1.5 * RATE), round(8.5 * RATE)]] = np.nan, np.inf
    path = tmp_path / "holes.wav"
    sf.write(path, y.T, RATE, subtype="FLOAT")
    with open_audio(path) as stream:
        assert all(np.isfinite(block).all() for block in stream.excerpts([1.0, 8.0], 1.0))
    assert len(stream.warnings) == 1
    assert stream.warnings[0].startswith("2 samples were not finite numbers")


def changing(*formats: tuple[int, int], announced: float | None = None) -> AudioStream:
    """A stream of one second in each of some formats (rate, channels)."""
    chunks = (
        Chunk(np.full((c, r), 0.1, np.float32), r, ("FL", "FR", "?")[:c] if c < 3 else ("?",) * c) for r, c in formats
    )
    return AudioStream("x.ogg", DecoderSource(chunks=chunks, codec="", close=lambda: None, announced=announced), [])


def test_a_change_of_format_is_told_once_however_often_it_happens() -> None:
    with changing((RATE, 2), (22_050, 1), (RATE, 2), (22_050, 1), (48_000, 2)) as stream:
        assert sum(block.shape[1] for block in stream.blocks()) == pytest.approx(5 * RATE, abs=10)
    assert len(stream.warnings) == 1
    assert "all was brought to the first format" in stream.warnings[0]


@pytest.mark.parametrize(("rate", "channels"), [(4_000, 2), (RATE, 9), (400_000, 1)])
@pytest.mark.parametrize("announced", [None, 10.0])
def test_a_change_to_what_cannot_be_judged_ends_the_sound_with_a_warning(
    rate: int, channels: int, announced: float | None
) -> None:
    with changing((RATE, 2), (rate, channels), (RATE, 2), announced=announced) as stream:
        assert sum(block.shape[1] for block in stream.blocks()) == RATE
    assert len(stream.warnings) == 1
    assert f"changes to {channels} channel" in stream.warnings[0]
    assert f"{rate} Hz" in stream.warnings[0]


@pytest.mark.parametrize("second", [(22_050, 1), (RATE, 1), (48_000, 2)])
def test_joined_mp3_files_of_two_formats_come_out_with_one_warning(tmp_path: Path, second: tuple[int, int]) -> None:
    parts = []
    for rate, channels in ((RATE, 2), second):
        sf.write(tmp_path / "part.mp3", tone(rate=rate, channels=channels, seconds=2.0).T, rate)
        parts.append((tmp_path / "part.mp3").read_bytes())
    got, stream = read(_written(tmp_path / "joined.mp3", b"".join(parts * 2)))
    assert got.shape[1] / RATE == pytest.approx(8.0, abs=0.4)
    assert sum("change within the file" in warning for warning in stream.warnings) == 1


def test_a_file_too_short_for_one_sample_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    sf.write(path, np.zeros(1), 192_000)
    with pytest.raises(errors.DecodeError, match=r"x\.wav: not one sample"):
        read(path)
    with open_array(np.zeros(1), 192_000) as stream, pytest.raises(errors.DecodeError, match="<array>"):
        next(stream.blocks())


def test_a_stream_closed_before_its_blocks_is_not_called_damaged(song_path: Path) -> None:
    with open_audio(song_path) as stream:
        blocks = stream.blocks()
    assert list(blocks) == []
    assert stream.warnings == []


def test_an_array_has_no_excerpts() -> None:
    with open_array(tone(), RATE) as stream:
        assert stream.length is None
        with pytest.raises(RuntimeError):
            next(stream.excerpts([0.0]))


def test_arrays_follow_librosa() -> None:
    y = tone()
    with open_array(y, RATE) as stream:
        np.testing.assert_array_equal(np.concatenate(list(stream.blocks()), axis=1), y)
    with open_array(y[0].astype(np.float64), RATE) as stream:
        assert next(stream.blocks()).shape == (1, y.shape[1])


@pytest.mark.parametrize(
    ("y", "sr"),
    [
        (np.full(RATE, np.nan, np.float32), RATE),
        (np.zeros((2, 3, 4), np.float32), RATE),
        (np.zeros((9, RATE), np.float32), RATE),
        (np.zeros(RATE, np.float32), 4_000),
        (np.zeros(RATE, np.float32), 400_000),
        (np.zeros((RATE, 2), np.float32), RATE),
    ],
)
def test_arrays_that_cannot_be_audio_are_refused(y: np.ndarray, sr: int) -> None:
    with pytest.raises(errors.AudioError), open_array(y, sr) as stream:
        list(stream.blocks())


def _seeds() -> list[bytes]:
    found = []
    for kind, subtype in (
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
    ):
        out = io.BytesIO()
        sf.write(out, tone(seconds=0.3).T, RATE, format=kind, subtype=subtype)
        found.append(out.getvalue())
    return found


SEEDS = _seeds()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.floats(0.0, 1.0),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
)
def test_damaged_files_decode_or_raise_our_errors(data: bytes, keep: float, flips: list[tuple[float, int]]) -> None:
    damaged = bytearray(data[: max(1, int(keep * len(data)))])
    for where, value in flips:
        damaged[int(where * len(damaged))] = value
    try:
        got, _ = read(io.BytesIO(bytes(damaged)))
    except errors.AidetectError:
        pass
    else:
        assert np.isfinite(got).all()


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_random_bytes_raise_our_errors(data: bytes) -> None:
    with contextlib.suppress(errors.AidetectError):
        read(io.BytesIO(data))
