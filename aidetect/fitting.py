"""Fitting the experts of a detector, and the gate that tells whether somebody sings."""

from __future__ import annotations

import collections
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import vocals
from .dataset import COMPARED, SIMULATED, FeatureTable
from .detector import Expert
from .experts import (
    LinearExpert,
    NetworkExpert,
    SignaturesExpert,
    TreesExpert,
    Views,
    centred,
    signature_input,
    signature_parts,
    standardise,
)
from .features import describe_features, feature_number

__all__ = ["RECIPES", "SIGNATURES", "VOCAL_ONLY", "Recipe", "fit_expert", "fit_gate", "usable"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_STARTS = 3
_EPOCHS = 25

_LEAST_TRACKS = 3  # of a generator, that make a signature
_UNNAMED = "unnamed"
_SHARES = (2.0, 1.0, 1.0)  # of a signature's fit: fine structure, envelope, single features
_RIDGE = 2.0  # mean variances of people's music, added to each
_LIMIT = 4.0  # spreads of people's music: most that envelope or single features may add to a fit


@dataclass(frozen=True)
class Recipe:
    """How one expert is made.

    Attributes
    ----------
    name, family, kind, view : str
        ``kind`` is ``"linear"``, ``"network"``, ``"trees"`` or ``"signatures"``.
    strength : float
        Inverse regularisation of a linear expert or a network.
    wanted : callable
        Tells by name which features an expert on values reads.
    simulated : bool
        Whether it learns from people's music and simulated decoders instead of generators: from a table's twins.
    """

    name: str
    family: str
    kind: str
    view: str = "values"
    strength: float = 1.0
    wanted: Callable[[str], bool] = lambda name: True
    simulated: bool = False


def _of_mix(name: str) -> bool:
    return not name.startswith(("vocal_", "tone_")) and not _of_repetition(name) and name not in COMPARED


def _of_tones(name: str) -> bool:
    return name.startswith("tone_")


def _of_repetition(name: str) -> bool:
    return name.startswith(("repetition_", "hit_"))


def _of_mix_or_tones(name: str) -> bool:
    return _of_mix(name) or _of_tones(name)


RECIPES: tuple[Recipe, ...] = (
    Recipe("peaks", "shimmer", "linear", "peaks", strength=0.1),
    Recipe("lines", "shimmer", "linear", "levelled", strength=0.0005),
    Recipe("modulation", "shimmer", "linear", "modulation", strength=0.0004),
    Recipe("tones", "shimmer", "trees", wanted=_of_tones),
    Recipe("grain", "shimmer", "trees", wanted=COMPARED.__contains__),
    Recipe("simulated", "shimmer", "trees", wanted=COMPARED.__contains__, simulated=True),
    Recipe("texture", "shimmer", "trees", wanted=_of_mix),
    Recipe("texture_net", "shimmer", "network", strength=0.33, wanted=_of_mix),
    Recipe("signatures", "shimmer", "signatures", wanted=_of_mix_or_tones),
    Recipe("repetition", "shimmer", "linear", strength=0.1, wanted=_of_repetition),
    Recipe("dynamics", "compression", "linear", strength=0.01),
    Recipe("voice", "vocals", "linear", strength=0.01),
)
"""The experts of a detector."""
SIGNATURES = next(recipe for recipe in RECIPES if recipe.kind == "signatures")
"""The one of them that knows every generator by its signature."""
VOCAL_ONLY = ("voice",)
"""Experts that abstain where nobody sings."""


def fit_expert(
    recipe: Recipe, table: FeatureTable, views: Views, weight: Floats, rows: Ints, *, seed: int = 0
) -> Expert:
    """Fit one expert on some rows.

    Parameters
    ----------
    recipe : Recipe
        What to fit.
    table : FeatureTable
        Labelled rows.
    views : Views
        Of the whole table.
    weight : ndarray, shape (tracks,)
        Weights.
    rows : ndarray of int
        Rows to learn from. Twins are used where their source is among those of the rows.
    seed : int
        Of the trees' choices.
    """
    ai = table.column("label") == "ai"
    if recipe.view != "values":
        return _fit(recipe, (), views.get(recipe.view)[rows], ai[rows], weight[rows], seed)
    features = describe_features()
    chosen = [i for i, f in enumerate(features) if f.scored and f.family == recipe.family and recipe.wanted(f.name)]
    columns = tuple(features[i].name for i in chosen)
    if recipe.kind == "signatures":
        return _fit_signatures(recipe, columns, table, views, weight, rows)
    if not recipe.simulated:
        return _fit(recipe, columns, views.values[rows][:, chosen], ai[rows], weight[rows], seed)
    if table.twins is None:
        raise ValueError(f"{recipe.name} learns from twins, and the table has none")
    twins = table.twins.take(np.isin(table.twins.column("source"), list(set(table.column("source")[rows].tolist()))))
    human = rows[~ai[rows]]
    decoded = twins.column("label") == SIMULATED
    x = np.concatenate([views.values[human][:, chosen], twins.values[:, chosen]])
    truth = np.concatenate([np.zeros(len(human), dtype=bool), decoded])
    balanced = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum()) * len(truth)
    return _fit(recipe, columns, x, truth, balanced.astype(np.float32), seed)


