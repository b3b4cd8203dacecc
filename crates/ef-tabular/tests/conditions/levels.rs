//! The levels and ranks of a marginal that lie in a set: draws there are in the set, and they are all there is.

use approx::assert_abs_diff_eq;
use ef_tabular::{
    CategoryMarginal, ColumnData, ColumnMarginal, DecodedColumn, Kind, LevelSet, NumberRange, Table, Value,
    ValueSet,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::columns::{drawn_set, encoders, marginals, ranges, spread};

/// The level in which values are told apart by a rank, with its part of the set: the continuous level, or that of
/// pooled labels.
fn ranked<'a>(marginal: &ColumnMarginal, levels: &'a LevelSet) -> Option<(u32, &'a [(f64, f64)])> {
    match marginal {
        ColumnMarginal::Category(categories) => Some((categories.rare_level()?, &levels.positions)),
        _ => marginal.is_continuous().then_some((0, &levels.ranks)),
    }
}

/// Whether the value of a level at a rank is known to be in the set.
fn holds(marginal: &ColumnMarginal, levels: &LevelSet, level: u32, rank: f64) -> bool {
    match marginal {
        ColumnMarginal::Category(categories) if categories.rare_level() == Some(level) => {
            levels.contains_position(rank)
        }
        _ => levels.contains(level, marginal.is_continuous().then_some(rank)),
    }
}

/// Everything that the marginal can draw lies in the set.
fn is_full(levels: &LevelSet) -> bool {
    let all = |intervals: &[(f64, f64)]| intervals.is_empty() || intervals == [(0.0, 1.0)];
    levels.shares.iter().all(|share| *share == 1.0) && all(&levels.ranks) && all(&levels.positions)
}

/// Every level's draw is in the set where the levels say so, at ranks anywhere inside the intervals and next to their
/// ends.
fn check_draws(
    name: &str,
    marginal: &ColumnMarginal,
    set: &ValueSet,
    levels: &LevelSet,
    rng: &mut ChaCha8Rng,
) {
    assert_eq!(levels.shares.len(), marginal.levels());
    let ranked = ranked(marginal, levels);
    for level in 0..marginal.levels() as u32 {
        if ranked.map(|(ranked, _)| ranked) != Some(level) {
            let inside = set.contains(marginal.draw(level, 0.5));
            assert_eq!(
                levels.share(level),
                f64::from(u8::from(inside)),
                "{name}: level {level}"
            );
            assert_eq!(holds(marginal, levels, level, 0.5), inside);
        }
    }
    let Some((level, intervals)) = ranked else { return };
    let length: f64 = intervals.iter().map(|(low, high)| high - low).sum();
    assert_eq!(levels.share(level), length, "{name}");
    let mut last = 0.0;
    for (lo, hi) in intervals {
        assert!(last <= *lo && lo < hi && *hi <= 1.0, "{name}: {intervals:?}");
        last = *hi;
        let mut ranks = vec![lo.next_up(), hi.next_down()];
        ranks.extend((0..20).map(|_| lo + rng.random::<f64>() * (hi - lo)));
        // close to the ends, at every scale
        ranks.extend(std::iter::successors(Some(lo.next_up()), |rank| Some(rank.next_up())).take(60));
        ranks.extend(std::iter::successors(Some(hi.next_down()), |rank| Some(rank.next_down())).take(60));
        ranks.extend((1..50).map(|k| lo + 0.5f64.powi(k) * (hi - lo)));
        ranks.extend((1..50).map(|k| hi - 0.5f64.powi(k) * (hi - lo)));
        for rank in ranks.into_iter().filter(|rank| lo < rank && rank < hi) {
            let value = marginal.draw(level, rank);
            assert!(
                set.contains(value),
                "{name}: {value:?} at rank {rank} of {lo} to {hi}"
            );
            assert!(holds(marginal, levels, level, rank));
        }
    }
}

