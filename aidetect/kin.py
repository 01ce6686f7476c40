"""Which generators are kin: versions of one system, and systems that share a decoder."""

from __future__ import annotations

__all__ = ["family_of"]

_KIN = {
    "musicgen": "musicgen unimumo coco-mulla mcv2m stage vidmuse songecho m2ugen musicongen melodylm",
    "audioldm": "audioldm musicldm mt-musicldm mustango tango msldm mixldm",
    "stable-audio": "stable-audio diff-a-riff presto mr-flowdpo",
    "ace-step": "acestep",
    "suno": "suno",
    "elevenlabs": "elevenlabs-music",
    "noise2music": "noise2music",
    "lyria": "lyria musicfx",
    "riffusion": "riffusion flow-music",
    "msdm": "msdm gmsdi",
    "early": "samplernn wavenet sashimi unagan musika",
}
"""Family, and how the names of its members begin: all that decode with MusicGen's codec count as one, and so on."""


def family_of(generator: str) -> str:
    """Name the family of a generator; one that is not known is its own.

    Examples
    --------
    >>> family_of("musicgen-style"), family_of("udio")
    ('musicgen', 'udio')
    """
    for family, members in _KIN.items():
        if any(generator.startswith(member) for member in members.split()):
            return family
    return generator
