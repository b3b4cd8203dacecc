//! Tables in memory: what columns of texts are, columns by name, and tables brought to a schema.

use approx::assert_relative_eq;
use ef_io::IoError;
use ef_tabular::{
    BooleanSpelling, ColumnData, Kind, NumberFormat, Schema, Table, TableError, TextRows, Value,
};

fn read(text: &str) -> Result<Table, IoError> {
    ef_io::read_csv_from(text.as_bytes(), "t.csv")
}

fn named(text: &str, name: &str) -> Table {
    ef_io::read_csv_from(text.as_bytes(), name).unwrap()
}

fn written(table: &Table) -> String {
    let mut out = Vec::new();
    ef_io::write_csv_to(table, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn schema(text: &str) -> Schema {
    read(text).unwrap().schema()
}

fn read_as(text: &str, schema: &Schema) -> Result<Table, IoError> {
    Ok(schema.conform(&ef_io::read_csv_from_like(text.as_bytes(), "s.csv", schema)?)?)
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

#[test]
fn scoring_finds_columns_by_name_and_keeps_labels() {
    let known = schema("code,size,n,flag\n007,1.5,1,true\n1,2.5,2,false\n");
    let table = read_as(
        "extra,flag,n,size,code\nodd,TRUE,3,3,01\n7,false,4.0,4.25,1.0\n",
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
fn taken_rows_keep_their_texts_and_lines() {
    let text = "n,word,day,flag\n1,a,2020-01-02,true\n\n2.50,?,?,false\n 3,\"c,d\",2021-05-06,?\n";
    let table = named(text, "t.csv");
    let taken = table.slice(1, 2).take(&[1, 0, 1]).unwrap();
    let (second, third) = ("2.50,?,?,false", " 3,\"c,d\",2021-05-06,?");
    assert_eq!(
        written(&taken),
        format!("n,word,day,flag\n{third}\n{second}\n{third}\n")
    );
    assert_eq!(taken.location(0).to_string(), "t.csv, line 5");
    assert_eq!(taken.location(1).to_string(), "t.csv, line 4");
    assert_eq!(written(&table.take(&[]).unwrap()), "n,word,day,flag\n");
    assert!(table.take(&[3]).is_err());
}

#[test]
fn rows_of_several_tables_are_one_table() {
    let (one, two) = (named("a,b\n1,x\n2,y\n", "one"), named("b,a\nz,0.5\n", "two"));
    let both = Table::interleave(&[&one, &two], &[(0, 1), (1, 0), (0, 0)]).unwrap();
    assert_eq!(written(&both), "a,b\n2,y\n0.5,z\n1,x\n");
    assert_eq!(both.numbers("a").unwrap(), Some(vec![2.0, 0.5, 1.0]));
    let three = named("b,a\n1,x\n", "three");
    assert!(Table::interleave(&[&one, &three], &[(0, 0), (1, 0)]).is_err());
    assert!(Table::interleave(&[&one], &[(1, 0)]).is_err());
    assert!(Table::interleave(&[], &[]).is_err());
}

#[test]
fn rows_of_texts_are_checked_and_know_their_lines() {
    let refused = TextRows::new("t", ["a", "a"]).unwrap_err();
    assert!(matches!(refused, TableError::DuplicateColumn { .. }));
    let mut rows = TextRows::new("t", ["a", "b"]).unwrap();
    rows.push(2, &["1", "x"]).unwrap();
    let refused = rows.push(3, &["1"]).unwrap_err().to_string();
    assert!(
        refused.starts_with("t, line 3: the row has 1 cell, the table 2"),
        "{refused}"
    );
    rows.push(7, &["2.0", "y"]).unwrap();
    let table = rows.into_table().unwrap();
    assert_eq!(
        (table.location(0).line, table.location(1).line),
        (Some(2), Some(7))
    );
    let mut cell = String::new();
    let texts = table.cell_texts();
    texts.write(1, 0, &mut cell);
    texts.write(2, 0, &mut cell);
    texts.write(0, 2, &mut cell);
    assert_eq!(cell, "2.0");
}
