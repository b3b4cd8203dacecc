//! The disjunctive normal form says what the condition says.

use ef_tabular::condition::column;
use ef_tabular::{ColumnData, Condition, ConditionError, Schema, Table, Value, ValueSet};
use proptest::prelude::*;

use crate::drawn;

/// Whether a row lies in one of the boxes.
fn in_boxes(condition: &Condition, table: &Table) -> Option<Vec<bool>> {
    let boxes = match condition.boxes(&table.schema()) {
        Ok(boxes) => boxes,
        Err(ConditionError::TooManyBoxes { .. }) => return None,
        Err(error) => panic!("{error}"),
    };
    assert!(boxes.len() <= 64);
    let mut rows = vec![false; table.num_rows()];
    for one in &boxes {
        let inside = one.matches(table).unwrap();
        rows.iter_mut()
            .zip(inside)
            .for_each(|(row, inside)| *row |= inside);
    }
    Some(rows)
}

proptest! {
    #[test]
    fn a_row_matches_where_a_box_holds_it(expression in drawn::expression(), table in drawn::table()) {
        let condition = expression.condition();
        if let Some(rows) = in_boxes(&condition, &table) {
            prop_assert_eq!(rows, condition.matches(&table).unwrap());
        }
    }

    #[test]
    fn boxes_are_neither_empty_nor_within_each_other(expression in drawn::expression(), table in drawn::table()) {
        let Ok(boxes) = expression.condition().boxes(&table.schema()) else { return Ok(()) };
        for (i, one) in boxes.iter().enumerate() {
            prop_assert!(!one.sets().values().any(|set| set.is_empty() || set.is_all()));
            for (j, other) in boxes.iter().enumerate() {
                let within = other.sets().iter().all(|(name, set)| {
                    one.sets().get(name).is_some_and(|own| own.is_within(set))
                });
                let free = other.residual().is_none();
                prop_assert!(i == j || !(within && free), "{:?} is within {:?}", one, other);
            }
        }
    }

    #[test]
    fn a_box_in_words_is_the_box(expression in drawn::expression(), table in drawn::table()) {
        let Ok(boxes) = expression.condition().boxes(&table.schema()) else { return Ok(()) };
        for one in &boxes {
            let words = one.condition().to_string();
            let read = Condition::parse(&words).unwrap();
            prop_assert_eq!(read.matches(&table).unwrap(), one.matches(&table).unwrap(), "{}", words);
            for (name, set) in one.sets() {
                let boxes = set.condition(name).boxes(&table.schema()).unwrap();
                let sets: Vec<_> = boxes.iter().map(|one| one.sets().clone()).collect();
                prop_assert_eq!(sets, [[(name.clone(), set.clone())].into()], "{}", words);
            }
        }
    }

    #[test]
    fn set_operations_are_those_of_membership(
        expressions in (drawn::expression(), drawn::expression()),
        table in drawn::table(),
    ) {
        // sets of one column, from boxes of drawn conditions
        let sets = |expression: &drawn::Drawn| {
            let boxes = expression.condition().boxes(&table.schema());
            let sets = boxes.iter().flatten().flat_map(|one| one.sets().clone());
            sets.collect::<Vec<(String, ValueSet)>>()
        };
        for (name, a) in sets(&expressions.0) {
            let others = sets(&expressions.1).into_iter().filter(|(other, _)| *other == name);
            let column = table.column_index(&name).unwrap();
            for b in others.map(|(_, b)| b).chain([a.complement()]) {
                for row in 0..table.num_rows() {
                    let value = table.value(row, column);
                    prop_assert_eq!(a.intersect(&b).contains(value), a.contains(value) && b.contains(value));
                    prop_assert_eq!(a.union(&b).contains(value), a.contains(value) || b.contains(value));
                    prop_assert_eq!(a.complement().contains(value), !a.contains(value));
                }
                prop_assert_eq!(a.union(&b).complement(), a.complement().intersect(&b.complement()));
                prop_assert_eq!(a.is_within(&b), a.union(&b) == b);
            }
            prop_assert!(a.union(&a.complement()).is_all());
            prop_assert!(a.intersect(&a.complement()).is_empty());
            for row in 0..table.num_rows() {
                let value = table.value(row, column);
                let only = ValueSet::only(a.kind(), value);
                prop_assert_eq!(only.single(), Some(value));
                prop_assert_eq!(only.is_within(&a), a.contains(value));
            }
        }
    }
}

