"""Feature tables made up from known rules, so that training can be tested without audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aidetect.analysis import GRID
from aidetect.dataset import SIMULATED, FeatureTable, concatenate
from aidetect.features import describe_features
from aidetect.grain import FEATURES as GRAIN
from aidetect.modulation import RATES

NAMES = [feature.name for feature in describe_features()]


def made_up(
    *,
    tracks: int = 160,
    sources: int = 16,
    strength: float = 1.0,
    seed: int = 0,
    generators: Sequence[str] = ("suno", "udio"),
) -> FeatureTable:
    """AI rows have lines at fixed places in spectrum and envelope and a higher skewness; half of all have a voice."""
    rng = np.random.default_rng(seed)
    ai = np.arange(tracks) % 2 == 0
    values = rng.standard_normal((tracks, len(NAMES))).astype(np.float32)
    for name in ("detail_skewness_6k_8k", "detail_kurtosis_8k_11k", "band_crest_2000_6000hz"):
        values[:, NAMES.index(name)] += strength * ai
    values[:, NAMES.index("effective_bandwidth")] = 16_000.0
    sings = rng.random(tracks) < 0.5
    values[:, NAMES.index("cepstral_motion_3")] += 4.0 * sings
    values[:, NAMES.index("f0_median")] = np.where(sings, 200.0, np.nan)
    heights = np.minimum(rng.exponential(1.0, (tracks, len(RATES))), 8.0)
    heights[:, 200:3000:200] += 2.0 * strength * ai[:, None]
    modulation = np.minimum(heights, 8.0).astype(np.int8)
    details = rng.normal(0.0, 4.0, (tracks, len(GRID))).round().astype(np.int8)
    details[:, 500:5000:250] += (np.int8(6 * strength) * ai[:, None]).astype(np.int8)
    rows = tuple(
        {
            "id": f"t{i}",
            "label": "ai" if ai[i] else "human",
            "source": f"s{2 * (i // 2 % (sources // 2)) + int(ai[i])}",
            "group": "",
            "title": "",
            "generator": generators[i // 4 % len(generators)] if ai[i] else "human",
            "vocals": "yes" if sings[i] else "no",
            "codec": ("mp3", "vorbis")[i // 3 % 2],
            "variant": "",
            "seconds": "90.0",
        }
        for i in range(tracks)
    )
    return FeatureTable(values, details, modulation, rows)


def with_twins(table: FeatureTable, *, strength: float = 2.0, seed: int = 0) -> FeatureTable:
    """Add a pair of twins for every human row; AI rows and simulated ones are alike in three features of grain."""
    rng = np.random.default_rng(seed)
    shifted = [NAMES.index(feature.name) for feature in GRAIN[:3]]
    values = table.values.copy()
    values[np.ix_(table.column("label") == "ai", shifted)] += strength
    human = table.take(table.column("label") == "human")
    pairs = []
    for label, variant in ((SIMULATED, "sim1"), ("human", "twin1")):
        own = rng.standard_normal(human.values.shape).astype(np.float32)
        own[:, shifted] += strength * (label == SIMULATED)
        rows = tuple({**row, "label": label, "variant": variant} for row in human.rows)
        pairs.append(replace(human, values=own, rows=rows))
    return replace(table, values=values, twins=concatenate(pairs))


def sped_up(table: FeatureTable, *, factor: float) -> FeatureTable:
    """Stretch spectra and envelopes of a table."""
    details, modulation = table.details.copy(), table.modulation.copy()
    for found, original, axis in ((details, table.details, GRID), (modulation, table.modulation, RATES)):
        place = np.round((axis / factor - axis[0]) / (axis[1] - axis[0])).astype(int)
        inside = (place >= 0) & (place < len(axis))
        found[:, inside] = original[:, place[inside]]
    return replace(table, details=details, modulation=modulation)
