"""Tables as all metrics see them: each column is of numbers or of labels, as the training table decides.

Text, booleans and columns of at most two distinct values are categories; ISO dates are numbers, in days; every other
column is of numbers. A missing label is a label of its own, a missing number is NaN.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

ISO_DATE = r"^\d{4}-\d\d-\d\d"
MISSING = "<missing>"


@dataclass
class Kinds:
    dates: list
    categories: list
    numbers: list  # dates among them


def find_kinds(train):
    dates = [c for c in train.columns if is_date(train[c])]
    categories = [c for c in train.columns if c not in dates and is_category(train[c])]
    numbers = [c for c in train.columns if c not in categories]
    return Kinds(dates, categories, numbers)


def is_date(column):
    if column.dtype != object:
        return False
    text = column.dropna().astype(str)
    return len(text) > 0 and text.str.match(ISO_DATE).mean() > 0.99


def is_category(column):
    return not pd.api.types.is_numeric_dtype(column) or column.dtype == bool or column.nunique() <= 2


def read(train_file, *files):
    """The kinds, the training table and the other tables, with the training table's columns in its order."""
    train = pd.read_csv(train_file, low_memory=False)
    kinds = find_kinds(train)
    tables = [train]
    for file in files:
        table = pd.read_csv(file, low_memory=False)
        absent = [c for c in train.columns if c not in table.columns]
        if absent:
            raise SystemExit(f"{file} lacks the columns {', '.join(absent)}")
        tables.append(table[train.columns])
    return kinds, [convert(table, kinds) for table in tables]


def convert(table, kinds):
    columns = {}
    for name in table.columns:
        if name in kinds.dates:
            day = pd.to_datetime(table[name], errors="coerce") - pd.Timestamp(1970, 1, 1)
            columns[name] = day.dt.total_seconds() / 86_400
        elif name in kinds.categories:
            columns[name] = labels(table[name])
        else:
            columns[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    return pd.DataFrame(columns)


def labels(column):
    """Text for each cell that does not depend on whether a file wrote 1 or 1.0."""
    text = column.astype(object).astype(str)
    if column.dtype != bool:
        number = pd.to_numeric(column, errors="coerce")
        if number.notna().sum() == column.notna().sum():
            text = number.map(lambda value: format(value, ".10g"))
    return text.where(column.notna(), MISSING)


def rows_as_text(table):
    """One text a row, equal for equal rows."""
    cells = [table[name].map(repr) if table[name].dtype == float else table[name] for name in table.columns]
    return pd.concat(cells, axis=1).agg("\x1f".join, axis=1)


def draw(table, rows, rng):
    """So many different rows, in random order."""
    return table.iloc[rng.permutation(len(table))[:rows]]


def for_trees(table, categories):
    """The table as XGBoost takes it: labels as pandas categories."""
    table = table.copy()
    for name in categories:
        table[name] = pd.Categorical(table[name])
    return table


def as_ranks(values, reference):
    """Mid-ranks of numbers among sorted reference numbers, in [0, 1]; NaN stays NaN."""
    below = np.searchsorted(reference, values, "left") + np.searchsorted(reference, values, "right")
    return np.where(np.isnan(values), np.nan, below / (2 * max(len(reference), 1)))
