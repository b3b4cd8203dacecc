"""Imputation by plain methods, to hold a model's against: mean or mode, nearest neighbours, chained equations.

Each method gives a point and a probability for every removed cell. A probability is a mixture of what the method says
and of forms of the marginal, with weights (and k, and the spread of residuals) that make removed cells of a validation
part of the training table likeliest. Then the method learns from the whole training table.

mean          mean or mode; probability by the marginal's normal law or frequencies alone, nothing tuned
marginal      the same points; the marginal as a mixture of frequencies, kernels, a normal and a Cauchy law
neighbours    k nearest training rows by the distance over known columns (`nan_euclidean_distances`), numbers standardized
              or as normal scores, labels one-hot; k and scale for each column
chained       Bayesian ridge regressions and logistic regressions of each column on all others, drawn in turn from a start
              at random (MICE: van Buuren & Groothuis-Oudshoorn 2011, doi:10.18637/jss.v045.i03)
chained_scores the same over normal scores of numbers
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.metrics import nan_euclidean_distances

import impute_laws as laws
import tables

VALIDATED = 2_000
# Rows that regressions learn from while weights are chosen; then they learn from all.
TUNED = 10_000
NEIGHBOURS = [3, 5, 10, 20, 40, 80]
CHAINS = 5
SWEEPS = 8
KEPT = 4
SPREADS = [0.5, 1.0, 2.0]


def read(folder):
    """The training table, the test table, and the removed cells."""
    cells = pd.read_csv(f"{folder}/cells.csv", dtype={"point": str, "predicted": str}, keep_default_na=False, na_values={"step": [""]})
    raw = [pd.read_csv(f"{folder}/{part}.csv", dtype=str, keep_default_na=False, na_values=[""]) for part in ("train", "test")]
    kinds = cells.groupby("column")["kind"].first()
    converted = []
    for table in raw:
        columns = {}
        for name in table.columns:
            number = kinds.get(name, "category") == "number"
            if number and tables.is_date(table[name]):
                columns[name] = (pd.to_datetime(table[name]) - pd.Timestamp(1970, 1, 1)).dt.days.astype(float)
            else:
                columns[name] = table[name].astype(float) if number else table[name]
        converted.append(pd.DataFrame(columns))
    return *converted, cells


class Frame:
    """What all methods know of a training table: marginals and features."""

    def __init__(self, train, steps):
        self.numbers = [name for name in train.columns if train[name].dtype == float]
        self.labels = [name for name in train.columns if train[name].dtype != float]
        self.laws = {name: laws.Numbers(train[name].dropna(), steps.get(name)) for name in self.numbers}
        self.laws |= {name: laws.Labels(train[name].dropna()) for name in self.labels}

    def parts(self, name, values):
        """The marginal as parts of a mixture, at these values."""
        law = self.laws[name]
        if name in self.numbers:
            return law.parts(np.asarray(values, dtype=float))
        return law.frequency(law.codes(values))[:, None]

    def features(self, table, scores):
        """Columns of numbers, missing ones NaN, and where each of the table's columns has its own."""
        blocks, places, at = [], {}, 0
        for name in table.columns:
            law = self.laws[name]
            if name in self.numbers:
                x = table[name].to_numpy()
                block = (law.score(x) if scores else (x - law.mean) / law.sd)[:, None]
            else:
                codes = law.codes(table[name])
                # a distance of 1 between two levels
                block = np.where(codes[:, None] < 0, np.nan, codes[:, None] == np.arange(len(law.levels))) / np.sqrt(2)
            places[name] = slice(at, at + block.shape[1])
            blocks.append(block)
            at += block.shape[1]
        return np.concatenate(blocks, axis=1), places


class Marginal:
    """The mean or the mode."""

    most_rows = None

    def fit(self, frame, train):
        self.frame = frame
        return self

    def points(self, name, rows, setting):
        law = self.frame.laws[name]
        point = law.mean if name in self.frame.numbers else law.levels[law.share.argmax()]
        return np.full(len(rows), point)

    def start(self, holed):
        return self

    def settings(self):
        return [None]

    def parts(self, name, rows, values, setting):
        return np.zeros((len(rows), 0))