def _fit(recipe: Recipe, columns: tuple[str, ...], x: Floats, ai: Mask, weight: Floats, seed: int) -> Expert:
    if recipe.kind == "linear":
        return _fit_linear(recipe, columns, x, ai, weight)
    if recipe.kind == "network":
        return _fit_network(recipe, columns, x, ai, weight, seed)
    return _fit_trees(recipe, columns, x, ai, weight, seed)


def usable(recipes: Sequence[Recipe], table: FeatureTable) -> tuple[Recipe, ...]:
    """Recipes for which a table has what they learn from."""
    return tuple(recipe for recipe in recipes if not recipe.simulated or table.twins is not None)


def _fit_linear(recipe: Recipe, columns: tuple[str, ...], x: Floats, ai: Mask, weight: Floats) -> LinearExpert:
    from sklearn.linear_model import LogisticRegression

    mean, scale = _moments(x)
    if recipe.view in ("peaks", "levelled", "modulation"):
        scale = np.ones_like(scale)  # all points of a spectrum share one unit
    plain = LinearExpert(recipe.name, recipe.family, recipe.view, columns, mean, scale, mean, 0.0)
    z = plain.standardise(x)
    model = LogisticRegression(C=recipe.strength, max_iter=400).fit(z, ai, sample_weight=weight)
    return LinearExpert(
        recipe.name,
        recipe.family,
        recipe.view,
        columns,
        plain.mean,
        plain.scale,
        model.coef_[0].astype(np.float32),
        float(model.intercept_[0]),
    )


def _moments(x: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every column, without what is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is missing everywhere
        mean = np.nan_to_num(np.nanmean(x, axis=0))
        scale = np.nan_to_num(np.nanstd(x, axis=0)) + 1e-6
    return mean.astype(np.float32), scale.astype(np.float32)


def _fit_network(
    recipe: Recipe, columns: tuple[str, ...], x: Floats, ai: Mask, weight: Floats, seed: int
) -> NetworkExpert:
    """Fit three networks from different starts and join their hidden layers: their mean is one wider network."""
    from sklearn.neural_network import MLPClassifier

    mean, scale = _moments(x)
    z = standardise(x, mean, scale)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(z), 2 * len(z), p=weight.astype(np.float64) / weight.astype(np.float64).sum())
    nets = []
    for start in range(_STARTS):
        net = MLPClassifier((64,), alpha=1.0 / recipe.strength, learning_rate_init=2e-3, random_state=seed + start)
        for _ in range(_EPOCHS):  # stopping early is part of the regularisation
            net.partial_fit(z[drawn], ai[drawn], classes=(False, True))
        nets.append(net)
    return NetworkExpert(
        recipe.name,
        recipe.family,
        columns,
        mean,
        scale,
        hidden=np.concatenate([net.coefs_[0] for net in nets], axis=1).astype(np.float32),
        offsets=np.concatenate([net.intercepts_[0] for net in nets]).astype(np.float32),
        weights=(np.concatenate([net.coefs_[1][:, 0] for net in nets]) / _STARTS).astype(np.float32),
        bias=float(np.mean([net.intercepts_[1][0] for net in nets])),
    )


