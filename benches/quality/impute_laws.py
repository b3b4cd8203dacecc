"""Probabilities of cells, in one measure for all methods.

A number on a rounding grid of step h has the mass of its step, P(x - h/2 < X <= x + h/2); a number without a grid has a
density; a label has its probability. So sums over all values are 1, and log-scores of different methods compare.
"""

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

# Points that a kernel estimate of a marginal is made of.
KERNELS = 1_000


def gaussian(x, mean, sd, step):
    """The mass, or without a step the density, of x under normal laws; shapes broadcast."""
    z = (x - mean) / sd
    if step is None:
        return np.exp(-0.5 * z * z) / (sd * np.sqrt(2 * np.pi))
    return between((x - 0.5 * step - mean) / sd, (x + 0.5 * step - mean) / sd)


def between(low, high):
    """P(low < Z <= high) of a standard normal Z, without cancellation in the upper tail."""
    up = low > 0
    low, high = np.where(up, -high, low), np.where(up, -low, high)
    return np.exp(log_ndtr(high)) - np.exp(log_ndtr(low))


def cauchy(x, place, scale, step):
    """The same under a Cauchy law: a floor that no value falls through."""
    z = (x - place) / scale
    if step is None:
        return 1 / (np.pi * scale * (1 + z * z))
    low, high = (x - 0.5 * step - place) / scale, (x + 0.5 * step - place) / scale
    # the difference of two arcus tangents, exact far out
    return np.arctan((high - low) / (1 + low * high)) / np.pi + np.where(1 + low * high < 0, 1.0, 0.0)


class Numbers:
    """The marginal of a column of numbers, in several forms, and its normal scores."""

    def __init__(self, values, step):
        values = np.sort(np.asarray(values, dtype=float))
        self.step = step
        self.values, counts = np.unique(values, return_counts=True)
        self.share = counts / len(values)
        self.mean, self.sd = values.mean(), max(values.std(), 1e-9)
        quarters = np.quantile(values, [0.25, 0.75])
        self.spread = min(self.sd, (quarters[1] - quarters[0]) / 1.349) or self.sd
        self.median = np.median(values)
        self.bandwidth = max(0.9 * self.spread * len(values) ** -0.2, (step or 0) * 0.5, 1e-9)
        # kernels at quantiles: each stands for as many values
        self.kernels = np.quantile(values, (np.arange(min(KERNELS, len(values))) + 0.5) / min(KERNELS, len(values)))
        self._score_knots(len(values))

    def _score_knots(self, rows):
        """A piecewise linear distribution function: a value's share lies on its step, gaps hold nothing."""
        above = np.cumsum(self.share)
        half = 0.5 * (self.step if self.step is not None else 1e-9 * max(self.sd, 1e-9))
        edges = np.stack([self.values - half, self.values + half], axis=1).ravel()
        ranks = np.stack([above - self.share, above], axis=1).ravel()
        self.edges = np.maximum.accumulate(edges)
        # half a row beyond each end
        self.ranks = (ranks * rows + 0.5) / (rows + 1)

    def score(self, x):
        """The normal score of the middle of a value's step."""
        half = 0.5 * (self.step or 0)
        ranks = 0.5 * (np.interp(x - half, self.edges, self.ranks) + np.interp(x + half, self.edges, self.ranks))
        return ndtri(ranks)

    def value(self, score):
        return np.interp(ndtr(score), self.ranks, self.edges)

    def score_edges(self, x):
        """Normal scores of the ends of a value's step, infinite at the ends of the range."""
        half = 0.5 * (self.step or 0)
        low = ndtri(np.interp(x - half, self.edges, self.ranks, left=0))
        high = ndtri(np.interp(x + half, self.edges, self.ranks, right=1))
        low = np.where(x - half <= self.edges[0], -np.inf, low)
        high = np.where(x + half >= self.edges[-1], np.inf, high)
        # beyond the range there is nothing
        outside = (x < self.values[0]) | (x > self.values[-1])
        return np.where(outside, np.inf, low), np.where(outside, np.inf, high)

    def frequency(self, x):
        if self.step is None:
            return np.zeros(len(x))
        at = np.clip(np.searchsorted(self.values, x), 0, len(self.values) - 1)
        return np.where(np.isclose(self.values[at], x, rtol=0, atol=0.25 * self.step), self.share[at], 0.0)

    def kernel(self, x):
        return gaussian(x[:, None], self.kernels[None], self.bandwidth, self.step).mean(axis=1)

    def parts(self, x):
        """Columns of a mixture: frequencies, kernels, a normal law, a Cauchy law."""
        return np.stack(
            [
                self.frequency(x),
                self.kernel(x),
                gaussian(x, self.mean, self.sd, self.step),
                cauchy(x, self.median, self.spread, self.step),
            ],
            axis=1,
        )


class Labels:
    """The marginal of a column of labels: shares with one row more for each, and one for all that were never seen."""

    def __init__(self, values):
        self.levels, counts = np.unique(np.asarray(values, dtype=str), return_counts=True)
        total = counts.sum() + len(counts) + 1
        self.share = (counts + 1) / total
        self.unseen = 1 / total
        self.code = {level: k for k, level in enumerate(self.levels)}

    def codes(self, values):
        """Numbers of the levels, -1 for missing and unseen ones."""
        return np.array([self.code.get(value, -1) if isinstance(value, str) else -1 for value in values])

    def frequency(self, codes):
        return np.where(codes >= 0, self.share[codes], self.unseen)


def weights(parts, rounds=300):
    """Weights of a mixture that make cells of a validation part likeliest (expectation-maximization)."""
    known = parts[parts.sum(axis=1) > 0]
    w = np.full(parts.shape[1], 1 / parts.shape[1])
    for _ in range(rounds if len(known) else 0):
        shares = known * w
        w = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    # a pinch of everything: a part that validation never needed may be needed once
    return 0.999 * w + 0.001 / len(w)
