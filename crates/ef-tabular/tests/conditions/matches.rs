//! What conditions mean on tables.

use ef_tabular::condition::column;
use ef_tabular::{Condition, ConditionError, Date, Table};
use proptest::prelude::*;

use crate::drawn;

proptest! {
    #[test]
    fn a_row_matches_where_three_valued_logic_says_true(expression in drawn::expression(), table in drawn::table()) {
        let matches = expression.condition().matches(&table).unwrap();
        for (row, matched) in matches.iter().enumerate() {
            prop_assert_eq!(*matched, expression.truth(&table, row) == Some(true), "row {}", row);
        }
    }
}

fn people() -> Table {
    let text = "sex,age,born,income,vip,code\n\
                Female,34,1990-05-01,<=50K,true,007\n\
                Male,,1971-12-31,>50K,false,30\n\
                ,61,,<=50K,,30.0\n";
    ef_io::read_csv_from(text.as_bytes(), "people.csv").unwrap()
}

fn matches(text: &str) -> Vec<bool> {
    Condition::parse(text).unwrap().matches(&people()).unwrap()
}

#[test]
fn a_literal_is_read_by_the_kind_of_its_column() {
    assert_eq!(matches("age = 34.0"), [true, false, false]);
    assert_eq!(matches("age = '34'"), [true, false, false]);
    assert_eq!(matches("code = 30"), [false, true, false]);
    assert_eq!(matches("code = 007"), [true, false, false]);
    assert_eq!(matches("born < 1980-01-01"), [false, true, false]);
    assert_eq!(
        matches("born in ('1990-05-01', 1990-05-02)"),
        [true, false, false]
    );
    assert_eq!(matches("vip = TRUE"), [true, false, false]);
    let typed = column("code").equals(30).or(column("vip").equals(true));
    assert_eq!(typed.matches(&people()).unwrap(), [true, true, false]);
    let born = Date::from_year_month_day(1971, 12, 31).unwrap();
    let typed = column("born").at_most(born);
    assert_eq!(typed.matches(&people()).unwrap(), [false, true, false]);
}

#[test]
fn a_missing_cell_meets_only_is_missing() {
    assert_eq!(matches("age > 40"), [false, false, true]);
    assert_eq!(matches("not age > 40"), [true, false, false]);
    assert_eq!(matches("sex not in (Male)"), [true, false, false]);
    assert_eq!(matches("age is missing"), [false, true, false]);
    assert_eq!(matches("not age is missing"), [true, false, true]);
    assert_eq!(matches("age is known and born is not null"), [true, false, false]);
    assert_eq!(matches("()"), [true; 3]);
    assert_eq!(matches("not ()"), [false; 3]);
}

fn refused(text: &str) -> String {
    Condition::parse(text)
        .unwrap()
        .matches(&people())
        .unwrap_err()
        .to_string()
}

#[test]
fn what_does_not_fit_a_column_is_refused_with_the_way_out() {
    assert_eq!(
        refused("Sexx = Female"),
        "there is no column \"Sexx\" (did you mean \"sex\"?); the columns are: sex, age, born, income, vip, code"
    );
    assert_eq!(
        refused("age = old"),
        "column \"age\" holds numbers, and \"old\" is none; write digits and a decimal point, such as 3.5"
    );
    for text in ["age = inf", "age < nan", "age in (1, 2, 1e999)", "age = 1,5"] {
        let error = Condition::parse(text).and_then(|condition| condition.matches(&people()));
        assert!(error.is_err(), "{text}");
    }
    assert_eq!(
        refused("born = 31.12.1971"),
        "column \"born\" holds dates, and \"31.12.1971\" is none; write YYYY-MM-DD, such as 2024-01-31"
    );
    assert_eq!(
        refused("vip = yes"),
        "column \"vip\" holds true and false, and \"yes\" is none; write true or false"
    );
    assert_eq!(
        refused("sex < Male"),
        "column \"sex\" holds labels, which have no order; use =, != or in, as in sex in (a, b)"
    );
    assert_eq!(
        refused("age < `born`"),
        "columns \"age\" and \"born\" cannot be compared: one holds numbers, the other dates"
    );
    assert!(matches!(
        Condition::parse("sex < column income")
            .unwrap()
            .matches(&people()),
        Err(ConditionError::NoOrder { .. })
    ));
    // also where nothing is left to compare
    assert!(
        Condition::parse("not () and agee = 3")
            .unwrap()
            .matches(&people())
            .is_err()
    );
}
