"""Train on synthetic, test on real (TSTR; Esteban, Hyland & Rätsch 2017, arXiv:1706.02633).

XGBoost learns one column, the target, from the others. Judged on the real test table: area under the ROC curve for a
category (the mean of one-against-the-rest for more than two levels), R2 for a number. The same learner on the real
training table (TRTR) is what a perfect generator would reach, but for chance.
"""

import numpy as np
import pandas as pd
import xgboost
from sklearn.metrics import r2_score, roc_auc_score

import tables


def score(learn, judge, kinds, target, threads):
    """The score of learning on one table; None if a level of the target is not there to learn."""
    both = pd.concat([learn, judge], ignore_index=True)
    goal = both.pop(target)
    features = tables.for_trees(both, [c for c in kinds.categories if c != target])
    first = np.arange(len(both)) < len(learn)
    settings = dict(n_estimators=200, max_depth=5, learning_rate=0.1, enable_categorical=True, n_jobs=threads)
    if target in kinds.numbers:
        known = goal.notna().values
        learn, judge = first & known, ~first & known
        model = xgboost.XGBRegressor(**settings).fit(features[learn], goal[learn])
        return float(r2_score(goal[judge], model.predict(features[judge])))
    codes, levels = pd.factorize(goal, sort=True)
    if len(levels) < 2 or len(np.unique(codes[first])) < len(levels) or len(np.unique(codes[~first])) < len(levels):
        return None
    model = xgboost.XGBClassifier(**settings).fit(features[first], codes[first])
    chance = model.predict_proba(features[~first])
    if len(levels) == 2:
        return float(roc_auc_score(codes[~first], chance[:, 1]))
    return float(roc_auc_score(codes[~first], chance, multi_class="ovr", labels=np.arange(len(levels))))