class Neighbours:
    """The nearest training rows."""

    most_rows = None

    def fit(self, frame, train):
        self.frame, self.train = frame, train
        return self

    def start(self, holed):
        self.near = {}
        for scores in (False, True):
            known, _ = self.frame.features(self.train, scores)
            asked, _ = self.frame.features(holed, scores)
            most = min(len(known), 4 * NEIGHBOURS[-1])
            near = []
            for first in range(0, len(asked), 250):
                distance = nan_euclidean_distances(asked[first : first + 250], known)
                # a row without a known column is as far from all
                distance = np.where(np.isnan(distance), np.inf, distance)
                some = np.argpartition(distance, most - 1, axis=1)[:, :most]
                order = np.argsort(np.take_along_axis(distance, some, axis=1), axis=1, kind="stable")
                near.append(np.take_along_axis(some, order, axis=1))
            self.near[scores] = np.concatenate(near)
        return self

    def settings(self):
        return [(scores, k) for scores in (False, True) for k in NEIGHBOURS]

    def donors(self, name, rows, setting):
        """Values of the k nearest rows in which the column is known."""
        scores, k = setting
        column = self.train[name].to_numpy()
        near = column[self.near[scores][rows]]
        first = np.argsort(pd.isna(near), axis=1, kind="stable")[:, :k]
        return np.take_along_axis(near, first, axis=1)

    def points(self, name, rows, setting):
        donors = self.donors(name, rows, setting)
        if name in self.frame.numbers:
            return np.nanmean(donors, axis=1)
        law = self.frame.laws[name]
        codes = np.stack([law.codes(row) for row in donors])
        votes = (codes[:, :, None] == np.arange(len(law.levels))).sum(axis=1) + 1e-6 * law.share
        return law.levels[votes.argmax(axis=1)]

    def parts(self, name, rows, values, setting):
        donors = self.donors(name, rows, setting)
        if name not in self.frame.numbers:
            return (donors == np.asarray(values)[:, None]).mean(axis=1)[:, None]
        law, x = self.frame.laws[name], np.asarray(values, dtype=float)[:, None]
        mean, sd = np.nanmean(donors, axis=1), np.nanstd(donors, axis=1)
        kernels = [
            np.nanmean(laws.gaussian(x, donors, np.maximum(width * sd, law.bandwidth)[:, None], law.step), axis=1)
            for width in (0.15, 0.5)
        ]
        exact = np.zeros(len(x)) if law.step is None else np.nanmean(np.abs(donors - x) < 0.25 * law.step, axis=1)
        return np.stack([exact, *kernels, laws.gaussian(x[:, 0], mean, np.maximum(sd, law.bandwidth), law.step)], axis=1)


