from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from aidetect import errors
from aidetect.decoders import open_ffmpeg, open_sndfile, scale_into
from aidetect.decoding import open_audio
from aidetect.inputs import take


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (np.uint8, 0, 255),
        (np.int16, -(2**15), 2**15 - 1),
        (np.int32, -(2**31), 2**31 - 1),
        (np.int64, -(2**63), 2**63 - 1),
        (np.uint64, 0, 2**64 - 1),
    ],
)
def test_integers_are_scaled_by_their_full_scale(dtype: type, low: int, high: int) -> None:
    x = np.array([[low, high]], dtype=dtype)
    out = np.empty(x.shape, dtype=np.float32)
    scale_into(x, out)
    np.testing.assert_allclose(out, [[-1.0, 1.0]], atol=2.0 / 2 ** (8 * min(x.dtype.itemsize, 3)))


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC"])
def test_both_decoders_give_the_same_samples(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind.lower()}"
    sf.write(path, 0.3 * np.random.default_rng(0).standard_normal((20_000, 2)), 44_100, subtype="PCM_16", format=kind)
    found = []
    for source in (open_sndfile(take(path), kind), open_ffmpeg(take(path))):
        found.append(np.concatenate([chunk.samples for chunk in source.chunks], axis=1))
        assert source.length == pytest.approx(20_000 / 44_100, abs=1e-6)
        source.close()
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{0}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile '{0}'\n"),
        ("session.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n"),
    ],
)
def test_playlists_open_no_other_file(tmp_path: Path, name: str, text: str) -> None:
    secret = tmp_path / "secret.wav"
    sf.write(secret, np.zeros(44_100), 44_100)
    path = tmp_path / name
    path.write_text(text.format(secret))
    with pytest.raises(errors.NotAudioError):
        open_audio(path)
