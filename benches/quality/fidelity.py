"""How near single columns and pairs of columns come: `shape` and `trend`, as SDMetrics' quality report defines them.

shape  the mean over columns. Numbers: 1 - D, with D the two-sample Kolmogorov-Smirnov statistic. Categories: 1 - T, with
       T = 1/2 sum_k |p_k - q_k| the total variation distance. Missing numbers are left out.
trend  the mean over pairs of columns that are related in the real table. Two columns of numbers, related if Pearson's
       |r| > 0.5: 1 - |r_real - r_synthetic| / 2. Other pairs, related if Cramer's V > 0.3: 1 - T of the joint
       frequencies, numbers cut into ten bins of equal width between the table's own smallest and largest value
       (missing numbers are a bin).
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from scipy.stats.contingency import association

RELATED_NUMBERS = 0.5
RELATED_OTHERS = 0.3
BINS = 10


def shape(real, synthetic, kinds):
    scores = []
    for name in real.columns:
        a, b = real[name].dropna(), synthetic[name].dropna()
        if name in kinds.categories:
            scores.append(1 - variation(a.value_counts(normalize=True), b.value_counts(normalize=True)))
        elif len(a) and len(b):
            scores.append(1 - ks_2samp(a, b).statistic)
    return float(np.mean(scores)) if scores else None


def variation(p, q):
    """Total variation distance of two series of frequencies, by their labels."""
    p, q = p.align(q, fill_value=0)
    return 0.5 * float((p - q).abs().sum())


def trend(real, synthetic, kinds):
    binned = [bins(table, kinds) for table in (real, synthetic)]
    scores = []
    for a, b in combinations(real.columns, 2):
        if a in kinds.numbers and b in kinds.numbers:
            r = correlation(real[[a, b]])
            if abs(r) > RELATED_NUMBERS:
                scores.append(1 - abs(r - correlation(synthetic[[a, b]])) / 2)
        else:
            counts = binned[0].groupby([a, b], observed=True).size()
            if cramers_v(counts) > RELATED_OTHERS:
                other = binned[1].groupby([a, b], observed=True).size()
                scores.append(1 - variation(counts / len(real), other / len(synthetic)))
    scores = [score for score in scores if not np.isnan(score)]
    return float(np.mean(scores)) if scores else None


def correlation(pair):
    pair = pair.dropna()
    if len(pair) < 2 or (pair.nunique() < 2).any():
        return np.nan
    return float(np.corrcoef(pair.T.values)[0, 1])


def cramers_v(counts):
    table = counts.unstack(fill_value=0).values
    return association(table, method="cramer") if min(table.shape) > 1 else 0.0


def bins(table, kinds):
    columns = {}
    for name in table.columns:
        if name in kinds.categories:
            columns[name] = table[name]
        else:
            present = table[name].dropna()
            edges = np.histogram_bin_edges(present, BINS) if len(present) else np.array([0.0])
            # NaN falls beyond the last edge, and so does the largest value: one bin more for the missing
            columns[name] = np.where(table[name].isna(), len(edges) + 1, np.digitize(table[name], edges))
    return pd.DataFrame(columns)