class Chained:
    """Each column from all others, in turn."""

    most_rows = TUNED

    def __init__(self, scores, seed):
        self.scores, self.seed = scores, seed

    def fit(self, frame, train):
        self.frame = frame
        features, self.places = frame.features(train, self.scores)
        features = np.where(np.isnan(features), 0.0, features)
        self.models = {}
        for name, place in self.places.items():
            known = train[name].notna().to_numpy()
            others = np.delete(features[known], place, axis=1)
            if name in frame.numbers:
                self.models[name] = BayesianRidge().fit(others, features[known, place][:, 0])
            elif len(frame.laws[name].levels) > 1:
                codes = frame.laws[name].codes(train[name][known])
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    self.models[name] = LogisticRegression(max_iter=100, tol=1e-3).fit(others, codes)
        return self

    def start(self, holed):
        """Draws in turn; keeps the laws that the last sweeps drew from, by column and row."""
        rng = np.random.default_rng(self.seed)
        missing = {name: np.flatnonzero(holed[name].isna()) for name in holed.columns}
        kept = {name: [] for name in self.models}
        for _ in range(CHAINS):
            features, _ = self.frame.features(holed, self.scores)
            # a label that training rows never had is no level
            features = np.where(np.isnan(features), 0.0, features)
            for name, rows in missing.items():
                features[rows, self.places[name]] = self._by_marginal(name, len(rows), rng)
            for sweep in range(SWEEPS):
                for name, model in self.models.items():
                    rows = missing[name]
                    if len(rows):
                        law, drawn = self._draw(name, model, np.delete(features[rows], self.places[name], axis=1), rng)
                        features[rows, self.places[name]] = drawn
                        if sweep >= SWEEPS - KEPT:
                            kept[name].append(law)
        self.at = {name: {row: k for k, row in enumerate(rows)} for name, rows in missing.items()}
        self.found = {name: [np.stack(part) for part in zip(*found)] for name, found in kept.items() if found}
        return self

    def _by_marginal(self, name, rows, rng):
        law = self.frame.laws[name]
        if name in self.frame.numbers:
            drawn = rng.choice(law.values, rows, p=law.share / law.share.sum())
            return (law.score(drawn) if self.scores else (drawn - law.mean) / law.sd)[:, None]
        codes = rng.choice(len(law.levels), rows, p=law.share / law.share.sum())
        return (codes[:, None] == np.arange(len(law.levels))) / np.sqrt(2)

    def _draw(self, name, model, others, rng):
        """The law of each row's cell, and a draw from it as features."""
        if name in self.frame.numbers:
            mean, sd = model.predict(others, return_std=True)
            return (mean, sd), (mean + sd * rng.normal(size=len(mean)))[:, None]
        chance = model.predict_proba(others)
        pick = (rng.random(len(chance))[:, None] > chance.cumsum(axis=1)).sum(axis=1).clip(max=chance.shape[1] - 1)
        codes = model.classes_[pick]
        return (chance,), (codes[:, None] == np.arange(len(self.frame.laws[name].levels))) / np.sqrt(2)

    def settings(self):
        return [None]

    def _of(self, name, rows):
        at = [self.at[name][row] for row in rows]
        return [part[:, at] for part in self.found[name]]

    def points(self, name, rows, setting):
        law = self.frame.laws[name]
        if name not in self.models:
            return np.full(len(rows), law.levels[0])
        if name in self.frame.numbers:
            mean, sd = self._of(name, rows)
            if not self.scores:
                return mean.mean(axis=0) * law.sd + law.mean
            nodes = laws.ndtri((np.arange(9) + 0.5) / 9)
            return law.value(mean[..., None] + sd[..., None] * nodes).mean(axis=(0, 2))
        (chance,) = self._of(name, rows)
        return law.levels[self.models[name].classes_[chance.mean(axis=0).argmax(axis=1)]]

    def parts(self, name, rows, values, setting):
        law = self.frame.laws[name]
        if name not in self.models:
            return np.zeros((len(rows), 0))
        if name not in self.frame.numbers:
            (chance,) = self._of(name, rows)
            full = np.zeros((len(rows), len(law.levels) + 1))
            full[:, self.models[name].classes_] = chance.mean(axis=0)
            return full[np.arange(len(rows)), law.codes(values)][:, None]
        mean, sd = self._of(name, rows)
        x = np.asarray(values, dtype=float)
        if not self.scores:
            by_spread = [
                laws.gaussian(x, mean * law.sd + law.mean, spread * sd * law.sd, law.step).mean(axis=0) for spread in SPREADS
            ]
        elif law.step is None:
            return np.zeros((len(rows), 0))
        else:
            low, high = law.score_edges(x)
            by_spread = [
                np.where(low < high, laws.between((low - mean) / (spread * sd), (high - mean) / (spread * sd)), 0).mean(axis=0)
                for spread in SPREADS
            ]
        return np.stack(by_spread, axis=1)


def methods(seed):
    return {
        "marginal": Marginal(),
        "neighbours": Neighbours(),
        "chained": Chained(False, seed),
        "chained_scores": Chained(True, seed),
    }


