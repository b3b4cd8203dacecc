#!/usr/bin/env python3
"""The scorer of `cargo xtask bench-quality`: one JSON line out. docs/quality.md defines every metric.

    score.py real      --train T --test U [--target COLUMN]
    score.py synthetic --train T --test U [--target COLUMN] --synthetic S --train-scores A --test-scores B

`real` is what depends on the real tables only: real test rows in the synthetic rows' place.
"""

import argparse
import json
import os

import numpy as np

import c2st
import fidelity
import privacy
import tables
import utility

# Draws of rows and folds that the two-sample tests on few rows are averaged over.
DRAWS = 2


def real(options):
    kinds, (train, test) = tables.read(options.train, options.test)
    few = min(len(train), len(test), c2st.MOST_ROWS)
    return {
        "rows": len(train),
        "test_rows": len(test),
        "columns": len(train.columns),
        "target": target_of(train, options),
        "c2st_floor": c2st.mean_score(train, test, kinds.categories, DRAWS, options.threads, few),
        "shape_floor": fidelity.shape(train, test, kinds),
        "trend_floor": fidelity.trend(train, test, kinds),
        "trtr": efficacy(train, test, kinds, options),
        "copies_test": privacy.copies(train, test),
        "unique_test": privacy.unique_values(train, test, kinds),
    }


def synthetic(options):
    kinds, (train, test, drawn) = tables.read(options.train, options.test, options.synthetic)
    categories, threads = kinds.categories, options.threads
    few = min(len(test), len(drawn), c2st.MOST_ROWS)
    of_train, of_test = privacy.log_probs(options.train_scores), privacy.log_probs(options.test_scores)
    without = int((~np.isfinite(of_test)).sum())
    if without:
        raise SystemExit(f"{without} test rows have no finite log_prob, so there is no mean of it")
    return {
        "nll": -float(of_test.mean()),
        "nll_train": -float(of_train.mean()),
        "c2st_train": c2st.score(train, drawn, categories, 0, threads),
        "c2st_sub": c2st.mean_score(train, drawn, categories, DRAWS, threads, few),
        "c2st_test": c2st.mean_score(test, drawn, categories, DRAWS, threads, few),
        "shape": fidelity.shape(train, drawn, kinds),
        "trend": fidelity.trend(train, drawn, kinds),
        "tstr": efficacy(drawn, test, kinds, options),
        "copies": privacy.copies(train, drawn),
        "dcr_share": privacy.dcr_share(train, test, drawn, kinds),
        "unique": privacy.unique_values(train, drawn, kinds),
        "membership_auc": privacy.membership_auc(of_train, of_test),
    }


def efficacy(learn, judge, kinds, options):
    target = target_of(judge, options)
    return utility.score(learn, judge, kinds, target, options.threads) if target else None


def target_of(table, options):
    """The named column, the last one if none is named, None for the name "none"."""
    target = options.target or table.columns[-1]
    if target != "none" and target not in table.columns:
        raise SystemExit(f"there is no target column {target} in {options.train}")
    return None if target == "none" else target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["real", "synthetic"])
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--target", help="the column that utility is measured on; the last one if left out, or none")
    parser.add_argument("--synthetic")
    parser.add_argument("--train-scores", help="the training table with its column log_prob")
    parser.add_argument("--test-scores", help="the same of the test table")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    found = real(options) if options.what == "real" else synthetic(options)
    print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in found.items()}))


if __name__ == "__main__":
    main()
