"""What a batch comes to: counts, the share of AI with its uncertainty, and the files worth a look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .prevalence import Prevalence, estimate_prevalence
from .result import VERDICTS

__all__ = ["Summary"]

_BINS = 10
_WIDTH = 40  # characters of the longest bar
_SHOWN = 5


class Summary:
    """Counts rows as they pass by; keeps a handful of them."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.failed = 0
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
        self._bins[min(int(float(row["probability"]) * _BINS), _BINS - 1)] += 1

    def counts(self) -> str:
        """Return the counts in a few words."""
        return ", ".join([f"{self.verdicts[name]} {name}" for name in VERDICTS] + [f"{self.failed} failed"])

    def prevalence(self, about: Mapping[str, Any]) -> Prevalence | None:
        """Share of AI, corrected by the error rates a model states; None where it states none."""
        metrics, own = about.get("metrics", {}), about.get("recalibration")
        try:
            if own:  # its threshold is another one than that of the metrics
                found, wrong, human = own["recall"], own["max_false_positive_rate"], own["tracks"]
            else:
                found, wrong, human = metrics["found"], metrics["false_positives"], metrics["human"]
            return estimate_prevalence(
                self.verdicts["ai"],
                self.verdicts.total(),
                found=float(found),
                ai_tracks=int(metrics["ai"]),
                false_positives=float(wrong),
                human_tracks=int(human),
            )
        except (KeyError, TypeError, ValueError):
            return None

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
            )
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
