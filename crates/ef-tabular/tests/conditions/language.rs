//! Conditions as text.

use ef_tabular::condition::column;
use ef_tabular::{Condition, ConditionError};
use proptest::prelude::*;

use crate::drawn;

proptest! {
    #[test]
    fn a_written_condition_reads_back_as_the_same(expression in drawn::expression()) {
        let condition = expression.condition();
        let text = condition.to_string();
        prop_assert_eq!(Condition::parse(&text).unwrap(), condition, "{}", text);
    }

    #[test]
    fn any_name_and_any_value_read_back(name in "(?s).*", value in "(?s).*", other in "(?s).*") {
        let condition = column(name.as_str())
            .equals(value.as_str())
            .or(!column(other.as_str()).at_most_column(name.as_str()));
        let text = condition.to_string();
        prop_assert_eq!(Condition::parse(&text).unwrap(), condition, "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(?s).*") {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_heap_of_words_and_signs_is_read_or_refused(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "age", "30", "not", "and", "or", "(", ")", "in", "between", "is", "missing", "null", "known", "column",
                "=", "==", "!=", "<>", "<", "<=", ">", ">=", "!", ",", "'a b'", "\"\"", "`x`", "'", "&", "-5", "\u{201c}",
            ]),
            0..30,
        )
    ) {
        match Condition::parse(&words.join(" ")) {
            Ok(condition) => prop_assert_eq!(Condition::parse(&condition.to_string()).unwrap(), condition),
            Err(ConditionError::Syntax { text, at, .. }) => prop_assert!(at <= text.chars().count()),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

fn parse(text: &str) -> Condition {
    Condition::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn texts_are_the_conditions_they_say() {
    let cases = [
        ("sex = Female", column("sex").equals("Female")),
        ("sex==Female", column("sex").equals("Female")),
        ("age between 30 and 40", column("age").between(30, 40)),
        ("age NOT Between 30 AND 40", !column("age").between(30, 40)),
        ("income != \"<=50K\"", column("income").differs_from("<=50K")),
        ("income <> '<=50K'", column("income").differs_from("<=50K")),
        (
            "education in (Bachelors, \"Some-college\")",
            column("education").one_of(["Bachelors", "Some-college"]),
        ),
        (
            "education not in (Bachelors)",
            column("education").none_of(["Bachelors"]),
        ),
        ("hours-per-week>=50", column("hours-per-week").at_least(50)),
        ("x<-5", column("x").less_than(-5)),
        ("x \u{2264} 5", column("x").at_most(5)),
        ("occupation is missing", column("occupation").is_missing()),
        ("occupation IS NOT NULL", column("occupation").is_known()),
        ("occupation is known", column("occupation").is_known()),
        ("native country = US", column("native country").equals("US")),
        (
            "\"column with spaces\" = 'O''Brien'",
            column("column with spaces").equals("O'Brien"),
        ),
        ("`is` = \"in\"", column("is").equals("in")),
        ("day >= 2024-01-31", column("day").at_least("2024-01-31")),
        ("gain > `loss`", column("gain").more_than_column("loss")),
        ("gain > column loss", column("gain").more_than_column("loss")),
        ("gain > loss", column("gain").more_than("loss")),
        ("a = 1 or b = 2 and c = 3", {
            column("a")
                .equals(1)
                .or(column("b").equals(2).and(column("c").equals(3)))
        }),
        ("(a = 1 or b = 2) and c = 3", {
            column("a")
                .equals(1)
                .or(column("b").equals(2))
                .and(column("c").equals(3))
        }),
        ("not (a = 1 and not b = 2)", {
            column("a").differs_from(1).or(column("b").equals(2))
        }),
        ("not not a = 1", column("a").equals(1)),
    ];
    for (text, condition) in cases {
        assert_eq!(parse(text), condition, "{text}");
    }
}

#[test]
fn a_refusal_says_where_what_was_expected_and_shows_it() {
    let message = |text: &str| Condition::parse(text).unwrap_err().to_string();
    assert_eq!(
        message("age >="),
        "at character 7 of the condition: expected a value, such as 30 or \"Some-college\", found the end\n  age >=\n        ^"
    );
    let cases = [
        ("", "the name of a column"),
        ("age", "=, !=, <, <=, >, >=, in, between or is"),
        ("sex = Female age > 3", "one of several words is in quotes"),
        ("age > 3 & b", "write and"),
        ("age > 3 | b", "write or"),
        ("age => 3", "the sign = comes last"),
        ("!age = 3", "write != or not"),
        ("age between 3 or 4", "expected and"),
        ("age in 3", "a list in parentheses"),
        ("age in (3, 4", "the closing \")\""),
        ("(age = 3", "the closing \")\""),
        ("age = 3)", "and, or, or the end"),
        ("age = missing", "is missing"),
        ("age = in", "a keyword in quotes"),
        ("age is 3", "equality is ="),
        ("sex = 'Female", "never closed"),
        ("name = O'Brien", "middle of a word"),
        ("sex = \u{201c}Female\u{201d}", "quotation mark"),
        ("a;b = 3", "needs quotes"),
        ("30 <= age < 40", "and, or, or the end"),
    ];
    for (text, part) in cases {
        let message = message(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_refused() {
    let nested = |deep: usize| format!("{}a = 1{}", "(".repeat(deep), ")".repeat(deep));
    assert_eq!(parse(&nested(64)), column("a").equals(1));
    assert!(Condition::parse(&nested(65)).is_err());
    assert!(Condition::parse(&"(".repeat(60_000)).is_err());
    assert_eq!(
        parse(&format!("{}a = 1", "not ".repeat(10_000))),
        column("a").equals(1)
    );
    let long = "a = 1 or ".repeat(10_000) + "a = 1";
    assert!(matches!(
        Condition::parse(&long),
        Err(ConditionError::TooLong { length: 90_005, .. })
    ));
}
