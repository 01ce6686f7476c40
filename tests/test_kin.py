from __future__ import annotations

import pytest

from aidetect.kin import family_of


@pytest.mark.parametrize(
    ("generator", "family"),
    [
        ("suno-v5", "suno"),
        ("suno-v3.5", "suno"),
        ("musicgen-large", "musicgen"),
        ("melodylm", "musicgen"),
        ("acestep-v1", "ace-step"),
        ("acestep-controlnet", "ace-step"),
        ("songecho", "ace-step"),
        ("stemgen", "musicgen"),
        ("musicfx", "lyria"),
        ("flow-music", "lyria"),
        ("riffusion-v1", "riffusion"),
        ("diffrhythm", "stable-audio"),
        ("stable-audio-2.5", "stable-audio"),
        ("mr-flowdpo", "flow-400m"),
        ("flow-400m", "flow-400m"),
        ("never heard of", "never heard of"),
        ("", ""),
    ],
)
def test_versions_and_children_are_kin(generator: str, family: str) -> None:
    assert family_of(generator) == family
