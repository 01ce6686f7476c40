"""Containers: what the bytes of an audio file say about it before a decoder looks at them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from .channels import MASK_ORDER

__all__ = ["PcmFacts", "aiff_facts", "mp3_counts_frames", "ogg_ends", "recognised", "wav_facts"]


@dataclass(slots=True)
class PcmFacts:
    """What the header of a WAV or AIFF file says beyond what libsndfile tells."""

    plain: bool = True  # a sample coding libsndfile knows
    frames: int | None = None
    layout: tuple[str, ...] = ()


def _read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Read without moving the file: a decoder may be half way through it."""
    before = file.tell()
    file.seek(offset)
    data = file.read(count)
    file.seek(before)
    return data if data is not None else b""


def wav_facts(file: BinaryIO, size: int) -> PcmFacts:
    """Walk the chunks of a RIFF/WAVE file up to its data."""
    facts = PcmFacts()
    head = _read_at(file, 0, 12)
    order = ">" if head[:4] == b"RIFX" else "<"
    position, long_data, block = 12, None, 0
    for _ in range(1000):
        header = _read_at(file, position, 8)
        if len(header) < 8:
            break
        kind, length = header[:4], struct.unpack(order + "I", header[4:])[0]
        if kind == b"ds64":
            body = _read_at(file, position + 8, 16)
            if len(body) == 16:
                long_data = struct.unpack(order + "Q", body[8:])[0]
        elif kind == b"fmt ":
            body = _read_at(file, position + 8, min(length, 40))
            if len(body) < 16:
                break
            tag, channels, _, _, block = struct.unpack(order + "HHIIH", body[:14])
            if tag == 0xFFFE and len(body) >= 26:
                mask = struct.unpack(order + "I", body[20:24])[0]
                tag = struct.unpack(order + "H", body[24:26])[0]
                named = tuple(label for bit, label in enumerate(MASK_ORDER) if mask >> bit & 1)
                if len(named) == channels:
                    facts.layout = named
            facts.plain = tag in (1, 3, 6, 7)
        elif kind == b"data":
            if length == 0xFFFFFFFF and long_data is not None:
                length = long_data
            # Programs that write to a pipe leave these in place of a length.
            unknown = length == 0 or 0x7FFFF000 <= length <= 0x80000000 or 0xFFFFF000 <= length <= 0xFFFFFFFF
            if not unknown and block and facts.plain:
                facts.frames = length // block
            break
        position += 8 + length + (length & 1)
        if position >= size:
            break
    return facts


def aiff_facts(file: BinaryIO, size: int) -> PcmFacts:
    """Find the number of frames that an AIFF file announces."""
    facts = PcmFacts()
    position = 12
    for _ in range(1000):
        header = _read_at(file, position, 8)
        if len(header) < 8:
            break
        length = struct.unpack(">I", header[4:])[0]
        if header[:4] == b"COMM":
            body = _read_at(file, position + 8, 6)
            if len(body) == 6:
                facts.frames = struct.unpack(">HI", body)[1] or None
            break
        position += 8 + length + (length & 1)
        if position >= size:
            break
    return facts


def _id3_length(head: bytes) -> int:
    """Return the length of the ID3v2 tag that `head` starts with, 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    a, b, c, d = head[6:10]
    return 10 + ((a & 127) << 21 | (b & 127) << 14 | (c & 127) << 7 | (d & 127))


def mp3_counts_frames(file: BinaryIO) -> bool:
    """Tell whether an MP3 file says how long it is (a Xing, Info or VBRI header with a frame count)."""
    start = _read_at(file, _id3_length(_read_at(file, 0, 10)), 4096)
    sync = start.find(b"\xff")
    while 0 <= sync < len(start) - 1 and start[sync + 1] & 0xE0 != 0xE0:
        sync = start.find(b"\xff", sync + 1)
    if sync < 0:
        return False
    first = start[sync : sync + 200]
    for mark in (b"Xing", b"Info"):
        at = first.find(mark)
        if at >= 0 and len(first) >= at + 8:
            return bool(first[at + 7] & 1)
    return b"VBRI" in first


def ogg_ends(file: BinaryIO, size: int) -> bool:
    """Tell whether the last page of an Ogg file is whole and marked as the last."""
    offset = max(0, size - 131_072)
    tail = _read_at(file, offset, size - offset)
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False
    table = tail[at + 27 : at + 27 + tail[at + 26]]
    if len(table) < tail[at + 26] or len(tail) < at + 27 + len(table) + sum(table):
        return False
    return bool(tail[at + 5] & 4)


def recognised(head: bytes) -> str | None:
    """Name the kind of audio container `head` belongs to, as far as that is beyond doubt."""
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"heic", b"heix", b"mif1", b"msf1"):
        return "MP4"
    for magic, kind in (
        (b"riff\x2e\x91\xcf\x11", "W64"),
        (b"fLaC", "FLAC"),
        (b"OggS", "Ogg"),
        (b"caff", "CAF"),
        (b".snd", "AU"),
        (b"ID3", "MP3"),
        (b"\x1aE\xdf\xa3", "Matroska"),
        (b"0&\xb2u\x8ef\xcf\x11", "WMA"),
    ):
        if head.startswith(magic):
            return kind
    return None