/// Ranks anywhere: those whose draw is in the set lie in an interval, but for what its ends were moved by.
fn check_all_there(
    name: &str,
    marginal: &ColumnMarginal,
    set: &ValueSet,
    levels: &LevelSet,
    rng: &mut ChaCha8Rng,
) {
    let Some((level, _)) = ranked(marginal, levels) else {
        return;
    };
    let mut missed = 0;
    for _ in 0..200 {
        let rank = rng.random::<f64>();
        missed +=
            u32::from(set.contains(marginal.draw(level, rank)) && !holds(marginal, levels, level, rank));
    }
    assert!(
        missed <= 1,
        "{name}: {missed} of 200 draws in the set are outside the intervals"
    );
}

/// The mass of the marginal in a set of ranges, but for values that no level holds.
fn mass(marginal: &ColumnMarginal, set: &ValueSet) -> f64 {
    let mass = |range: NumberRange| {
        let inner = |x: f64, closed: bool, out: f64| match closed {
            true => x,
            false if out > 0.0 => x.next_down(),
            false => x.next_up(),
        };
        marginal.mass(
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
        for (name, marginal) in marginals(seed) {
            let set = drawn_set(marginal, &ranges, complement, missing);
            let levels = marginal.levels_within(&set);
            check_draws(name, marginal, &set, &levels, &mut rng);
            check_all_there(name, marginal, &set, &levels, &mut rng);
            let confined = marginal.within_range_seen(levels);
            check_draws(name, marginal, &set, &confined, &mut rng);
            let (min, max, _) = spread(marginal);
            for (lo, hi) in &confined.ranks {
                for rank in [lo.next_up(), 0.5 * (lo + hi), hi.next_down()] {
                    let x = match marginal.draw(0, rank) {
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
    fn the_share_is_the_mass_of_the_marginal(seed in 0u64..4, ranges in ranges(), complement in any::<bool>()) {
        for (name, marginal) in marginals(seed) {
            let set = drawn_set(marginal, &ranges, complement, false);
            let share = marginal.levels_within(&set).mass(&marginal.level_shares());
            // what the marginal keeps for values never seen has no level
            let seen = match marginal.missing_level() {
                Some(_) => marginal.place(Value::Missing).log_measure.exp(),
                None if marginal.is_continuous() => 1.0 - marginal.place(Value::Missing).log_measure.exp(),
                None => f64::NAN,
            };
            if marginal.is_continuous() {
                // beyond a natural bound lies 1e-6; eight digits round by 1e-8 of a number
                assert_abs_diff_eq!(seen * share, mass(marginal, &set), epsilon = 1e-5);
            } else {
                let all = marginal.levels_within(&ValueSet::known(spread(marginal).2)).mass(&marginal.level_shares());
                let held = marginal.levels_within(&set);
                let shares = marginal.level_shares().into_iter().zip(&held.shares);
                let held: f64 = shares.filter(|(_, held)| **held > 0.0).map(|(share, _)| share).sum();
                assert_abs_diff_eq!(share, held, epsilon = 1e-12);
                prop_assert!(share <= all + 1e-12, "{}", name);
            }
        }
    }

    #[test]
    fn what_a_decoded_table_holds_is_in_the_set_too(seed in 0u64..4, ranges in ranges(), complement in any::<bool>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (name, encoder) in encoders(seed) {
            let marginal = &encoder.marginals()[0];
            let set = drawn_set(marginal, &ranges, complement, false);
            let within = marginal.levels_within(&set);
            let mut drawn = DecodedColumn::default();
            for (level, _) in within.shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
                let ranks = if !(marginal.is_continuous() && level == 0) { vec![0.5] } else { within.ranks.iter().flat_map(|(lo, hi)| {
                    [lo.next_up(), lo + rng.random::<f64>() * (hi - lo), hi.next_down()]
                }).filter(|rank| within.contains(0, Some(*rank))).collect() };
                drawn.levels.extend(vec![level as u32; ranks.len()]);
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
        let marginal = ColumnMarginal::Category(CategoryMarginal::fit(labels.iter().map(|label| Some(label.as_str()))));
        let listed = ValueSet::labels((0..1200).filter(|_| rng.random_bool(chosen)).map(|k| format!("k{k}")));
        let set = if but { listed.complement() } else { listed };
        let levels = marginal.levels_within(&set);
        check_draws("pooled", &marginal, &set, &levels, &mut rng);
        check_all_there("pooled", &marginal, &set, &levels, &mut rng);
        let rows = labels.iter().filter(|label| set.contains(Value::Text(label))).count();
        assert_abs_diff_eq!(levels.mass(&marginal.level_shares()), rows as f64 / labels.len() as f64, epsilon = 1e-9);
    }
}

#[test]
fn everything_is_full_and_nothing_is_empty() {
    for (name, marginal) in marginals(1) {
        let kind = spread(marginal).2;
        assert!(is_full(&marginal.levels_within(&ValueSet::all(kind))), "{name}");
        assert!(marginal.levels_within(&ValueSet::none(kind)).is_empty(), "{name}");
        let missing = marginal.levels_within(&ValueSet::missing(kind));
        assert_eq!(missing.is_empty(), marginal.missing_level().is_none(), "{name}");
        if name.ends_with("above 0") {
            let natural = NumberRange {
                low: 0.0,
                ..NumberRange::ALL
            };
            assert!(
                is_full(&marginal.levels_within(&ValueSet::ranges(kind, [natural]))),
                "{name}"
            );
        }
        // a label is no number
        assert!(
            marginal.levels_within(&ValueSet::labels(["3"])).is_empty(),
            "{name}"
        );
    }
}

#[test]
fn on_a_grid_intervals_end_where_points_do() {
    for (name, marginal) in marginals(2) {
        let ColumnMarginal::Number(numbers) = marginal else {
            continue;
        };
        if !marginal.is_continuous() || numbers.decimals().is_none() {
            continue;
        }
        for rank in [0.03, 0.2, 0.5, 0.77, 0.98] {
            let x = marginal.draw(0, rank);
            let Value::Number(at) = x else { panic!("{x:?}") };
            let place = marginal.place(x);
            let set = ValueSet::ranges(Kind::Decimal, [NumberRange::closed(at, at)]);
            assert_eq!(
                marginal.levels_within(&set).ranks,
                [(place.low, place.high)],
                "{name}"
            );
        }
    }
}

fn words(marginal: &ColumnMarginal, set: &ValueSet) -> Vec<String> {
    marginal.unknown_in(set).iter().map(ToString::to_string).collect()
}

#[test]
fn what_no_row_has_is_named_with_the_nearest() {
    let sex = CategoryMarginal::fit(["Female", "Male", "Male"].into_iter().map(Some));
    let sex = ColumnMarginal::Category(sex);
    assert_eq!(
        words(&sex, &ValueSet::labels(["Femal", "Male"])),
        ["\"Femal\" (did you mean \"Female\"?)"]
    );
    assert_eq!(
        words(&sex, &ValueSet::missing(Kind::Category)),
        ["a missing cell"]
    );
    assert!(words(&sex, &ValueSet::labels(["Male"])).is_empty());
    let flags = ColumnMarginal::Category(CategoryMarginal::fit_booleans(
        [Some(true), Some(true)].into_iter(),
    ));
    assert_eq!(words(&flags, &ValueSet::booleans([false])), ["\"false\""]);
    assert!(words(&flags, &ValueSet::booleans([true])).is_empty());

    let numbers = |text: &str| ef_tabular::Condition::parse(text).unwrap();
    let rooms: Vec<f64> = (0..60).map(|k| f64::from(k % 5)).collect();
    let table = ColumnData::Decimal(rooms.iter().copied().map(Some).collect());
    let schema = Table::from_columns(vec![("rooms".to_owned(), table)])
        .unwrap()
        .schema();
    let rooms = ColumnMarginal::fit_numbers(&rooms, None).unwrap();
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

    for (name, marginal) in marginals(3) {
        let kind = spread(marginal).2;
        assert!(words(marginal, &ValueSet::known(kind)).is_empty(), "{name}");
        let half = ValueSet::ranges(kind, [NumberRange::closed(1000.25, 1000.25)]);
        let off = name.starts_with("whole") || *name == "heaped";
        assert!(
            !off || words(marginal, &half) == ["1000.25 (the nearest are 1000 and 1001)"],
            "{name}"
        );
        let dense = name.starts_with("density") && !name.contains("far");
        assert!(!dense || words(marginal, &half).is_empty(), "{name}");
    }
}
