//! The cells and ranks of a law that lie in a set: draws there are in the set, and they are all there is.

use approx::assert_abs_diff_eq;
use ef_tabular::{
    CategoryLaw, CellSet, ColumnData, ColumnLaw, DecodedColumn, Kind, NumberRange, Table, Value, ValueSet,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::columns::{drawn_set, encoders, laws, ranges, spread};

/// Every cell's draw is in the set where the cells say so, at ranks anywhere inside the intervals and next to their ends.
fn check_draws(name: &str, law: &ColumnLaw, set: &ValueSet, cells: &CellSet, rng: &mut ChaCha8Rng) {
    assert_eq!(cells.cells().len(), law.cells());
    for cell in 0..law.cells() as u32 {
        if cells.ranked_cell() != Some(cell) {
            let inside = set.contains(law.draw(cell, 0.5));
            assert_eq!(cells.cells()[cell as usize], inside, "{name}: cell {cell}");
            assert_eq!(cells.contains(cell, 0.5), inside);
        }
    }
    let Some(cell) = cells.ranked_cell() else { return };
    assert_eq!(cells.cells()[cell as usize], !cells.ranks().is_empty());
    let mut last = 0.0;
    for (lo, hi) in cells.ranks() {
        assert!(
            last <= *lo && lo < hi && *hi <= 1.0,
            "{name}: {:?}",
            cells.ranks()
        );
        last = *hi;
        let mut ranks = vec![lo.next_up(), hi.next_down()];
        ranks.extend((0..20).map(|_| lo + rng.random::<f64>() * (hi - lo)));
        // close to the ends, at every scale
        ranks.extend(std::iter::successors(Some(lo.next_up()), |rank| Some(rank.next_up())).take(60));
        ranks.extend(std::iter::successors(Some(hi.next_down()), |rank| Some(rank.next_down())).take(60));
        ranks.extend((1..50).map(|k| lo + 0.5f64.powi(k) * (hi - lo)));
        ranks.extend((1..50).map(|k| hi - 0.5f64.powi(k) * (hi - lo)));
        for rank in ranks.into_iter().filter(|rank| lo < rank && rank < hi) {
            let value = law.draw(cell, rank);
            assert!(
                set.contains(value),
                "{name}: {value:?} at rank {rank} of {lo} to {hi}"
            );
            assert!(cells.contains(cell, rank));
        }
    }
}

/// Ranks anywhere: those whose draw is in the set lie in an interval, but for what its ends were moved by.
fn check_all_there(name: &str, law: &ColumnLaw, set: &ValueSet, cells: &CellSet, rng: &mut ChaCha8Rng) {
    let Some(cell) = cells.ranked_cell() else { return };
    let mut missed = 0;
    for _ in 0..200 {
        let rank = rng.random::<f64>();
        missed += u32::from(set.contains(law.draw(cell, rank)) && !cells.contains(cell, rank));
    }
    assert!(
        missed <= 1,
        "{name}: {missed} of 200 draws in the set are outside the intervals"
    );
}

/// The marginal mass of the law in a set of ranges, but for values that no cell holds.
fn mass(law: &ColumnLaw, set: &ValueSet) -> f64 {
    let mass = |range: NumberRange| {
        let inner = |x: f64, closed: bool, out: f64| {
            if closed {
                x
            } else if out > 0.0 {
                x.next_down()
            } else {
                x.next_up()
            }
        };
        law.mass(
            inner(range.low, range.low_closed, -1.0),
            inner(range.high, range.high_closed, 1.0),
        )
    };
    set.number_ranges().map(mass).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn draws_inside_are_in_the_set_and_none_outside(
        seed in 0u64..4,
        ranges in ranges(),
        complement in any::<bool>(),
        missing in any::<bool>(),
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (name, law) in laws(seed) {
            let set = drawn_set(law, &ranges, complement, missing);
            let cells = law.cells_within(&set);
            check_draws(name, law, &set, &cells, &mut rng);
            check_all_there(name, law, &set, &cells, &mut rng);
            let confined = cells.clone().confined(law);
            check_draws(name, law, &set, &confined, &mut rng);
            let (min, max, _) = spread(law);
            for (lo, hi) in confined.ranks() {
                for rank in [lo.next_up(), 0.5 * (lo + hi), hi.next_down()] {
                    let x = match law.draw(0, rank) {
                        Value::Number(x) => x,
                        Value::Date(date) => f64::from(date.day_number()),
                        other => panic!("{other:?}"),
                    };
                    // a rounding of w may reach a little beyond the extremes
                    let room = 1e-9 * (max - min) + 1e-12 * max.abs();
                    prop_assert!(min - room <= x && x <= max + room, "{}: {} beyond {} to {}", name, x, min, max);
                }
            }
        }
    }

    #[test]
    fn the_share_is_the_mass_of_the_law(seed in 0u64..4, ranges in ranges(), complement in any::<bool>()) {
        for (name, law) in laws(seed) {
            let set = drawn_set(law, &ranges, complement, false);
            let share = law.cells_within(&set).share(law);
            // what the law keeps for values never seen has no cell
            let seen = match law.missing_cell() {
                Some(_) => law.place(Value::Missing).log_measure.exp(),
                None if law.is_continuous() => 1.0 - law.place(Value::Missing).log_measure.exp(),
                None => f64::NAN,
            };
            if law.is_continuous() {
                // beyond a natural bound lies 1e-6; eight digits round by 1e-8 of a number
                assert_abs_diff_eq!(seen * share, mass(law, &set), epsilon = 1e-5);
            } else {
                let all = law.cells_within(&ValueSet::known(spread(law).2)).share(law);
                let points = law.cells_within(&set);
                let held = law.cell_shares().into_iter().zip(points.cells());
                let held: f64 = held.filter(|(_, held)| **held).map(|(share, _)| share).sum();
                assert_abs_diff_eq!(share, held, epsilon = 1e-12);
                prop_assert!(share <= all + 1e-12, "{}", name);
            }
        }
    }

    #[test]
    fn what_a_decoded_table_holds_is_in_the_set_too(seed in 0u64..4, ranges in ranges(), complement in any::<bool>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (name, encoder) in encoders(seed) {
            let law = &encoder.laws()[0];
            let set = drawn_set(law, &ranges, complement, false);
            let within = law.cells_within(&set);
            let mut drawn = DecodedColumn::default();
            for (cell, held) in within.cells().iter().enumerate().filter(|(_, held)| **held) {
                let ranks = if within.ranked_cell() == Some(cell as u32) {
                    within.ranks().iter().flat_map(|(lo, hi)| {
                        [lo.next_up(), lo + rng.random::<f64>() * (hi - lo), hi.next_down()]
                    }).filter(|rank| within.contains(0, *rank)).collect()
                } else {
                    vec![0.5]
                };
                prop_assert!(*held);
                drawn.cells.extend(vec![cell as u32; ranks.len()]);
                drawn.ranks.extend(ranks);
            }
            let decoded = encoder.decode(&[drawn]).unwrap();
            for row in 0..decoded.num_rows() {
                let value = decoded.value(row, 0);
                prop_assert!(set.contains(value), "{}: {:?} of {:?}", name, value, set);
            }
        }
    }

    #[test]
    fn pooled_categories_have_the_ranks_of_their_counts(seed in 0u64..1000, chosen in 0.0f64..1.0, but in any::<bool>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let labels: Vec<String> = (0..1200)
            .flat_map(|k| vec![format!("k{k}"); if k < 1000 { 8 } else { 1 + rng.random_range(0..7) }])
            .chain(["true".to_owned()])
            .collect();
        let law = ColumnLaw::Category(CategoryLaw::fit(labels.iter().map(|label| Some(label.as_str()))));
        let listed = ValueSet::labels((0..1200).filter(|_| rng.random_bool(chosen)).map(|k| format!("k{k}")));
        let set = if but { listed.complement() } else { listed };
        let cells = law.cells_within(&set);
        check_draws("pooled", &law, &set, &cells, &mut rng);
        check_all_there("pooled", &law, &set, &cells, &mut rng);
        let rows = labels.iter().filter(|label| set.contains(Value::Text(label))).count();
        assert_abs_diff_eq!(cells.share(&law), rows as f64 / labels.len() as f64, epsilon = 1e-9);
    }
}

#[test]
fn everything_is_full_and_nothing_is_empty() {
    for (name, law) in laws(1) {
        let kind = spread(law).2;
        assert!(law.cells_within(&ValueSet::all(kind)).is_full(), "{name}");
        assert!(law.cells_within(&ValueSet::none(kind)).is_empty(), "{name}");
        let missing = law.cells_within(&ValueSet::missing(kind));
        assert_eq!(missing.is_empty(), law.missing_cell().is_none(), "{name}");
        if name.ends_with("above 0") {
            let natural = NumberRange {
                low: 0.0,
                ..NumberRange::ALL
            };
            assert!(
                law.cells_within(&ValueSet::ranges(kind, [natural])).is_full(),
                "{name}"
            );
        }
        // a label is no number
        assert!(law.cells_within(&ValueSet::labels(["3"])).is_empty(), "{name}");
    }
}

#[test]
fn on_a_grid_intervals_end_where_points_do() {
    for (name, law) in laws(2) {
        let ColumnLaw::Number(numbers) = law else {
            continue;
        };
        if !law.is_continuous() || numbers.decimals().is_none() {
            continue;
        }
        for rank in [0.03, 0.2, 0.5, 0.77, 0.98] {
            let x = law.draw(0, rank);
            let Value::Number(at) = x else { panic!("{x:?}") };
            let place = law.place(x);
            let set = ValueSet::ranges(Kind::Decimal, [NumberRange::closed(at, at)]);
            assert_eq!(law.cells_within(&set).ranks(), [(place.lo, place.hi)], "{name}");
        }
    }
}

fn words(law: &ColumnLaw, set: &ValueSet) -> Vec<String> {
    law.unknown_in(set).iter().map(ToString::to_string).collect()
}

#[test]
fn what_no_row_has_is_named_with_the_nearest() {
    let sex = CategoryLaw::fit(["Female", "Male", "Male"].into_iter().map(Some));
    let sex = ColumnLaw::Category(sex);
    assert_eq!(
        words(&sex, &ValueSet::labels(["Femal", "Male"])),
        ["\"Femal\" (did you mean \"Female\"?)"]
    );
    assert_eq!(
        words(&sex, &ValueSet::missing(Kind::Category)),
        ["a missing cell"]
    );
    assert!(words(&sex, &ValueSet::labels(["Male"])).is_empty());
    let flags = ColumnLaw::Category(CategoryLaw::fit_booleans([Some(true), Some(true)].into_iter()));
    assert_eq!(words(&flags, &ValueSet::booleans([false])), ["\"false\""]);
    assert!(words(&flags, &ValueSet::booleans([true])).is_empty());

    let numbers = |text: &str| ef_tabular::Condition::parse(text).unwrap();
    let rooms: Vec<f64> = (0..60).map(|k| f64::from(k % 5)).collect();
    let table = ColumnData::Decimal(rooms.iter().copied().map(Some).collect());
    let schema = Table::from_columns(vec![("rooms".to_owned(), table)])
        .unwrap()
        .schema();
    let rooms = ColumnLaw::fit_numbers(&rooms, None).unwrap();
    let unknown = |text: &str| {
        let boxes = numbers(text).boxes(&schema).unwrap();
        let sets = boxes.iter().flat_map(|one| one.sets().values());
        sets.flat_map(|set| words(&rooms, set)).collect::<Vec<String>>()
    };
    assert_eq!(unknown("rooms = 2.5"), ["2.5 (the nearest are 2 and 3)"]);
    assert_eq!(unknown("rooms > 4"), ["more than 4 (the nearest is 4)"]);
    assert_eq!(
        unknown("rooms between 20 and 30"),
        ["20 to 30 (the nearest is 4)"]
    );
    assert!(unknown("rooms <= 0").is_empty());

    for (name, law) in laws(3) {
        let kind = spread(law).2;
        assert!(words(law, &ValueSet::known(kind)).is_empty(), "{name}");
        let half = ValueSet::ranges(kind, [NumberRange::closed(1000.25, 1000.25)]);
        let off = name.starts_with("whole") || *name == "heaped";
        assert!(
            !off || words(law, &half) == ["1000.25 (the nearest are 1000 and 1001)"],
            "{name}"
        );
        let dense = name.starts_with("density") && !name.contains("far");
        assert!(!dense || words(law, &half).is_empty(), "{name}");
    }
}
