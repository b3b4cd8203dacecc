//! Files in and out: every error by line and column, every byte back.

use approx::assert_relative_eq;
use ef_tabular::{BooleanSpelling, ColumnData, Kind, NumberFormat, Schema, Table, TableError, Value};
use proptest::prelude::*;

fn read(text: &str) -> Result<Table, TableError> {
    Table::from_csv_reader(text.as_bytes(), "t.csv")
}

fn written(table: &Table) -> String {
    let mut out = Vec::new();
    table.to_csv_writer(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refusal(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

#[test]
fn every_error_names_its_place() {
    let cases = [
        ("", "t.csv is empty"),
        ("\u{feff}\n\n", "t.csv is empty"),
        (
            "a,b\n1,2\n3\n",
            "t.csv, line 3: the row has 1 field, the header 2;",
        ),
        ("a,b\r\n1,2,3\r\n", "t.csv, line 2: the row has 3 fields"),
        ("a,b\n\"x\ny\",2\n\n\n1\n", "t.csv, line 6: the row has 1 field"),
        ("a,b,a\n", "t.csv: two columns are named \"a\""),
        ("a,,b\n", "t.csv: column 2 of the header has no name"),
        ("a, \n", "t.csv: column 2 of the header has no name"),
        (
            "a,b\n1,2\n3,\"4\n5,6\n",
            "t.csv, line 3: the quote opened here is never closed",
        ),
        (
            "a,b\n\"1\n2\",\"3\n",
            "t.csv, line 3: the quote opened here is never closed",
        ),
        (
            "a,b\n1,2\n3,inf\n",
            "t.csv, line 3, column \"b\": \"inf\" is not a finite number",
        ),
        (
            "b\n1\n\n-Infinity\n",
            "t.csv, line 4, column \"b\": \"-Infinity\"",
        ),
        (
            "a,b\n\"x\n\",1\ny,1e999\n",
            "t.csv, line 4, column \"b\": \"1e999\"",
        ),
    ];
    for (text, message) in cases {
        let refused = refusal(text);
        assert!(refused.starts_with(message), "{text:?}: {refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
    let error = Table::from_csv_reader(&b"a,b\n1,2\n3,\xff\n"[..], "t.csv")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("t.csv, line 3: the text is not UTF-8"),
        "{error}"
    );
    let error = Table::read_csv("no/such/file.csv").unwrap_err().to_string();
    assert!(error.starts_with("cannot read no/such/file.csv"), "{error}");
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let table = read("a,b\n").unwrap();
    assert_eq!((table.num_rows(), table.num_columns()), (0, 2));
    assert_eq!(table.schema().columns[0].kind, Kind::Category);
    assert_eq!(written(&table), "a,b\n");
}

#[test]
fn kinds_and_formats() {
    use Kind::{Boolean, Category, Decimal, Integer};
    let shortest = |min_decimals| NumberFormat::Shortest { min_decimals };
    let cases: [(&[&str], Kind, NumberFormat); 18] = [
        (&["1", "-2", "?"], Integer, NumberFormat::Integer),
        (&["1.50", "-2.25"], Decimal, NumberFormat::Fixed(2)),
        (&["22.0", "4.1518"], Decimal, shortest(1)),
        (&["22", "4.1518"], Decimal, shortest(0)),
        (&["1e-05", "0.5"], Decimal, shortest(1)),
        (&["0", "-0.5"], Decimal, shortest(0)),
        (&["007", "12"], Category, shortest(0)),
        (&["+5", "12"], Category, shortest(0)),
        (&["9007199254740993", "1"], Category, shortest(0)),
        (&["9007199254740991", "1"], Integer, NumberFormat::Integer),
        (&["inf", "-inf"], Category, shortest(0)),
        (&["inf", "x", "3"], Category, shortest(0)),
        (&["true", "false", ""], Boolean, shortest(0)),
        (&["True", "True"], Boolean, shortest(0)),
        (&["true", "False"], Category, shortest(0)),
        (&["true", "1"], Category, shortest(0)),
        (&["NA", "", "nan"], Category, shortest(0)),
        (&["N/A", "NULL", "3"], Integer, NumberFormat::Integer),
    ];
    for (cells, kind, format) in cases {
        let text = format!(
            "x,y\n{}\n",
            cells
                .iter()
                .map(|cell| format!("{cell},0"))
                .collect::<Vec<_>>()
                .join("\n")
        );
        let column = read(&text).unwrap().schema().columns[0].clone();
        assert_eq!((column.kind, column.format), (kind, format), "{cells:?}");
    }
    let upper = read("x\nTRUE\nFALSE\n").unwrap();
    assert_eq!(upper.schema().columns[0].boolean, BooleanSpelling::Upper);
    assert_eq!(written(&upper), "x\nTRUE\nFALSE\n");
}

#[test]
fn tables_come_out_as_they_went_in() {
    for text in [
        "a,b\n1,x\n2,\"a,b\"\n",
        "a\n\"line\none\"\n\"say \"\"no\"\"\"\n",
        "n,m\n1.0,NA\n01.50,NA\n",
        "n\n1\n1.0\n1.50\n",
        "n,m\n -1,a\n2 ,\n",
        "n\n-0\n3\n",
        "n,m\n1E5,null\n2.5e-3,null\n",
        "\u{e4}\u{f6},\u{65e5}\u{672c}\n\u{20ac}, spaces \n",
        "a,b\n?,?\n?,?\n",
        "a,b\n1,\n,\n",
    ] {
        assert_eq!(written(&read(text).unwrap()), text);
    }
    assert_eq!(written(&read("\u{feff}a,b\r\n1,2\r\n").unwrap()), "a,b\n1,2\n");
}

#[test]
fn missing_cells_are_written_with_the_commonest_marker() {
    let table = read("a,b\nNA,1\n?,2\n?,3\n7, NULL \n").unwrap();
    assert_eq!(written(&table), "a,b\n?,1\n?,2\n?,3\n7,NULL\n");
    assert_eq!(table.value(0, 0), Value::Missing);
}

#[test]
fn a_blank_line_is_a_missing_cell_only_in_one_column() {
    assert_eq!(read("a\n1\n\n2\n\n").unwrap().num_rows(), 4);
    assert_eq!(read("a,b\n1,2\n\n3,4\n\n").unwrap().num_rows(), 2);
}

#[test]
fn columns_by_name() {
    let table = read("a,b,c\n1,x,2.5\n3,y,0.5\n").unwrap();
    assert_eq!(table.select(&["c", "a"]).unwrap().column_names(), ["c", "a"]);
    assert_eq!(table.drop(&["b"]).unwrap().column_names(), ["a", "c"]);
    assert_eq!(table.slice(1, 9).value(0, 1), Value::Text("y"));
    assert_eq!(table.slice(1, 1).location(0).line, Some(3));
    let scored = table.with_column("score", &[0.25, f64::NAN]).unwrap();
    assert_eq!(written(&scored), "a,b,c,score\n1,x,2.5,0.25\n3,y,0.5,\n");
    assert!(matches!(
        table.with_column("a", &[0.0, 0.0]),
        Err(TableError::ColumnExists { .. })
    ));
    assert!(matches!(
        table.with_column("d", &[0.0]),
        Err(TableError::LengthMismatch { .. })
    ));
    let error = table.select(&["d"]).unwrap_err().to_string();
    assert_eq!(error, "t.csv has no column \"d\"; its columns are: a, b, c");
    assert_relative_eq!(table.numbers("c").unwrap().unwrap()[0], 2.5);
    assert_eq!(table.numbers("b").unwrap(), None);
}

#[test]
fn a_column_dropped_and_added_again_has_its_new_values() {
    let table = read("a,b\n1.0,1\n1,2\n").unwrap();
    let again = table.drop(&["a"]).unwrap().with_column("a", &[5.0, 6.0]).unwrap();
    assert_eq!(written(&again), "b,a\n1,5\n2,6\n");
}

#[test]
fn tables_side_by_side_keep_how_cells_were_written() {
    let left = read("a,b\n1.0,NA\n1,2.50\n").unwrap();
    let right = read("b,c,d\n7,1e3,TRUE\n8,1000,FALSE\n").unwrap();
    let joined = left.join(&right, &["d", "c", "b", "a"]).unwrap();
    assert_eq!(written(&joined), "d,c,b,a\nTRUE,1e3,NA,1.0\nFALSE,1000,2.50,1\n");
    let error = left.join(&right, &["e"]).unwrap_err().to_string();
    assert_eq!(error, "t.csv has no column \"e\"; its columns are: b, c, d");
    let error = left.join(&right.slice(0, 1), &["a"]).unwrap_err().to_string();
    assert_eq!(error, "column \"b\" has 1 values where 2 are needed");
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let table = read("a\n1\n").unwrap();
    table.write_csv(&path).unwrap();
    table.write_csv(&path).unwrap();
    assert_eq!(Table::read_csv(&path).unwrap(), table);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("none/out.csv");
    assert_eq!(
        table.write_csv(&nowhere).unwrap_err().to_string(),
        format!(
            "cannot write {}: No such file or directory (os error 2); check that the folder exists, may be written and \
             has room",
            nowhere.display()
        )
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_devices_stay_what_they_are() {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("out.csv"), folder.path().join("link.csv"));
    std::fs::write(&path, "old").unwrap();
    symlink(&path, &link).unwrap();
    read("a\n1\n").unwrap().write_csv(&link).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
    assert!(link.is_symlink());

    // A link to a device, so that a failure of this test cannot harm the machine it runs on.
    let full = folder.path().join("full.csv");
    symlink("/dev/full", &full).unwrap();
    let error = read("a\n1\n").unwrap().write_csv(&full).unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert!(std::fs::metadata(&full).unwrap().file_type().is_char_device());
    assert!(full.is_symlink());
    ef_tabular::check_writable(&full).unwrap();
    assert!(ef_tabular::check_writable(folder.path()).is_err());
}

fn schema(text: &str) -> Schema {
    read(text).unwrap().schema()
}

fn read_as(text: &str, schema: &Schema) -> Result<Table, TableError> {
    Table::from_csv_reader_as(text.as_bytes(), "s.csv", schema)
}

#[test]
fn scoring_finds_columns_by_name_and_keeps_labels() {
    let known = schema("code,size,n,flag\n007,1.5,1,true\n1,2.5,2,false\n");
    let table = read_as(
        "extra,flag,n,size,code\ninf,TRUE,3,3,01\n7,false,4.0,4.25,1.0\n",
        &known,
    )
    .unwrap();
    assert_eq!(table.column_names(), ["code", "size", "n", "flag"]);
    assert_eq!(table.value(0, 0), Value::Text("01"));
    assert_eq!(table.value(1, 0), Value::Text("1.0"));
    assert_eq!(table.value(0, 1), Value::Number(3.0));
    assert_eq!(table.value(1, 2), Value::Number(4.0));
    assert_eq!(table.value(0, 3), Value::Boolean(true));
    // the same for a table that was read before its schema was known
    let blind = known
        .conform(&read("flag,n,size,code\ntrue,3,3,1\nfalse,4.0,4.25,1.0\n").unwrap())
        .unwrap();
    assert_eq!(
        (blind.value(0, 0), blind.value(1, 0)),
        (Value::Text("1"), Value::Text("1.0"))
    );
}

#[test]
fn scoring_errors_name_line_column_and_text() {
    let known = schema("a,b\n1.5,true\n2.5,false\n");
    let cases = [
        ("a\n1\n", "s.csv has no column \"b\"; its columns are: a"),
        (
            "b,a\ntrue,1\n\ntrue,oops\n",
            "s.csv, line 4, column \"a\": \"oops\" is not a number",
        ),
        (
            "b,a\n\"true\",007\n",
            "s.csv, line 2, column \"a\": \"007\" is not a number",
        ),
        (
            "b,a\ntrue,true\n",
            "s.csv, line 2, column \"a\": \"true\" is not a number",
        ),
        (
            "b,a\ntrue,1\nmaybe,1\n",
            "s.csv, line 3, column \"b\": \"maybe\" is neither true nor false",
        ),
        (
            "b,a\ntrue,1\ntrue,inf\n",
            "s.csv, line 3, column \"a\": \"inf\" is not a finite number",
        ),
    ];
    for (text, message) in cases {
        let refused = read_as(text, &known).unwrap_err().to_string();
        assert!(refused.starts_with(message), "{refused}");
    }
    // a slice still knows its lines
    let table = read("a,b\n1,true\nx,true\ny,true\n").unwrap().slice(2, 1);
    let refused = known.conform(&table).unwrap_err().to_string();
    assert!(
        refused.starts_with("t.csv, line 4, column \"a\": \"y\""),
        "{refused}"
    );
    // in memory there are rows, not lines
    let table = Table::from_columns(vec![
        ("a".into(), ColumnData::Text(vec![Some("z".into())])),
        ("b".into(), ColumnData::Boolean(vec![None])),
    ]);
    let refused = known.conform(&table.unwrap()).unwrap_err().to_string();
    assert!(
        refused.starts_with("row 0 (counting from 0), column \"a\": \"z\""),
        "{refused}"
    );
}

#[test]
fn tables_from_columns() {
    let table = Table::from_columns(vec![
        ("t".into(), ColumnData::Text(vec![Some("x".into()), None])),
        ("i".into(), ColumnData::Integer(vec![Some(3), None])),
        ("d".into(), ColumnData::Decimal(vec![Some(0.1), Some(f64::NAN)])),
        ("b".into(), ColumnData::Boolean(vec![None, Some(true)])),
    ])
    .unwrap();
    assert_eq!(written(&table), "t,i,d,b\nx,3,0.1,\n,,,true\n");
    let uneven = vec![
        ("a".into(), ColumnData::Integer(vec![])),
        ("b".into(), ColumnData::Integer(vec![None])),
    ];
    assert!(matches!(
        Table::from_columns(uneven),
        Err(TableError::LengthMismatch { .. })
    ));
    let infinite = vec![("a".into(), ColumnData::Decimal(vec![Some(f64::INFINITY)]))];
    assert!(matches!(
        Table::from_columns(infinite),
        Err(TableError::NotFinite { .. })
    ));
    let large = vec![("a".into(), ColumnData::Integer(vec![Some(1 << 53)]))];
    assert!(matches!(
        Table::from_columns(large),
        Err(TableError::IntegerTooLarge { .. })
    ));
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \",\n\r\u{e9}\u{1f600}]{1,8}",
        any::<i32>().prop_map(|x| x.to_string()),
        (any::<i32>(), 1u32..5).prop_map(|(x, k)| format!("{:.*}", k as usize, f64::from(x) / 1000.0)),
        (-9999i32..9999)
            .prop_filter_map("a day", ef_tabular::Date::from_day_number)
            .prop_map(|date| date.to_string()),
        Just("NA".to_owned()),
        Just("true".to_owned()),
    ]
}

proptest! {
    /// Whatever the kinds turn out to be, the bytes come back; cells that trim to a marker are the known exception.
    #[test]
    fn bytes_round_trip(rows in prop::collection::vec(prop::collection::vec(cell(), 3), 1..20)) {
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|cell| if cell.trim().is_empty() { "NA".to_owned() } else { cell }).collect())
            .collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b\nc", "d\"e"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let table = read(&text).unwrap();
        prop_assert_eq!(table.num_rows(), rows.len());
        prop_assert_eq!(&written(&table), &text);
        prop_assert_eq!(read(&written(&table)).unwrap(), table);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Table::from_csv_reader(bytes.as_slice(), "bytes");
    }

    #[test]
    fn no_text_breaks_the_reader(text in "[0-9a,\"\n\r.eE+-]{0,60}") {
        if let Ok(table) = read(&text) {
            let known = table.schema();
            prop_assert_eq!(known.conform(&table).unwrap().num_rows(), table.num_rows());
            prop_assert_eq!(read(&written(&table)).unwrap().num_rows(), table.num_rows());
        }
    }
}
