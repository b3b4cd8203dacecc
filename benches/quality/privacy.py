"""What synthetic rows and log-densities tell of the training rows.

copies           share of rows that equal a training row in every column.
dcr_share        share of synthetic rows that are nearer to a sample of training rows than to a sample of test rows of the
                 same size; ties count one half. Distance: L1 over columns, numbers as ranks in the training table,
                 categories 0 or 1. Near 1/2 for a model that knows no training row better than a test row.
unique_values    by column of numbers, share of values that occur exactly once in the training table. Test rows have a
                 rate of their own, which is there to compare.
membership_auc   area under the ROC curve of "a high log-density means a training row" on training and test rows
                 (Yeom et al. 2018, arXiv:1709.01604): 1/2 if the log-density tells nothing.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.neighbors import NearestNeighbors

import tables

MOST_ROWS = 4_000


def copies(train, rows):
    return float(tables.rows_as_text(rows).isin(set(tables.rows_as_text(train))).mean())


def dcr_share(train, test, synthetic, kinds, seed=0):
    rng = np.random.default_rng(seed)
    rows = min(len(train), len(test), len(synthetic), MOST_ROWS)
    space = Space(train, kinds)
    near_train, near_test, queries = (space.place(tables.draw(t, rows, rng)) for t in (train, test, synthetic))

    def nearest(reference):
        return NearestNeighbors(n_neighbors=1, metric="manhattan").fit(reference).kneighbors(queries)[0][:, 0]

    a, b = nearest(near_train), nearest(near_test)
    return float(np.mean(a < b) + 0.5 * np.mean(a == b))


class Space:
    """Rows as points: ranks for numbers (a missing one is at -1/2), for a category a coordinate of 1/2 a level."""

    def __init__(self, train, kinds):
        self.levels = {name: np.unique(train[name]) for name in kinds.categories}
        self.sorted = {name: np.sort(train[name].dropna().values) for name in kinds.numbers}

    def place(self, table):
        parts = []
        for name in table.columns:
            values = table[name].values
            if name in self.levels:
                parts.append(0.5 * (values[:, None] == self.levels[name][None]))
            else:
                rank = tables.as_ranks(values, self.sorted[name])
                parts.append(np.where(np.isnan(rank), -0.5, rank)[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)


def unique_values(train, rows, kinds):
    shares = {}
    for name in kinds.numbers:
        counts = train[name].value_counts()
        once = counts.index[counts == 1]
        present = rows[name].dropna()
        if len(once) and len(present):
            shares[name] = round(float(present.isin(once).mean()), 5)
    return shares


def membership_auc(train_log_prob, test_log_prob):
    """Mann and Whitney's statistic over the number of pairs; ties count one half."""
    ranks = rankdata(np.concatenate([train_log_prob, test_log_prob]))
    n, m = len(train_log_prob), len(test_log_prob)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def log_probs(file):
    return pd.read_csv(file, usecols=["log_prob"])["log_prob"].values
