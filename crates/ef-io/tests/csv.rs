//! Files in and out: every error by line and column, every byte back.

use ef_io::IoError;
use ef_tabular::{Kind, Table, Value};
use proptest::prelude::*;

fn read(text: &str) -> Result<Table, IoError> {
    ef_io::read_csv_from(text.as_bytes(), "t.csv")
}

fn written(table: &Table) -> String {
    let mut out = Vec::new();
    ef_io::write_csv_to(table, &mut out).unwrap();
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
    let error = ef_io::read_csv_from(&b"a,b\n1,2\n3,\xff\n"[..], "t.csv")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("t.csv, line 3: the text is not UTF-8"),
        "{error}"
    );
    let error = ef_io::read_csv("no/such/file.csv").unwrap_err().to_string();
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
fn files_are_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let table = read("a\n1\n").unwrap();
    ef_io::write_csv(&table, &path).unwrap();
    ef_io::write_csv(&table, &path).unwrap();
    assert_eq!(ef_io::read_csv(&path).unwrap(), table);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("none/out.csv");
    assert_eq!(
        ef_io::write_csv(&table, &nowhere).unwrap_err().to_string(),
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
    ef_io::write_csv(&read("a\n1\n").unwrap(), &link).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
    assert!(link.is_symlink());

    // A link to a device, so that a failure of this test cannot harm the machine it runs on.
    let full = folder.path().join("full.csv");
    symlink("/dev/full", &full).unwrap();
    let error = ef_io::write_csv(&read("a\n1\n").unwrap(), &full).unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert!(std::fs::metadata(&full).unwrap().file_type().is_char_device());
    assert!(full.is_symlink());
    ef_files::check_writable(&full).unwrap();
    assert!(ef_files::check_writable(folder.path()).is_err());
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
        let _ = ef_io::read_csv_from(bytes.as_slice(), "bytes");
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