def judge(folder, seed, names=None):
    """A line for each method, ours first: RMSE in training standard deviations, accuracy, nats a cell."""
    train, test, cells = read(folder)
    steps = {name: None if np.isnan(step) else step for name, step in cells.groupby("column")["step"].first().items()}
    scale = {name: train[name].std() for name in train.columns if train[name].dtype == float}
    ours = {"model, draws": ("point", "log_score"), "model, predicted": ("predicted", "predicted_score")}
    lines = [summary(name, list(zip(cells[p], cells[s])), test, cells, scale) for name, (p, s) in ours.items()]
    frame = Frame(train, steps)
    lines.append(summary("mean", by_mean(frame, test, cells), test, cells, scale))
    for name, method in methods(seed).items():
        if names is None or name in names:
            found = tuned(method, frame, train, test, cells, steps, seed)
            lines.append(summary(name, found, test, cells, scale))
    return lines


def by_mean(frame, test, cells):
    found = [None] * len(cells)
    method = Marginal().fit(frame, None)
    for name, rows, at in by_column(cells):
        law, values = frame.laws[name], test[name].to_numpy()[rows]
        if name in frame.numbers:
            # far out a mass is the density times the step
            mass = np.maximum(laws.gaussian(values, law.mean, law.sd, law.step), 1e-300)
        else:
            mass = law.frequency(law.codes(values))
        for k, point, p in zip(at, method.points(name, rows, None), mass):
            found[k] = (point, float(np.log(p)))
    return found


def tuned(method, frame, train, test, cells, steps, seed):
    """Settings and weights by a validation part of the training table, then the whole of it."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train))
    held = train.iloc[order[:VALIDATED]].reset_index(drop=True)
    rest = train.iloc[order[VALIDATED:]].reset_index(drop=True)
    share = len(cells) / test.notna().to_numpy().sum()
    removed = (rng.random(held.shape) < share) & held.notna().to_numpy()
    part = Frame(rest, steps)
    method.fit(part, rest[: method.most_rows]).start(held.mask(removed))
    chosen = {}
    for j, name in enumerate(held.columns):
        rows = np.flatnonzero(removed[:, j])
        if not len(rows):
            continue
        values = held[name].to_numpy()[rows]
        best_point = min(method.settings(), key=lambda s: loss(part, name, method.points(name, rows, s), values))
        parts = {s: np.hstack([method.parts(name, rows, values, s), part.parts(name, values)]) for s in method.settings()}
        found = {s: laws.weights(p) for s, p in parts.items()}
        best_score = max(found, key=lambda s: np.log(parts[s] @ found[s] + 1e-300).mean())
        chosen[name] = best_point, best_score, found[best_score]
    holed = without(test, cells)
    method.fit(frame, train).start(holed)
    found = [None] * len(cells)
    for name, rows, at in by_column(cells):
        point, score, w = chosen[name]
        values = test[name].to_numpy()[rows]
        mass = np.hstack([method.parts(name, rows, values, score), frame.parts(name, values)]) @ w
        for k, guess, p in zip(at, method.points(name, rows, point), mass):
            found[k] = (guess, float(np.log(p + 1e-300)))
    return found


def loss(frame, name, points, values):
    if name in frame.numbers:
        return float(np.mean((points - values.astype(float)) ** 2))
    return float(np.mean(points != values))


def without(test, cells):
    """The test table as methods see it: removed cells are missing."""
    removed = np.zeros(test.shape, dtype=bool)
    removed[cells["row"], test.columns.get_indexer(cells["column"])] = True
    return test.mask(removed)


def by_column(cells):
    """Each column with the rows of its removed cells and their places among the cells."""
    for name, part in cells.groupby("column", sort=False):
        yield name, part["row"].to_numpy(), part.index.to_numpy()


def summary(method, found, test, cells, scale):
    squares, right, nats = [], [], {"number": [], "category": []}
    for (row, name, kind), (point, score) in zip(cells[["row", "column", "kind"]].itertuples(index=False), found):
        truth = test.at[row, name]
        nats[kind].append(score)
        if kind == "number":
            squares.append(((float(point) - truth) / scale[name]) ** 2)
        else:
            right.append(point == truth)
    mean = lambda values: float(np.mean(values)) if values else None
    return {
        "method": method,
        "numbers": len(squares),
        "labels": len(right),
        "rmse": mean(squares) ** 0.5 if squares else None,
        "accuracy": mean(right),
        "score_numbers": mean(nats["number"]),
        "score_labels": mean(nats["category"]),
        "score": mean(nats["number"] + nats["category"]),
    }
