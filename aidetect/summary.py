"""What a batch comes to: counts, the share of AI with its uncertainty, and the files worth a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .prevalence import LENGTHS, Counted, Prevalence, estimate_prevalence, length_of, rates_of, stated_metrics
from .result import VERDICTS
from .verdicts import SHORT

__all__ = ["Summary"]

_BINS = 10
_WIDTH = 40  # characters of the longest bar
_SHOWN = 5
_WORDS = {"short": f"under {SHORT:.0f} s", "long": f"of {SHORT:.0f} s and more"}
_FEWEST = 50  # tracks that a share is estimated from


class Summary:
    """Counts rows as they pass by; keeps a handful of them."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.lengths: Counter[str] = Counter()
        self.failed = 0
        self._flagged: Counter[str] = Counter()
        self._bins = [0] * _BINS
        self._errors: list[str] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row."""
        if row["error"]:
            self.failed += 1
            if len(self._errors) < _SHOWN:
                self._errors.append(str(row["error"]))
            return
        self.verdicts[str(row["verdict"])] += 1
        length = length_of(row.get("duration"))
        self.lengths[length] += 1
        self._flagged[length] += row["verdict"] == "ai"
        self._bins[min(int(float(row["probability"]) * _BINS), _BINS - 1)] += 1

    def counts(self) -> str:
        """Return the counts in a few words."""
        return ", ".join([f"{self.verdicts[name]} {name}" for name in VERDICTS] + [f"{self.failed} failed"])

    def prevalence(self, about: Mapping[str, Any]) -> Prevalence | None:
        """Share of AI, corrected for short and for long tracks by the error rates that a model states for them.

        Parameters
        ----------
        about : mapping
            Of the detector that scored.

        Returns
        -------
        Prevalence or None
            None for fewer than 50 tracks, or where the model states no rates.
        """
        if self.verdicts.total() < _FEWEST:
            return None
        try:
            return estimate_prevalence(self._parts(about))
        except (KeyError, TypeError, ValueError):
            return None

    def _parts(self, about: Mapping[str, Any]) -> list[Counted]:
        present = [name for name in LENGTHS if self.lengths[name]]
        sources = [_sources(about, name) for name in present]
        if all(source is sources[0] for source in sources):  # those of all lengths: one set of tracks, not two
            return [Counted(self.verdicts["ai"], self.verdicts.total(), rates_of(about, present[0]))]
        return [Counted(self._flagged[name], self.lengths[name], rates_of(about, name)) for name in present]

    def _unmeasured(self, about: Mapping[str, Any]) -> list[str]:
        lengths = (about.get("recalibration") or {}).get("lengths", {})
        return [
            f"The model was recalibrated with too few tracks {_WORDS[name]}: for these the rates are its own."
            for name in LENGTHS
            if self.lengths[name] and name in lengths and "false_positives" not in lengths[name]
        ]

    def lines(self, about: Mapping[str, Any], *, slowest: Sequence[tuple[str, float]] = ()) -> list[str]:
        """Return the summary as text.

        Parameters
        ----------
        about : mapping
            Of the detector that scored.
        slowest : sequence of (str, float)
            Paths and seconds.
        """
        scored = self.verdicts.total()
        lines = [f"{scored + self.failed} files: {self.counts()}."]
        found = self.prevalence(about)
        if found:
            lines.append(
                f"Estimated share of AI {found.share:.1%} (95 % interval {found.low:.1%} to {found.high:.1%}; flagged "
                f"{found.flagged:.1%}), if this music is as hard to tell as what the model was tested on."
                + "".join(f" {words}" for words in self._unmeasured(about))
            )
        elif 0 < scored < _FEWEST:
            lines.append(f"No estimate of the share of AI: {scored} scored tracks are too few, {_FEWEST} are needed.")
        elif scored:
            lines.append("No estimate of the share of AI: the model states no error rates that allow one.")
        if scored:
            lines.append("Probability of AI:")
            highest = max(self._bins)
            for i, number in enumerate(self._bins):
                bar = "#" * -(-number * _WIDTH // highest)
                lines.append(f"  {i / _BINS:.1f} to {(i + 1) / _BINS:.1f} {number:>8} {bar}".rstrip())
        if any(seconds >= 1.0 for _, seconds in slowest):
            lines.append("Slowest:")
            lines += [f"  {seconds:7.1f} s  {path}" for path, seconds in slowest if seconds >= 1.0]
        if self._errors:
            lines.append("Failed:" if self.failed <= _SHOWN else f"Failed, the first {_SHOWN} of {self.failed}:")
            lines += [f"  {error}" for error in self._errors]
        return lines


def _sources(about: Mapping[str, Any], length: str) -> Mapping[str, Any]:
    """What the rates of a length are taken from; the same object where it is the same tracks."""
    recalibration = about.get("recalibration")
    if not recalibration:
        return stated_metrics(about, length)
    lengths: Mapping[str, Any] = recalibration.get("lengths", {})
    return lengths.get(length, recalibration)
