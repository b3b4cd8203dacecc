"""Classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545) by boosted trees.

    score = 1 - (2 max(AUC, 1/2) - 1)

AUC is that of XGBoost telling rows of two tables apart, the mean over three folds: 1 where they cannot be told apart, 0
where they always can. Both tables give the same number of rows. The scale is the one of papers on tabular diffusion
("detection score", SDMetrics' `LogisticDetection` with another classifier).
"""

import numpy as np
import pandas as pd
import xgboost
from sklearn.metrics import roc_auc_score

import tables

MOST_ROWS = 30_000
FOLDS = 3


def score(one, other, categories, seed, threads, most=MOST_ROWS):
    """The score of two tables, by at most `most` rows of each."""
    rng = np.random.default_rng(seed)
    rows = min(most, len(one), len(other))
    both = pd.concat([tables.draw(one, rows, rng), tables.draw(other, rows, rng)], ignore_index=True)
    features = tables.for_trees(both, categories)
    target = np.repeat([0, 1], rows)
    fold = rng.permutation(2 * rows) % FOLDS
    aucs = []
    for k in range(FOLDS):
        learn, judge = fold != k, fold == k
        model = xgboost.XGBClassifier(
            n_estimators=100, max_depth=6, learning_rate=0.3, tree_method="hist", enable_categorical=True, n_jobs=threads
        )
        model.fit(features[learn], target[learn])
        aucs.append(roc_auc_score(target[judge], model.predict_proba(features[judge])[:, 1]))
    return 1 - (2 * max(float(np.mean(aucs)), 0.5) - 1)


def mean_score(one, other, categories, seeds, threads, most=MOST_ROWS):
    """The mean over several draws of rows and folds."""
    return float(np.mean([score(one, other, categories, seed, threads, most) for seed in range(seeds)]))