def _fit_signatures(
    recipe: Recipe, columns: tuple[str, ...], table: FeatureTable, views: Views, weight: Floats, rows: Ints
) -> SignaturesExpert:
    """Fit a filter per generator that is matched to its mean and blind to how people's music varies.

    References
    ----------
    Turin: An introduction to matched filters. IRE Transactions on Information Theory 6, 1960. For the ridge: Friedman:
    Regularized discriminant analysis. JASA 84, 1989.
    """
    x, weight = signature_input(views.take(rows), columns), weight[rows]
    human = table.column("label")[rows] == "human"
    mean, scale = _moments(x[human])
    scale[: -len(columns)] = 1.0  # all points of a spectrum share one unit
    z = centred(x, mean, scale, singles=len(columns))
    members = _members(table, rows)
    people = weight[human] / weight[human].sum()
    filters, offsets = [], []
    for place, share in zip(signature_parts(len(columns)), _SHARES, strict=True):
        part = z[:, place]
        middle = np.average(part[human], axis=0, weights=people)
        means = [np.average(part[own], axis=0, weights=weight[own]) for own in members.values()]
        matched, unmet = _matched(part[human] - middle, people, np.stack(means, axis=1) - middle[:, None])
        low, high = np.quantile(unmet, [0.5, 0.84], axis=0)
        steepness = share / (high - low + 1e-9)
        filters.append((matched * steepness).astype(np.float16).astype(np.float32))  # half the file, no loss
        offsets.append(-(middle @ filters[-1] + low * steepness).astype(np.float32))
    return SignaturesExpert(
        recipe.name,
        recipe.family,
        columns,
        tuple(members),
        mean,
        scale,
        np.concatenate(filters),
        np.stack(offsets),
        _LIMIT,
    )


def _members(table: FeatureTable, rows: Ints) -> dict[str, Mask]:
    """Which of the rows are of each generator that has tracks enough; all AI where none has."""
    ai, plain = table.column("label")[rows] == "ai", table.column("variant")[rows] == ""
    name = np.where(table.column("generator")[rows] == "", _UNNAMED, table.column("generator")[rows])
    members = {g: ai & (name == g) for g in sorted(set(name[ai].tolist()))}
    return {g: own for g, own in members.items() if (own & plain).sum() >= _LEAST_TRACKS} or {_UNNAMED: ai}


def _matched(people: Floats, share: Floats, differences: Floats) -> tuple[Floats, Floats]:
    """Multiply differences by the inverse of the ridged covariance of people's music.

    Parameters
    ----------
    people : ndarray, shape (people, width)
        People's music, its mean subtracted.
    share : ndarray, shape (people,)
        Weights, 1 in all.
    differences : ndarray, shape (width, differences)
        From that mean.

    Returns
    -------
    filters : ndarray, shape (width, differences)
    unmet : ndarray, shape (people, differences)
        What they answer to each of the people, had they not met that one (Sherman, Morrison 1950).
    """
    from scipy.linalg import cho_factor, cho_solve

    weighted = people * np.sqrt(share)[:, None]
    rows, width = weighted.shape
    ridge = np.float32(_RIDGE * np.square(weighted).sum() / width + 1e-9)
    square = weighted @ weighted.T if rows < width else weighted.T @ weighted  # whichever is smaller
    square[np.diag_indices(len(square))] += ridge
    factor = cho_factor(square, overwrite_a=True, check_finite=False)
    if rows < width:
        found = (differences - weighted.T @ cho_solve(factor, weighted @ differences)) / ridge
        met = 1.0 - ridge * np.diag(cho_solve(factor, np.eye(rows, dtype=np.float32)))
    else:
        found = cho_solve(factor, differences)
        met = (weighted * cho_solve(factor, weighted.T).T).sum(axis=1)
    met = np.clip(met, 0.0, 0.999)[:, None]
    return found, (people @ found + met) / (1.0 - met)  # the mean, too, moves away from who is left out


