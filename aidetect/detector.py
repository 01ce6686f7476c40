"""The detector: experts, what they add up to, and the verdict."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import alignment
from .combiner import EXTREME, Combiner, combine
from .errors import ModelFileError
from .experts import (
    VIEWS,
    WIDTHS,
    Evidence,
    LinearExpert,
    NetworkExpert,
    SignaturesExpert,
    TreesExpert,
    Views,
    signature_parts,
)
from .extraction import EXTRACTOR_VERSION, Effort, TrackFeatures, extract, extract_array
from .features import FAMILIES, describe_features, feature_number
from .modelfile import model_folder, read_model, write_model
from .novelty import KnownRange
from .prevalence import LENGTHS, RECALIBRATED, error_rates, length_of, recalibrated
from .result import ReadOnly, Result
from .store import content_key
from .verdicts import SHORT, Thresholds

__all__ = ["Detector", "default_model_path", "unheard", "unproven"]

Floats = npt.NDArray[np.float32]
Expert = LinearExpert | NetworkExpert | SignaturesExpert | TreesExpert

LEAST_BANDWIDTH = 5_000.0
"""Hz of sound below which finding nothing means nothing, such as for music over a telephone."""
_EVEN = 0.5
_LITTLE_BANDWIDTH = 9_000.0  # Hz
_LITTLE_TIME = 12.0  # s
_REASONS = 8
_STRANGE = (
    "the sound is unlike the music that the detector learned from (noise, speech, tones, heavy processing?), so no "
    "verdict is given"
)
_ALTERED = (
    "lines like those of generators fit if the track plays {:.1f} % too {} (so they do, by chance, for one in {} of "
    "people's tracks): it was judged with that undone{}"
)
_BY_CHANCE, _SELDOM = 50, 370
_NOT_ACCUSED = ", and since that is no rare chance, not called AI"


@dataclass(frozen=True, eq=False, repr=False)
class Detector:
    """A trained model.

    Use :meth:`load`, or :func:`aidetect.train` to make one.

    Attributes
    ----------
    experts : tuple
        :class:`~aidetect.experts.LinearExpert`, :class:`~aidetect.experts.NetworkExpert`,
        :class:`~aidetect.experts.SignaturesExpert`, :class:`~aidetect.experts.TreesExpert`.
    gate : LinearExpert
        Tells whether somebody sings; where not, the vocal family abstains.
    combiners : Mapping of str to Combiner
        ``"vocal"`` and ``"instrumental"``.
    thresholds : Thresholds
        Where verdicts begin.
    known : KnownRange
        What training tracks are like; no verdict is given on what lies too far out.
    about : Mapping
        Version, training data, metrics: what the model card says, JSON-ready.
    least_fit : float
        How well a signature must fit at another speed for it to be undone before the experts look; see
        :mod:`aidetect.alignment`.
    """

    experts: tuple[Expert, ...]
    gate: LinearExpert
    combiners: Mapping[str, Combiner]
    thresholds: Thresholds
    known: KnownRange
    about: Mapping[str, Any] = field(default_factory=dict)
    least_fit: float = alignment.LEAST_FIT

    # -- scoring ------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Name and version of the model, with additions."""
        return str(self.about.get("version", "unnamed"))

    def __repr__(self) -> str:
        """Return what tells models apart, without their arrays."""
        sources = self.about.get("sources")
        told = ", ".join(f"{n} {name}" for name, n in sorted(sources.items())) if isinstance(sources, Mapping) else ""
        return f"Detector(version={self.version!r}, experts={len(self.experts)}, sources={told or 'unknown'!r})"

    def score(self, source: str | os.PathLike[str] | BinaryIO, *, effort: Effort = "full") -> Result:
        """Score a file.

        Parameters
        ----------
        source : path or binary file object
            Any audio file.
        effort : str
            As in :func:`aidetect.score`.

        Returns
        -------
        Result

        Raises
        ------
        AudioError
            The file cannot be judged; the message says why.
        ValueError
            There is no such effort.
        """
        path = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
        return self.judge(extract(source, effort=effort), path=str(path))

    def score_array(self, y: npt.ArrayLike, sr: float, *, name: str = "<array>") -> Result:
        """Score samples in memory.

        Parameters
        ----------
        y, sr, name
            As in :func:`aidetect.score_array`, which also says what is raised.

        Returns
        -------
        Result
        """
        return self.judge(extract_array(y, sr, name=name))

    def judge(self, track: TrackFeatures, *, path: str = "") -> Result:
        """Turn the features of a track into an answer."""
        views, speed, doubted = self.aligned(Views.of([track]))
        seconds = np.array([track.duration], dtype=np.float32)
        scores, sings = self.scores(views), self.sings(views)
        combiner = self.combiners["vocal" if sings[0] else "instrumental"]
        logits, evidence = combine(scores, sings, self.combiners, seconds=seconds)
        logit = float(np.clip(logits[0], -EXTREME, EXTREME))
        probability = 1.0 / (1.0 + math.exp(-logit))
        families: dict[str, float | None] = {}
        for family in FAMILIES:
            parts = [float(evidence[e.name][0]) for e in self.experts if e.family == family]
            spoken = [part for part in parts if math.isfinite(part)]
            families[family] = sum(spoken) if spoken else None
        strange = bool(self.known.strange(views.values)[0])
        guess = np.array([probability], dtype=np.float32)
        silent = bool(unheard(views.values, guess)[0])
        spared = bool(unproven(doubted, guess)[0])
        withheld = strange or silent or spared
        doubts = _doubts(track, silent=silent) + ([_STRANGE] if strange else [])
        limits = self.thresholds.limits(track.duration)
        verdict = "uncertain" if withheld else self.thresholds.verdict(probability, seconds=track.duration)
        if speed[0] != 1.0 and verdict != "human":
            percent, way = abs(100.0 * (float(speed[0]) - 1.0)), "fast" if speed[0] > 1.0 else "slow"
            chance = _BY_CHANCE if doubted[0] else _SELDOM
            doubts.append(_ALTERED.format(percent, way, chance, _NOT_ACCUSED if spared else ""))
        return Result(
            path=path or track.name,
            probability=probability,
            verdict=verdict,
            families=ReadOnly(families),
            features=ReadOnly(track.values),
            reasons=tuple(self._reasons(views, scores, combiner, seconds)),
            warnings=(*track.warnings, *doubts),
            duration=track.duration,
            sample_rate=track.sample_rate,
            channels=track.channels,
            codec=track.codec,
            model_version=self.version,
            effort=track.effort,
            speed=round(float(speed[0]), 4),
            thresholds=ReadOnly(ai=limits[0], human=limits[1]),
            start=float(combiner.reliance(seconds)[0]) * combiner.bias,
            withheld=withheld,
            error_rates=ReadOnly(error_rates(self.about, seconds=track.duration)),
        )

    def decide(self, views: Views, *, seconds: Floats) -> tuple[Floats, dict[str, Floats], npt.NDArray[np.bool_]]:
        """Log-odds of many tracks, what every expert added to them, and where the speed they rest on is in doubt.

        Parameters
        ----------
        views : Views
            Of the tracks.
        seconds : ndarray, shape (tracks,)
            Their lengths.

        Returns
        -------
        logits : ndarray, shape (tracks,)
        evidence : dict of str to ndarray, shape (tracks,)
            NaN where the expert abstained.
        doubted : ndarray of bool, shape (tracks,)
            As from :meth:`aligned`.
        """
        views, _, doubted = self.aligned(views)
        return *combine(self.scores(views), self.sings(views), self.combiners, seconds=seconds), doubted

    def speeds(self, views: Views) -> Floats:
        """How much faster than it was made each track plays, where its lines tell; shape (tracks,)."""
        return self.aligned(views)[1]

    def aligned(self, views: Views) -> tuple[Views, Floats, npt.NDArray[np.bool_]]:
        """Undo changes of speed.

        Returns
        -------
        views : Views
            Of the tracks at the speed they were made at.
        speed : ndarray, shape (tracks,)
            As from :meth:`speeds`.
        doubted : ndarray of bool, shape (tracks,)
            Where that speed is :func:`~aidetect.alignment.doubted`.
        """
        likely, fit = alignment.likely_speeds(views, self.experts)
        speed = alignment.believed(likely, fit, least_fit=self.least_fit)
        doubted = alignment.doubted(fit, least_fit=self.least_fit)
        return views.undone(speed, doubted=doubted), speed, doubted

    def scores(self, views: Views) -> dict[str, Floats]:
        """Log-odds of every expert, shape (tracks,). Changes of speed are to be undone in the views before."""
        return {expert.name: expert.score(views) for expert in self.experts}

    def withheld(self, values: Floats, probability: Floats, doubted: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """On which tracks no verdict is given, shape (tracks,).

        Those of :func:`unheard` and :func:`unproven`, and those unlike anything known.
        """
        return unheard(values, probability) | unproven(doubted, probability) | self.known.strange(values)

    def sings(self, views: Views) -> npt.NDArray[np.bool_]:
        """Whether somebody sings, shape (tracks,)."""
        pitch = views.values[:, feature_number("f0_median")]
        found: npt.NDArray[np.bool_] = np.isfinite(pitch) & (self.gate.score(views) > 0.0)
        return found

    def _reasons(
        self, views: Views, scores: Mapping[str, Floats], combiner: Combiner, seconds: Floats
    ) -> list[Evidence]:
        moved: dict[str, Evidence] = {}
        factor = float(combiner.reliance(seconds)[0])
        for expert in self.experts:
            end = float(scores[expert.name][0])
            if not combiner.weights.get(expert.name) or math.isnan(end):
                continue
            parts = expert.explain(views)
            weight = factor * combiner.gain(expert.name, end - sum(part.weight for part in parts), end)
            for part in parts:
                before = moved[part.name].weight if part.name in moved else 0.0
                moved[part.name] = Evidence(part.name, before + weight * part.weight, part.value)
        ranked = sorted(moved.values(), key=lambda part: -abs(part.weight))
        return [part for part in ranked[:_REASONS] if abs(part.weight) >= 0.01]

    def recalibrate(
        self,
        human_paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        max_false_positive_rate: float = 0.01,
        jobs: int = 1,
        report: Callable[[str], None] | None = None,
    ) -> Detector:
        """Set the threshold of the verdict ``ai`` by tracks of one's own that people made.

        Rates estimated on one collection do not hold on another. With n tracks of the collection at hand, at most
        ``floor((n + 1) * rate)`` of which may lie above it, the threshold keeps the rate on further tracks of the same
        collection (split conformal prediction; Vovk, Gammerman, Shafer 2005): on average over such sets of tracks. For
        the set at hand it may be higher; how high is stated, as the upper end of a 95 % interval.

        Tracks under 60 s and longer ones have thresholds, and so rates, of their own: one for all of each, which no
        longer falls with the length. A length of which there are too few tracks is promised nothing: its threshold is
        raised where all the tracks together ask for it and else stays the model's, and so do the rates that are stated
        for it.

        All this takes the tracks to be drawn one by one. Tracks of one album are alike and count as little more than
        one, so let them come from many albums and artists. Copies of a file count once; the same recording in another
        format is not noticed.

        Parameters
        ----------
        human_paths : path or iterable of path
            A folder, or files, of music known to be people's; some 100 to 200 tracks of each length that is to be
            judged, of many albums and artists.
        max_false_positive_rate : float
            Bound to keep.
        jobs : int
            Processes.
        report : callable, optional
            Gets one line for every file that cannot be scored, is a copy of another, or gets no verdict at any
            threshold (:attr:`Result.withheld`); by default a warning tells how many there are. They are left out.

        Returns
        -------
        Detector
            With ``about["recalibration"]``: tracks used, rate, and for each length the threshold, how many false
            positives to expect, and the recall that is left, as estimated on AI tracks of sources outside training. It
            takes the place of an earlier recalibration. Its version, which every result names, ends in
            ``+recalibrated``.

        Raises
        ------
        ValueError
            The rate is not between 0 and 1.
        TrainingError
            Fewer different tracks of either length than the rate needs: 99 for 1 %.
        """
        if not 0.0 < max_false_positive_rate < 1.0:
            raise ValueError(f"max_false_positive_rate must lie between 0 and 1, not {max_false_positive_rate!r}")
        from .batch import FileError, audio_files, score_files

        if isinstance(human_paths, str | os.PathLike):
            paths = audio_files(human_paths)
        else:
            paths = [Path(path) for path in human_paths]
        different, copies = _different(paths)
        scores: dict[str, list[float]] = {name: [] for name in LENGTHS}
        failed, silent = [], []
        for item in score_files(different, jobs=jobs, detector=self):
            if isinstance(item, FileError):
                failed.append(item.error)
            elif item.withheld:
                silent.append(f"{item.path}: gets no verdict at any threshold.")
            else:
                scores[length_of(item.duration)].append(item.probability)
        for words, lines in (
            ("could not be scored and were left out", failed),
            ("are copies of others and count for nothing", copies),
            ("get no verdict at any threshold and count for nothing", silent),
        ):
            if report is not None:
                for line in lines:
                    report(line)
            elif lines:
                warnings.warn(
                    f"{len(lines)} of {len(paths)} files {words}; the first: {lines[0]}",
                    stacklevel=2,
                )
        thresholds, note = recalibrated(self.thresholds, self.about, scores, rate=max_false_positive_rate)
        once = RECALIBRATED in self.version.split("+")
        version = self.version if once else f"{self.version}+{RECALIBRATED}"
        return replace(self, thresholds=thresholds, about={**self.about, "version": version, "recalibration": note})

    # -- files --------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Detector:
        """Read a model file.

        Parameters
        ----------
        path : path, optional
            By default the model that comes with the library.

        Raises
        ------
        ModelFileError
            Missing, damaged, of a newer format, or for other features than this version measures.
        """
        if path is None:
            return _default_detector()
        about, arrays = read_model(path)
        try:
            return _unpack(about, arrays)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            raise ModelFileError(f"{path}: incomplete model file ({type(error).__name__}: {error}).") from None
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file of arrays and JSON.

        Raises
        ------
        OutputError
            The place cannot be written to.
        """
        about, arrays = _pack(self)
        write_model(path, about, arrays)


def _different(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Leave out copies of files, and say of what."""
    first: dict[str, Path] = {}
    kept, copies = [], []
    for path in paths:
        try:
            key = content_key(path) if path.is_file() else ""
        except OSError:  # whoever reads it tells what is wrong
            key = ""
        if key and key in first:
            copies.append(f"{path}: a copy of {first[key]}.")
            continue
        first[key] = path
        kept.append(path)
    return kept, copies


def unheard(values: Floats, probability: Floats) -> npt.NDArray[np.bool_]:
    """Which tracks show no trace of generation, but lack the bands in which most would lie, shape (tracks,)."""
    bandwidth = values[:, feature_number("effective_bandwidth")]
    found: npt.NDArray[np.bool_] = (bandwidth < LEAST_BANDWIDTH) & (probability < _EVEN)
    return found


def unproven(doubted: npt.NDArray[np.bool_], probability: Floats) -> npt.NDArray[np.bool_]:
    """Which tracks look generated, but at a speed that is :func:`~aidetect.alignment.doubted`, shape (tracks,)."""
    found: npt.NDArray[np.bool_] = doubted & (probability >= _EVEN)
    return found


def _doubts(track: TrackFeatures, *, silent: bool) -> list[str]:
    """Say in sentences why an answer rests on little, or, where nothing is heard, why there is no verdict."""
    found = []
    bandwidth = track.values["effective_bandwidth"]
    if bandwidth < LEAST_BANDWIDTH:
        found.append(
            f"the sound ends at {bandwidth / 1000:.1f} kHz: the bands in which most traces of generation lie are "
            "missing"
            + (", so that none are found means nothing, and no verdict is given" if silent else " and count for nobody")
        )
    elif bandwidth < _LITTLE_BANDWIDTH:
        found.append(f"the sound ends at {bandwidth / 1000:.1f} kHz: the answer rests on part of the evidence")
    if track.duration < _LITTLE_TIME:
        found.append(f"only {track.duration:.0f} s long: answers for 30 s and more are surer")
    return found


def default_model_path() -> Path:
    """Return the path of the model that comes with the library."""
    return model_folder() / "aidetect-13.model"


@lru_cache(maxsize=1)
def _default_detector() -> Detector:
    return Detector.load(default_model_path())


# ---------------------------------------------------------------------------------------------------------------
# Arrays and JSON
# ---------------------------------------------------------------------------------------------------------------

_ARRAYS = {
    "linear": ("mean", "scale", "weights"),
    "network": ("mean", "scale", "hidden", "offsets", "weights"),
    "signatures": ("mean", "scale", "filters", "offsets"),
    "trees": ("fill", "roots", "feature", "left", "right", "threshold", "value"),
}
_OF_COMBINER = ("weights", "floors", "ceilings", "widths", "centres")
_BEYOND_REACH = float(np.finfo(np.float32).max)  # what no fit exceeds
_KINDS = {LinearExpert: "linear", NetworkExpert: "network", SignaturesExpert: "signatures", TreesExpert: "trees"}


def _pack(detector: Detector) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    experts: list[dict[str, Any]] = []
    for expert in (*detector.experts, detector.gate):
        kind = _KINDS[type(expert)]
        for key in _ARRAYS[kind]:
            arrays[f"{expert.name}.{key}"] = getattr(expert, key)
        experts.append(
            {
                "kind": kind,
                "name": expert.name,
                "family": expert.family,
                "view": expert.view,
                "columns": list(expert.columns),
                "bias": float(expert.bias),
            }
        )
        if isinstance(expert, SignaturesExpert):
            experts[-1] |= {"generators": list(expert.generators), "limit": float(expert.limit)}
            experts[-1] |= {"abstains": bool(expert.abstains)}
    combiners = {kind: asdict(combiner) for kind, combiner in detector.combiners.items()}
    arrays |= {"known.low": detector.known.low, "known.high": detector.known.high}
    about = {
        "extractor": EXTRACTOR_VERSION,
        "experts": experts[:-1],
        "gate": experts[-1],
        "combiners": combiners,
        "thresholds": asdict(detector.thresholds),
        "known": {"columns": list(detector.known.columns), "limit": detector.known.limit},
        "least_fit": float(detector.least_fit),
        "about": dict(detector.about),
    }
    return about, arrays


def _unpack(about: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Detector:
    if about["extractor"] != EXTRACTOR_VERSION:
        raise ModelFileError("made for another version of the feature extractor; retrain it.")
    experts = tuple(_expert(description, arrays) for description in about["experts"])
    gate = _expert(about["gate"], arrays)
    if not isinstance(gate, LinearExpert):
        raise ModelFileError("its gate is not linear.")
    names = {expert.name for expert in experts}
    combiners = {}
    for kind in ("vocal", "instrumental"):
        c = about["combiners"][kind]
        parts = {part: {str(k): _finite(v) for k, v in c[part].items()} for part in _OF_COMBINER}
        if not names.issuperset(parts["weights"]):
            raise ModelFileError("it combines experts it does not hold.")
        if any(set(found) != set(parts["weights"]) for found in parts.values()):
            raise ModelFileError("its combiner is incomplete.")
        if any(width <= 0.0 for width in parts["widths"].values()):
            raise ModelFileError("its combiner has a width that is not positive.")
        if any(parts["ceilings"][name] < floor for name, floor in parts["floors"].items()):
            raise ModelFileError("its combiner has a ceiling below a floor.")
        combiners[kind] = Combiner(
            **parts, bias=_finite(c["bias"]), certainty=_finite(c["certainty"]), growth=_finite(c["growth"])
        )
    limits: dict[str, Any] = {k: None if x is None else _finite(x) for k, x in about["thresholds"].items()}
    if not 0.0 < limits.get("falls_from", SHORT) <= SHORT:
        raise ModelFileError("its threshold falls from a length on that is not short.")
    known = _known(about["known"], arrays)
    # Older files know nothing of changes of speed, or sought them in another way.
    least_fit = float(about["least_fit"]) if about["format"] > 3 else _BEYOND_REACH
    if not least_fit > 0.0:
        raise ModelFileError("the fit from which on it believes in a change of speed is not positive.")
    return Detector(experts, gate, combiners, Thresholds(**limits), known, dict(about["about"]), least_fit)


def _known(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> KnownRange:
    columns = _columns(description)
    low, high = _floats(arrays["known.low"]), _floats(arrays["known.high"])
    if not low.shape == high.shape == (len(columns),):
        raise ModelFileError("shapes within it do not agree.")
    return KnownRange(columns, low, high, _finite(description["limit"]))


def _columns(description: Mapping[str, Any]) -> tuple[str, ...]:
    columns = tuple(description["columns"])
    if not {feature.name for feature in describe_features()}.issuperset(columns):
        raise ModelFileError("it needs features that this version does not measure.")
    return columns


def _expert(description: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Expert:
    name, family, columns = str(description["name"]), str(description["family"]), _columns(description)
    kind, bias = description["kind"], _finite(description["bias"])
    parts = {key: arrays[f"{name}.{key}"] for key in _ARRAYS[kind]}
    if kind == "trees":
        return _trees(name, family, columns, parts, bias)
    floats = {key: _floats(part) for key, part in parts.items()}
    if len({floats["mean"].shape, floats["scale"].shape, (len(floats["mean"]),)}) != 1:
        raise ModelFileError("shapes within it do not agree.")
    if (floats["scale"] <= 0.0).any():
        raise ModelFileError("it divides by a scale that is not positive.")
    if kind == "network":
        shape = (len(columns), len(floats["offsets"]))
        if floats["hidden"].shape != shape or floats["weights"].shape != shape[1:] or len(floats["mean"]) != shape[0]:
            raise ModelFileError("shapes within it do not agree.")
        return NetworkExpert(name, family, columns, bias=bias, **floats)
    if kind == "signatures":
        return _signatures(name, family, columns, description, floats)
    if description["view"] not in VIEWS:
        raise ModelFileError(f"it looks at '{description['view']}', which this version does not know.")
    if floats["weights"].shape != floats["mean"].shape or len(floats["mean"]) != WIDTHS.get(
        description["view"], len(columns)
    ):
        raise ModelFileError("shapes within it do not agree.")
    return LinearExpert(name, family, description["view"], columns, bias=bias, **floats)


def _signatures(
    name: str, family: str, columns: tuple[str, ...], description: Mapping[str, Any], floats: Mapping[str, Floats]
) -> SignaturesExpert:
    generators = tuple(str(generator) for generator in description["generators"])
    limit = float(description.get("limit", _BEYOND_REACH))
    if "limit" not in description:  # older files know one offset per generator, and no limit
        none = np.zeros_like(floats["offsets"])
        floats = {**floats, "offsets": np.stack([floats["offsets"], none, none])}
    parts = signature_parts(len(columns))
    width = parts[-1].stop
    if floats["filters"].shape != (width, len(generators)) or floats["offsets"].shape != (len(parts), len(generators)):
        raise ModelFileError("shapes within it do not agree.")
    if len(floats["mean"]) != width or not generators:
        raise ModelFileError("shapes within it do not agree.")
    if not limit > 0.0:
        raise ModelFileError("the limit of what a part adds to a signature's fit is not positive.")
    abstains = bool(description.get("abstains", False))  # those of older files never do
    return SignaturesExpert(name, family, columns, generators, **floats, limit=limit, abstains=abstains)


def _trees(
    name: str, family: str, columns: tuple[str, ...], parts: Mapping[str, npt.NDArray[Any]], bias: float
) -> TreesExpert:
    """Check that every walk through the trees ends, and ends inside them."""
    fill, threshold, value = (_floats(parts[key]) for key in ("fill", "threshold", "value"))
    roots, feature, left, right = (parts[key].astype(np.int32) for key in ("roots", "feature", "left", "right"))
    nodes = len(feature)
    if any(len(part) != nodes for part in (left, right, threshold, value)) or len(fill) != len(columns):
        raise ModelFileError("shapes within it do not agree.")
    inner = feature >= 0
    own = np.arange(nodes)
    forward = (left[inner] > own[inner]).all() and (right[inner] > own[inner]).all()
    inside = _within(left[inner], nodes) and _within(right[inner], nodes) and _within(roots, nodes)
    if not forward or not inside or int(feature.max(initial=-1)) >= len(columns):
        raise ModelFileError("its trees point outside themselves.")
    return TreesExpert(name, family, columns, fill, roots, feature, left, right, threshold, value, bias)


def _floats(array: npt.NDArray[Any]) -> Floats:
    found = array.astype(np.float32)
    if not np.isfinite(found).all():
        raise ModelFileError("it holds numbers that are not finite.")
    return found


def _finite(number: Any) -> float:
    found = float(number)
    if not math.isfinite(found):
        raise ModelFileError("it holds numbers that are not finite.")
    return found


def _within(numbers: npt.NDArray[np.int32], count: int) -> bool:
    return bool(((numbers >= 0) & (numbers < count)).all())
