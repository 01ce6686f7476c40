from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from aidetect import errors
from aidetect.decoding import MAX_RATE, open_array, open_audio

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


def test_a_stream_that_cannot_seek(song_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return False

        def readinto(self, buffer: bytearray) -> int:
            return self._data.readinto(buffer)

    got, _ = read(io.BufferedReader(Pipe(song_path.read_bytes())))
    expected, _ = read(song_path)
    np.testing.assert_array_equal(got, expected)


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
    except (errors.AidetectError, ValueError) as error:
        assert isinstance(error, errors.AidetectError) or "concatenate" in str(error)  # decoded to no block at all
    else:
        assert np.isfinite(got).all()


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_random_bytes_raise_our_errors(data: bytes) -> None:
    try:
        read(io.BytesIO(data))
    except (errors.AidetectError, ValueError) as error:
        assert isinstance(error, errors.AidetectError) or "concatenate" in str(error)
