from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from aidetect.containers import PcmFacts, aiff_facts, mp3_counts_frames, ogg_ends, recognised, wav_facts

RATE, FRAMES = 44_100, 5_000


def written(kind: str, subtype: str, *, channels: int = 2) -> bytes:
    out = io.BytesIO()
    sf.write(out, np.zeros((FRAMES, channels), np.float32), RATE, format=kind, subtype=subtype)
    return out.getvalue()


def wav(*, data_length: int, mask: int | None = None, channels: int = 2, tag: int = 1) -> bytes:
    block = 2 * channels
    form = struct.pack("<HHIIHH", 0xFFFE if mask is not None else tag, channels, RATE, RATE * block, block, 16)
    if mask is not None:
        form += struct.pack("<HHIH", 22, 16, mask, tag) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", data_length)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def facts(data: bytes) -> PcmFacts:
    return wav_facts(io.BytesIO(data), len(data))


def test_frames_of_wav_and_aiff() -> None:
    assert facts(written("WAV", "PCM_16")).frames == FRAMES
    assert facts(written("RF64", "PCM_16")).frames == FRAMES
    aiff = written("AIFF", "PCM_16")
    assert aiff_facts(io.BytesIO(aiff), len(aiff)).frames == FRAMES


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x80000000, 0xFFFFF000, 0xFFFFFFFF])
def test_lengths_that_pipes_leave_behind_announce_nothing(length: int) -> None:
    assert facts(wav(data_length=length)).frames is None
    assert facts(wav(data_length=4_000)).frames == 1_000


def test_the_mask_of_an_extensible_wav_names_its_channels() -> None:
    assert facts(wav(data_length=4_000, mask=0x30, channels=2)).layout == ("BL", "BR")
    assert facts(wav(data_length=4_000, mask=0x3F, channels=2)).layout == ()  # six names for two channels


def test_codings_that_libsndfile_does_not_know() -> None:
    assert facts(wav(data_length=4_000)).plain
    assert not facts(wav(data_length=4_000, tag=0x161)).plain


def test_an_mp3_that_counts_its_frames_behind_a_tag_or_none() -> None:
    mp3 = written("MP3", "MPEG_LAYER_III")
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
    bare = mp3.replace(b"Info", b"xxxx").replace(b"Xing", b"xxxx")
    assert mp3_counts_frames(io.BytesIO(mp3))
    assert mp3_counts_frames(io.BytesIO(tag + mp3))
    assert not mp3_counts_frames(io.BytesIO(bare))


def test_the_end_of_an_ogg_file() -> None:
    ogg = written("OGG", "VORBIS")
    assert ogg_ends(io.BytesIO(ogg), len(ogg))
    assert not ogg_ends(io.BytesIO(ogg[:-1]), len(ogg) - 1)


@pytest.mark.parametrize(
    ("kind", "subtype", "name"),
    [
        ("WAV", "PCM_16", "WAV"),
        ("RF64", "PCM_16", "WAV"),
        ("W64", "PCM_16", "W64"),
        ("AIFF", "PCM_16", "AIFF"),
        ("AU", "PCM_16", "AU"),
        ("CAF", "PCM_16", "CAF"),
        ("FLAC", "PCM_16", "FLAC"),
        ("OGG", "VORBIS", "Ogg"),
    ],
)
def test_containers_are_recognised_by_their_first_bytes(kind: str, subtype: str, name: str) -> None:
    assert recognised(written(kind, subtype)[:64]) == name


def test_pictures_in_mp4_boxes_and_words_are_not_recognised() -> None:
    assert recognised(b"\0\0\0\x20ftypM4A " + bytes(48)) == "MP4"
    assert recognised(b"\0\0\0\x20ftypavif" + bytes(48)) is None
    assert recognised(b"these are words, not sound") is None


HEADS = (b"", b"RIFF\0\0\0\0WAVEfmt ", b"FORM\0\0\0\0AIFFCOMM", b"ID3\x04\0\0", b"OggS", b"\xff\xfb\x90\x00")


@given(st.sampled_from(HEADS), st.binary(max_size=300))
def test_any_bytes_can_be_looked_at_without_moving_the_file(head: bytes, rest: bytes) -> None:
    data = head + rest
    file = io.BytesIO(data)
    for looked in (wav_facts, aiff_facts):
        found = looked(file, len(data)).frames
        assert found is None or found >= 0
    assert mp3_counts_frames(file) in (True, False)
    assert ogg_ends(file, len(data)) in (True, False)
    assert file.tell() == 0
    recognised(data[:64])
