"""Which generators are kin: versions of one system, and systems that share a decoder."""

from __future__ import annotations

__all__ = ["family_of"]

# As their papers, model cards or makers tell. In doubt two systems are kin: what is left out of training as unknown
# must not have been taught by its decoder. Only to be designed alike does not count: the autoencoder of ACE-Step 1.5
# is built like Stable Audio's, but for another rate and frame.
_KIN = {
    # MusicGen itself, tuned or steered, and systems that decode with its public EnCodec (StemGen, VidMuse, UniMuMo)
    "musicgen": "musicgen unimumo coco-mulla mcv2m stage vidmuse stemgen m2ugen musicongen melodylm",
    # its autoencoder and vocoder: MusicLDM, Tango and what grew from them
    "audioldm": "audioldm musicldm mt-musicldm mustango tango msldm mixldm",
    # its autoencoder or one built on it: DiffRhythm's began as that of Stable Audio 2
    "stable-audio": "stable-audio diff-a-riff presto diffrhythm",
    # its versions, adapters (acestep-controlnet) and SongEcho, of which it is the backbone
    "ace-step": "acestep songecho",
    "suno": "suno",
    "elevenlabs": "elevenlabs-music",
    "noise2music": "noise2music",
    # MusicFX is Google's page for it, and Flow Music, once Riffusion's, runs Lyria 3
    "lyria": "lyria musicfx flow-music",
    # the open model of 2022 over spectrograms; nothing of the firm's later products
    "riffusion": "riffusion",
    # MR-FlowDPO is this model of the same page, tuned to preferences
    "flow-400m": "flow-400m mr-flowdpo",
    # waveform diffusion over the same stems, by one group
    "msdm": "msdm gmsdi",
    # samples one after the other, and adversarial networks, of one time and on shared pages
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