def _fit_trees(recipe: Recipe, columns: tuple[str, ...], x: Floats, ai: Mask, weight: Floats, seed: int) -> TreesExpert:
    from sklearn.ensemble import GradientBoostingClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        fill = np.nan_to_num(np.nanmedian(x, axis=0)).astype(np.float32)
    model = GradientBoostingClassifier(
        n_estimators=500,
        learning_rate=0.035,
        max_depth=5,
        min_samples_leaf=12,
        subsample=0.6,
        max_features=min(12, len(columns)),
        random_state=seed,
    ).fit(np.where(np.isfinite(x), x, fill), ai, sample_weight=weight)
    prior = float(np.log(weight[ai].sum() / weight[~ai].sum()))
    return TreesExpert(recipe.name, recipe.family, columns, fill, bias=prior, **_flatten(model))


def _flatten(model: Any) -> dict[str, Any]:
    """Put the trees of a boosted model below each other; inner nodes get the mean of their leaves."""
    roots, parts = [], collections.defaultdict(list)
    start = 0
    for (estimator,) in model.estimators_:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        value = np.where(leaf, tree.value[:, 0, 0], 0.0)
        for node in np.flatnonzero(~leaf)[::-1]:  # children come after their parents
            pair = [tree.children_left[node], tree.children_right[node]]
            value[node] = np.average(value[pair], weights=tree.weighted_n_node_samples[pair])
        roots.append(start)
        parts["feature"].append(np.where(leaf, -1, tree.feature))
        parts["left"].append(np.where(leaf, 0, tree.children_left + start))
        parts["right"].append(np.where(leaf, 0, tree.children_right + start))
        parts["threshold"].append(np.where(leaf, 0.0, tree.threshold))
        parts["value"].append(value * model.learning_rate)
        start += len(leaf)
    joined: dict[str, Any] = {"roots": np.array(roots, dtype=np.int32)}
    joined |= {k: np.concatenate(parts[k]).astype(np.int32) for k in ("feature", "left", "right")}
    return joined | {k: np.concatenate(parts[k]).astype(np.float32) for k in ("threshold", "value")}


def fit_gate(table: FeatureTable, rows: Ints) -> LinearExpert:
    """Fit the model that tells whether somebody sings, on the rows whose ``vocals`` say yes or no.

    Where too few do, everybody is taken to sing in whom a voice was found.
    """
    from sklearn.linear_model import LogisticRegression

    chosen = [feature_number(name) for name in vocals.PRESENCE]
    x = table.values[:, chosen]
    known = np.isin(table.column("vocals"), ("yes", "no"))
    rows = rows[known[rows]]
    sung = table.column("vocals") == "yes"
    zeros = np.zeros(len(chosen), dtype=np.float32)
    if min(sung[rows].sum(), (~sung[rows]).sum()) < 20:
        return LinearExpert("gate", "vocals", "values", vocals.PRESENCE, zeros, zeros + 1, zeros, 1.0)
    mean, scale = _moments(x[rows])
    plain = LinearExpert("gate", "vocals", "values", vocals.PRESENCE, mean, scale, zeros, 0.0)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=400).fit(plain.standardise(x[rows]), sung[rows])
    weights = model.coef_[0].astype(np.float32)
    return LinearExpert("gate", "vocals", "values", vocals.PRESENCE, mean, scale, weights, float(model.intercept_[0]))
