"""What the metrics must say of tables that are known: `python -m unittest` in this folder."""

import io
import unittest

import numpy as np
import pandas as pd

import c2st
import fidelity
import privacy
import tables
import utility


def drawn(rows, seed):
    """A number, a category that follows it, a number of its own with missing cells, a yes or no."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    table = pd.DataFrame({"x": x, "level": np.where(x + 0.3 * rng.normal(size=rows) > 0, "high", "low")})
    table["y"] = np.where(rng.random(rows) < 0.1, np.nan, x + 0.5 * rng.normal(size=rows))
    table["flag"] = rng.integers(0, 2, rows)
    return table


def shuffled(table, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.permutation(table[name].values) for name in table.columns})


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raw = [drawn(3_000, seed) for seed in range(3)]
        cls.kinds = tables.find_kinds(raw[0])
        cls.train, cls.test, cls.ideal = (tables.convert(table, cls.kinds) for table in raw)
        cls.loose = shuffled(cls.train, 5)

    def test_kinds_and_labels(self):
        self.assertEqual((self.kinds.categories, self.kinds.numbers), (["level", "flag"], ["x", "y"]))
        text = "day,code,on,n\n2020-01-31,1,True,1\n2020-02-01,1.0,False,2\n2020-02-02,,True,3\n"
        table = pd.read_csv(io.StringIO(text))
        kinds = tables.find_kinds(table)
        self.assertEqual((kinds.dates, kinds.categories, kinds.numbers), (["day"], ["code", "on"], ["day", "n"]))
        read = tables.convert(table, kinds)
        self.assertEqual(read["code"].tolist(), ["1", "1", tables.MISSING])
        self.assertEqual(read["day"].diff().tolist()[1:], [1.0, 1.0])
        self.assertEqual(read["on"].tolist(), ["True", "False", "True"])

    def test_two_samples_of_one_law_cannot_be_told_apart(self):
        same = c2st.score(self.train, self.ideal, self.kinds.categories, 0, 1)
        other = c2st.score(self.train, self.loose, self.kinds.categories, 0, 1)
        self.assertGreater(same, 0.9)
        self.assertLess(other, 0.5)

    def test_shape_sees_columns_and_trend_sees_pairs(self):
        for measure in (fidelity.shape, fidelity.trend):
            self.assertEqual(measure(self.train, self.train, self.kinds), 1)
        self.assertGreater(fidelity.shape(self.train, self.loose, self.kinds), 0.999)
        # x and y: r falls from .9 to 0; x or y and level: joint frequencies become products
        self.assertLess(fidelity.trend(self.train, self.loose, self.kinds), 0.7)
        moved = self.train.assign(x=self.train["x"] + 100)
        self.assertAlmostEqual(fidelity.shape(self.train, moved, self.kinds), 0.75)

    def test_utility_falls_where_dependence_is_lost(self):
        for target in ("level", "y"):
            ideal, loose = (utility.score(t, self.test, self.kinds, target, 1) for t in (self.ideal, self.loose))
            self.assertGreater(ideal, loose + 0.3)
        rare = self.test.assign(level="one")
        self.assertIsNone(utility.score(self.train, rare, self.kinds, "level", 1))

    def test_copies_are_found(self):
        half = pd.concat([self.train[:500], self.test[:500]])
        self.assertEqual(privacy.copies(self.train, half), 0.5)
        self.assertEqual(privacy.unique_values(self.train, half, self.kinds)["x"], 0.5)
        self.assertEqual(privacy.dcr_share(self.train, self.test, self.train, self.kinds), 1)
        self.assertAlmostEqual(privacy.dcr_share(self.train, self.test, self.ideal, self.kinds), 0.5, delta=0.04)

    def test_membership_counts_pairs(self):
        self.assertEqual(privacy.membership_auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])), 1)
        self.assertEqual(privacy.membership_auc(np.array([1.0, 0.0]), np.array([1.0, 0.0])), 0.5)
        self.assertEqual(privacy.membership_auc(np.array([1.0]), np.array([0.0, 2.0, 1.0])), 0.5)
        self.assertEqual(privacy.membership_auc(np.array([-np.inf]), np.array([0.0])), 0)


if __name__ == "__main__":
    unittest.main()
