"""Results for a terminal: panels, bars and tables."""

from __future__ import annotations

import math

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .evaluation import Evaluation, Metrics
from .experts import NO_SIGNATURE, SIGNATURE_OF, Evidence
from .features import FAMILIES, describe_features
from .prevalence import RECALIBRATED
from .result import Result
from .terminal import printable

__all__ = ["evaluation_tables", "result_panel", "show"]

_WORDS = {
    "ai": ("AI-generated", "bold red"),
    "human": ("made by people", "bold green"),
    "uncertain": ("uncertain", "bold yellow"),
}
_BAR = 12  # characters on each side of the middle
_FULL = 6.0  # log-odds that fill one side
_DIGITS = 4  # most that are added to tell two percentages apart


def show(result: Result, console: Console) -> None:
    """Print the panel of one result."""
    console.print(result_panel(result))


def result_panel(result: Result) -> Panel:
    """Draw verdict, probability, evidence of each family, what the verdict is worth, reasons and warnings.

    All text that comes from files is shown as it is: nothing in it is read as markup.
    """
    words, style = _WORDS[result.verdict]
    head = Text.assemble("Verdict      ", (words, style))
    chance, caution = _worth(result)
    number = Text(f"Probability  {chance} that it is AI-generated")
    parts: list[Text | Table] = [head, number, Text(), _families(result)]
    if caution:
        parts += [Text(), Text(caution, style="italic")]
    if result.reasons:
        title = Text.assemble(("What moved it most", "bold"), (", compared with a typical track", "dim"))
        parts += [Text(), title, _reasons(result.reasons)]
        if any(_names_generator(reason) for reason in result.reasons):
            parts.append(Text("A resemblance does not show that this generator was used.", style="italic"))
    for warning in result.warnings:
        parts += [Text(), Text(f"Warning: {printable(warning)}", style="yellow")]
    channels = {1: "mono", 2: "stereo"}.get(result.channels, f"{result.channels} channels")
    facts = [_clock(result.duration), f"{result.sample_rate / 1000:g} kHz", channels, result.codec]
    if result.effort == "fast":
        facts.append("excerpts")
    facts.append(f"model {printable(result.model_version)}")
    parts += [Text(), Text(" · ".join(fact for fact in facts if fact), style="dim")]
    return Panel(Group(*parts), title=Text(printable(result.path)), title_align="left", padding=(1, 2), width=88)


def _families(result: Result) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()  # not centred: bars must keep their blanks
    table.add_column(justify="right")
    table.add_row(
        Text("Evidence", style="bold"),
        Text("human" + " " * (2 * _BAR - 7) + "AI", style="dim"),
        Text("log-odds", style="dim"),
    )
    table.add_row("before any evidence", bar(result.start), f"{result.start:+.2f}")
    for family in FAMILIES:
        value = result.families.get(family)
        if value is None:
            words = "abstains: no singing was found" if family == "vocals" else "abstains"
            table.add_row(family, Text(words, style="dim"), "")
        elif value == 0.0:  # the model gives it no weight
            table.add_row(family, Text("measured, not counted", style="dim"), "")
        else:
            table.add_row(family, bar(value), f"{value:+.2f}")
    return table


def bar(value: float) -> Text:
    """Draw log-odds as a bar to the left (human) or right (AI) of a middle line."""
    length = min(_BAR, math.ceil(abs(value) / _FULL * _BAR - 1e-9)) if abs(value) >= 0.05 else 0
    left = ("█" * length).rjust(_BAR) if value < 0 else " " * _BAR
    right = ("█" * length).ljust(_BAR) if value > 0 else " " * _BAR
    return Text.assemble((left, "green"), "│", (right, "red"))


def _reasons(reasons: tuple[Evidence, ...]) -> Table:
    about = {feature.name: feature for feature in describe_features()}
    table = Table.grid(padding=(0, 2))
    for reason in reasons:
        feature = about.get(reason.name)
        words = Text(feature.meaning if feature else _resemblance(reason))
        unit = "" if feature is None or feature.unit == "1" else f" {feature.unit}"
        value = f"{reason.value:.3g}{unit}" if math.isfinite(reason.value) else ""
        side = Text("AI", style="red") if reason.weight > 0 else Text("human", style="green")
        table.add_row(side, f"{reason.weight:+.2f}", words, Text(value, style="dim"))
    return table


def _names_generator(reason: Evidence) -> bool:
    return reason.name.startswith(SIGNATURE_OF) and reason.name != NO_SIGNATURE


def _resemblance(reason: Evidence) -> str:
    """Put a reason into words that accuse no product."""
    if reason.name == NO_SIGNATURE:
        return "resembles no known signature"
    return printable(f"resembles {reason.name}" if _names_generator(reason) else reason.name)


def _worth(result: Result) -> tuple[str, str]:
    """Put the probability into words, and what the verdict is worth; nothing where a warning says it."""
    if result.verdict != "uncertain":
        return _told_apart(result.probability)[0], _odds_of_error(result)
    lower, upper = result.thresholds.get("human", 0.0), result.thresholds.get("ai", 1.0)
    if result.withheld or not lower < result.probability < upper:
        return _told_apart(result.probability)[0], ""
    chance, low, high = _told_apart(result.probability, lower, upper)
    return chance, (
        f"Between {low} and {high} people's music and AI's overlap too much for a verdict: "
        "take neither side on this evidence."
    )


