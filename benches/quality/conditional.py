#!/usr/bin/env python3
"""The scorer of `cargo xtask bench-conditions`: JSON lines out.

    conditional.py trend   --train T --test U --cases CASES
    conditional.py impute  --folder FOLDER [--seed S]
    conditional.py network NAME

`trend` holds rows drawn under conditions, and training rows that meet them, against the test rows that meet them, by
`fidelity.trend`. `impute` holds a model's imputed cells against those of other methods. `network` prints a Bayesian network
of the bnlearn repository that the package pgmpy ships, in the Bayesian Interchange Format.
"""

import argparse
import gzip
import importlib.util
import json
from pathlib import Path

import numpy as np

import fidelity
import impute
import tables


def trend(options):
    with open(options.cases) as file:
        cases = [json.loads(line) for line in file]
    answered = [case for case in cases if "drawn" in case]
    kinds, (train, test, *drawn) = tables.read(options.train, options.test, *[case["drawn"] for case in answered])
    lines = []
    for case in cases:
        line = {key: case[key] for key in case if key not in ("drawn", "test_rows", "train_rows")}
        if case in answered:
            rows = drawn[answered.index(case)]
            met = test.iloc[case["test_rows"]]
            # as many rows each time as there are test rows
            parts = [rows.iloc[first : first + len(met)] for first in range(0, len(rows), len(met))]
            line["trend"] = mean([fidelity.trend(met, part, kinds) for part in parts])
            line["trend_train"] = mean([fidelity.trend(met, train.iloc[rows], kinds) for rows in case["train_rows"]])
        lines.append(line)
    return lines


def mean(scores):
    scores = [score for score in scores if score is not None]
    return float(np.mean(scores)) if scores else None


def network(name):
    # found, not imported: the package itself would need more than the file
    package = importlib.util.find_spec("pgmpy")
    if package is None:
        raise SystemExit("the package pgmpy is not installed")
    folder = Path(package.submodule_search_locations[0]) / "utils" / "example_models"
    return gzip.decompress((folder / f"{name}.bif.gz").read_bytes()).decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("trend")
    for file in ("--train", "--test", "--cases"):
        task.add_argument(file, required=True)
    task = tasks.add_parser("impute")
    task.add_argument("--folder", required=True)
    task.add_argument("--seed", type=int, default=0)
    task = tasks.add_parser("network")
    task.add_argument("name", choices=["asia", "child"])
    options = parser.parse_args()
    if options.task == "network":
        print(network(options.name))
        return
    lines = trend(options) if options.task == "trend" else impute.judge(options.folder, options.seed)
    for line in lines:
        print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}))


if __name__ == "__main__":
    main()