fn schema() -> Schema {
    let numbers = |name: &str| (name.to_owned(), ColumnData::Decimal(vec![Some(0.5)]));
    let label = ("color".to_owned(), ColumnData::Text(vec![Some("red".to_owned())]));
    let columns = ["a", "b", "c"].map(numbers).into_iter().chain([label]);
    Table::from_columns(columns.collect()).unwrap().schema()
}

fn boxes(text: &str) -> ef_tabular::Boxes {
    Condition::parse(text).unwrap().boxes(&schema()).unwrap()
}

#[test]
fn boxes_that_differ_in_one_column_are_one() {
    let one = boxes("a = 1 and (color = red or color = blue) or a = 1 and color = green");
    assert_eq!(one, boxes("a = 1 and color in (red, blue, green)"));
    assert_eq!(one.len(), 1);
    assert_eq!(boxes("a < 1 or a >= 1 or a is missing"), boxes("()"));
    assert_eq!(
        boxes("a < 3 and b = 1 or a < 5 and b = 1"),
        boxes("a < 5 and b = 1")
    );
    assert_eq!(boxes("a = 1 or a = 1 and b = 2"), boxes("a = 1"));
    assert_eq!(boxes("a = 1 or b = 2").len(), 2);
    assert!(boxes("a < 1 and a > 2").is_empty());
    assert!(boxes("a = 1 and a is missing").is_empty());
    assert!(boxes("a < `a`").is_empty());
    assert_eq!(boxes("a <= `a`"), boxes("a is known"));
    assert!(boxes("a < `b` and a is missing").is_empty());
    // a comparison narrows a box, whichever comes first
    let known = boxes("a is known and b is known");
    assert_eq!(boxes("a is known and b is known or a < `b`"), known);
    assert_eq!(boxes("a < `b` or a is known and b is known"), known);
    assert_eq!(
        boxes("a < `b` and c = 1 or a < `b` and c = 2"),
        boxes("c in (1, 2) and a < `b`")
    );
    assert_eq!(boxes("a < `b` and c = 1 or a > `b` and c = 2").len(), 2);
    let lone = boxes("color = red and b between 2 and 2");
    let sets: Vec<_> = lone
        .iter()
        .next()
        .unwrap()
        .sets()
        .values()
        .map(ValueSet::single)
        .collect();
    assert_eq!(sets, [Some(Value::Number(2.0)), Some(Value::Text("red"))]);
}

#[test]
fn sets_are_worded_shortly() {
    let words = |text: &str| {
        let boxes = boxes(text);
        boxes
            .iter()
            .map(|one| one.condition().to_string())
            .collect::<Vec<String>>()
    };
    for text in [
        "a != 3",
        "a between 1 and 2",
        "a > 1 and a <= 2",
        "a is not missing",
        "color is missing or color not in (blue, red)",
        "()",
        "a is not missing and b is not missing and a < `b`",
    ] {
        assert_eq!(words(text), [text]);
    }
    assert_eq!(
        words("a = 1 or a = 1.5 or a >= 7"),
        ["a = 1 or a = 1.5 or a >= 7"]
    );
    assert_eq!(words("not color != red"), ["color = red"]);
    let never = ValueSet::none(ef_tabular::Kind::Decimal).condition("a");
    assert!(never.boxes(&schema()).unwrap().is_empty());
}

#[test]
fn too_many_boxes_are_refused() {
    let either = |k: i32| {
        let part = |name: &str, x: i32| column(name).equals(x);
        part("a", k).and(part("b", k)).and(part("c", k))
    };
    assert_eq!(
        Condition::any((0..64).map(either))
            .boxes(&schema())
            .unwrap()
            .len(),
        64
    );
    let error = Condition::any((0..65).map(either)).boxes(&schema()).unwrap_err();
    assert!(error.to_string().contains("more than 64"), "{error}");
    let product = Condition::all((0..200).map(|k| either(k).or(either(k + 1).or(either(k + 2)))));
    assert!(product.boxes(&schema()).is_ok_and(|boxes| boxes.len() <= 64));
    let many = Condition::all((0..200).map(|k| {
        column("a")
            .more_than(k)
            .and(column("b").less_than(k))
            .or(column("c").equals_column("b"))
    }));
    assert!(many.boxes(&schema()).is_ok_and(|boxes| boxes.len() <= 64));
}
