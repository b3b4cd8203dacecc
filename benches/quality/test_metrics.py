"""What the metrics must say of tables that are known: `python -m unittest` in this folder."""

import io
import unittest

import numpy as np
import pandas as pd

import c2st
import fidelity
import impute
import impute_laws
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


def with_cells(rows, seed):
    """A table on grids whose columns follow from one normal number, and a share of its cells to remove."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=rows)
    table = pd.DataFrame({
        "n": np.round(5 * (z + 0.3 * rng.normal(size=rows))),
        "x": np.round(np.exp(0.5 * z + 0.2 * rng.normal(size=rows)), 1),
        "level": np.array(["low", "mid", "high"])[np.digitize(z + 0.3 * rng.normal(size=rows), [-0.5, 0.5])],
    })
    removed = rng.random(table.shape) < 0.2
    row, column = np.nonzero(removed)
    cells = pd.DataFrame({"row": row, "column": table.columns[column]})
    cells["kind"] = np.where(cells["column"] == "level", "category", "number")
    cells["step"] = cells["column"].map({"n": 1.0, "x": 0.1, "level": 1.0})
    return table, cells


class Imputation(unittest.TestCase):
    STEPS = {"n": 1.0, "x": 0.1}

    @classmethod
    def setUpClass(cls):
        cls.train, _ = with_cells(4_000, 1)
        cls.test, cls.cells = with_cells(400, 2)
        cls.frame = impute.Frame(cls.train, cls.STEPS)
        cls.holed = impute.without(cls.test, cls.cells)
        cls.scale = {name: cls.train[name].std() for name in ("n", "x")}

    def test_every_part_of_every_law_has_mass_one(self):
        values = {"n": np.arange(-200.0, 201.0), "x": np.round(np.arange(-500, 1000) * 0.1, 1), "level": ["low", "mid", "high"]}
        for method in impute.methods(0).values():
            method.fit(self.frame, self.train).start(self.holed)
            for name, row in (("n", 3), ("x", 5), ("level", 7)):
                row = np.flatnonzero(self.holed[name].isna())[row]
                rows = np.full(len(values[name]), row)
                for setting in method.settings():
                    own = method.parts(name, rows, np.array(values[name], dtype=object if name == "level" else float), setting)
                    whole = np.hstack([own, self.frame.parts(name, values[name])]).sum(axis=0)
                    # Cauchy laws reach beyond the values; labels keep a share for those never seen
                    self.assertTrue(np.all(np.abs(whole - 1) < 0.02), (type(method), name, setting, whole))

    def test_what_other_columns_tell_is_used(self):
        found = {}
        for name, method in impute.methods(0).items():
            cells = impute.tuned(method, self.frame, self.train, self.test, self.cells, self.STEPS, 0)
            found[name] = impute.summary(name, cells, self.test, self.cells, self.scale)
        for name in ("neighbours", "chained", "chained_scores"):
            self.assertLess(found[name]["rmse"], 0.7 * found["marginal"]["rmse"], name)
            self.assertGreater(found[name]["score"], found["marginal"]["score"] + 0.3, name)
            self.assertGreater(found[name]["accuracy"], found["marginal"]["accuracy"] + 0.1, name)

    def test_a_gaussian_is_scored_by_its_own_law(self):
        x = np.array([-3.0, 0.0, 9.0])
        law = impute_laws.gaussian(x, 1.0, 2.0, None)
        self.assertTrue(np.allclose(law, np.exp(-0.5 * ((x - 1) / 2) ** 2) / (2 * np.sqrt(2 * np.pi))))
        # a narrow step has the density times its width, far out too
        self.assertTrue(np.allclose(impute_laws.gaussian(x, 1.0, 0.5, 1e-4), 1e-4 * impute_laws.gaussian(x, 1.0, 0.5, None)))
        self.assertAlmostEqual(impute_laws.cauchy(np.arange(-5e4, 5e4), 0.3, 2.0, 1.0).sum(), 1, places=4)

    def test_normal_scores_invert_on_the_grid(self):
        law = self.frame.laws["x"]
        inner = law.values[5:-5]
        self.assertTrue(np.allclose(np.round(law.value(law.score(inner)), 1), inner))
        low, high = law.score_edges(law.values)
        self.assertTrue(np.isneginf(low[0]) and np.isposinf(high[-1]) and np.all(low < high))


if __name__ == "__main__":
    unittest.main()