def _odds_of_error(result: Result) -> str:
    rates, start = result.error_rates, "This is statistical evidence, no proof"
    if result.verdict == "human":
        missed = rates.get("missed")
        if missed is None:
            return f"{start}. See README."
        words = _rate(missed, high=rates.get("missed_high"))
        return (
            f"{start}: of AI tracks of this length {words} get this verdict on sources that the model never "
            f"saw{_before_additions(result)}, and perhaps more of generators that it does not know. See README."
        )
    wrong = rates.get("false_positives")
    if wrong is None:
        return f"{start}. See README."
    high = rates.get("false_positives_high", wrong)
    if high <= wrong:  # a bound that somebody chose, in an older model
        return f"{start}: of people's tracks like those of the recalibration up to {_share(wrong)} get it. See README."
    if "bound" in rates:
        return (
            f"{start}: of people's tracks like those of the recalibration and of this length {_rate(wrong, high=high)} "
            "get it. See README."
        )
    own = ""
    if RECALIBRATED in result.model_version.split("+"):
        own = ", before the recalibration, which had too few tracks of this length"
    own += _before_additions(result)
    return (
        f"{start}: of people's tracks of this length {_rate(wrong, high=high)} get this verdict on sources that the "
        f"model never saw{own}. See README."
    )


def _before_additions(result: Result) -> str:
    added = [name for name in result.model_version.split("+")[1:] if name != RECALIBRATED]
    return f", before the addition of {' and '.join(added)}" if added else ""


def _rate(share: float, *, high: float | None) -> str:
    """Put a share into words, with the upper end of its interval, which models of older versions may not state."""
    words = "none" if share == 0.0 else f"about {_share(share)}" if share >= 0.0005 else "fewer than 0.1 %"
    return words if high is None else f"{words} (perhaps up to {_share(high)})"


def evaluation_tables(evaluation: Evaluation) -> list[Table]:
    """Draw the figures of an evaluation: overall, families alone, generators, codecs."""
    overall = Table(title="All tracks", title_justify="left")
    for column in ("human", "AI", "AUROC", "TPR at 5 % FPR", "at 1 %", "Brier", "ECE"):
        overall.add_column(column, justify="right")
    m = evaluation.overall
    overall.add_row(
        str(m.human), str(m.ai), *(f"{x:.3f}" for x in (m.auroc, m.tpr_at_5, m.tpr_at_1, m.brier, m.calibration_error))
    )
    verdicts = Table(title="Verdicts", title_justify="left")
    for column in ("human called AI", "95 % interval", "AI found", "AI called human", "95 % interval", "uncertain"):
        verdicts.add_column(column, justify="right")
    verdicts.add_row(
        _share(m.false_positives),
        f"{_share(m.false_positives_low)} to {_share(m.false_positives_high)}",
        _share(m.found),
        _share(m.missed),
        f"{_share(m.missed_low)} to {_share(m.missed_high)}",
        _share(m.uncertain),
    )
    alone = Table(title="Each part alone", title_justify="left")
    for column in ("part", "AUROC", "TPR at 5 % FPR", "at 1 %"):
        alone.add_column(column, justify="left" if column == "part" else "right")
    for name, figures in evaluation.alone().items():
        alone.add_row(Text(name), *(f"{x:.3f}" for x in figures))
    return [overall, verdicts, alone, _slices(evaluation, "generator"), _slices(evaluation, "codec")]


def _slices(evaluation: Evaluation, column: str) -> Table:
    table = Table(title=f"By {column}", title_justify="left")
    for name in (column, "human", "AI", "AUROC", "AI found", "human called AI"):
        table.add_column(name, justify="left" if name == column else "right")
    of_ai = set(evaluation.entries(column)[evaluation.ai].tolist())
    for name, m in evaluation.by(column).items():
        own: Metrics = m
        if column == "generator" and name not in of_ai:
            continue  # people's tracks, which have none
        table.add_row(
            Text(printable(name)),
            str(own.human),
            str(own.ai),
            f"{own.auroc:.3f}",
            _share(own.found),
            _share(own.false_positives),
        )
    return table


def _share(x: float) -> str:
    return "" if not math.isfinite(x) else f"{100 * x:.1f} %"


def _told_apart(*probabilities: float) -> list[str]:
    """Put probabilities into percentages with as many digits as it takes to tell different ones apart."""
    for digits in range(_DIGITS):
        words = [_percent(p, digits=digits) for p in probabilities]
        if len(set(words)) == len(set(probabilities)):
            break
    return words


def _percent(p: float, *, digits: int) -> str:
    """Round to whole percents and some digits, with one more near 0 and 1, where a percent is much."""
    least = 10.0 ** -(3 + digits)
    if p > 1.0 - least:
        return f"over {100 * (1.0 - least):.{digits + 1}f} %"
    if p < least:
        return f"below {100 * least:.{digits + 1}f} %"
    return f"{100 * p:.{digits + (not 0.01 <= p <= 0.99)}f} %"


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d} min" if math.isfinite(seconds) else "?"
