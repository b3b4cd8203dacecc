//! Batches of other makers: what is taken, what is refused.

use std::collections::HashMap;
use std::sync::Arc;

use approx::assert_relative_eq;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date64Array, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array,
    LargeStringArray, NullArray, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{Field, Schema as ArrowSchema};
use ef_tabular::{Kind, Table, TableError, Value};

fn batch(name: &str, array: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, array)]).unwrap()
}

fn take(array: impl arrow_array::Array + 'static) -> Result<Table, TableError> {
    Table::from_record_batch(&batch("c", Arc::new(array)))
}

#[test]
fn usual_types_become_ours() {
    let dictionary: DictionaryArray<Int32Type> = [Some("x"), None].into_iter().collect();
    let cases: [(Table, Kind, Value<'_>); 9] = [
        (
            take(StringArray::from(vec![Some("x"), None])).unwrap(),
            Kind::Category,
            Value::Text("x"),
        ),
        (
            take(LargeStringArray::from(vec![Some("x"), None])).unwrap(),
            Kind::Category,
            Value::Text("x"),
        ),
        (take(dictionary).unwrap(), Kind::Category, Value::Text("x")),
        (
            take(Int8Array::from(vec![Some(-3), None])).unwrap(),
            Kind::Integer,
            Value::Number(-3.0),
        ),
        (
            take(UInt64Array::from(vec![Some(3), None])).unwrap(),
            Kind::Integer,
            Value::Number(3.0),
        ),
        (
            take(Float64Array::from(vec![Some(0.5), Some(f64::NAN)])).unwrap(),
            Kind::Decimal,
            Value::Number(0.5),
        ),
        (
            take(Float32Array::from(vec![Some(0.1), None])).unwrap(),
            Kind::Decimal,
            Value::Number(0.1),
        ),
        (
            take(BooleanArray::from(vec![Some(true), None])).unwrap(),
            Kind::Boolean,
            Value::Boolean(true),
        ),
        (take(NullArray::new(2)).unwrap(), Kind::Category, Value::Missing),
    ];
    for (table, kind, first) in cases {
        assert_eq!(table.schema().columns[0].kind, kind);
        assert_eq!((table.value(0, 0), table.value(1, 0)), (first, Value::Missing));
        assert_eq!(Table::from_record_batch(table.record_batch()).unwrap(), table);
    }
}

#[test]
fn slices_of_a_batch_are_taken_from_where_they_start() {
    let dictionary: DictionaryArray<Int32Type> = ["a", "b", "a", "c"].into_iter().collect();
    let table = Table::from_record_batch(&batch("c", Arc::new(dictionary)).slice(1, 3)).unwrap();
    let texts: Vec<Value<'_>> = (0..3).map(|row| table.value(row, 0)).collect();
    assert_eq!(texts, [Value::Text("b"), Value::Text("a"), Value::Text("c")]);
    let numbers =
        Table::from_record_batch(&batch("n", Arc::new(Int64Array::from(vec![1, 2, 3]))).slice(2, 1));
    assert_relative_eq!(numbers.unwrap().numbers("n").unwrap().unwrap()[0], 3.0);
}

#[test]
fn others_are_refused_with_a_way_out() {
    let error = take(Date64Array::from(vec![1])).unwrap_err().to_string();
    assert!(
        error.starts_with("column \"c\" has the Arrow type Date64; cast it to text"),
        "{error}"
    );
    let error = take(Int64Array::from(vec![1, 1 << 53])).unwrap_err().to_string();
    assert!(
        error.starts_with("row 1 (counting from 0), column \"c\": 9007199254740992 is beyond 2^53"),
        "{error}"
    );
    let error = take(UInt64Array::from(vec![u64::MAX])).unwrap_err().to_string();
    assert!(error.contains("hand such identifiers over as text"), "{error}");
    let error = take(Float64Array::from(vec![0.0, f64::NEG_INFINITY]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("row 1") && error.contains("is not a finite number"),
        "{error}"
    );
    let error = Table::from_record_batch(&batch("", Arc::new(Int64Array::from(vec![1])))).unwrap_err();
    assert!(matches!(error, TableError::EmptyColumnName { position: 1, .. }));
}

#[test]
fn how_cells_were_written_travels_with_the_batch() {
    let text = "x,flag\n1.50,TRUE\n?,FALSE\n2.25,?\n";
    let table = ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap();
    let again = Table::from_record_batch(table.record_batch()).unwrap();
    let mut out = Vec::new();
    ef_io::write_csv_to(&again, &mut out).unwrap();
    assert_eq!(out, text.as_bytes());
}

/// Batches that were saved when the keys began with `echoflow.` come back as they were written.
#[test]
fn the_metadata_of_older_batches_is_read() {
    let text = "x,flag\n1.50,TRUE\n?,FALSE\n2.25,?\n";
    let table = ef_io::read_csv_from(text.as_bytes(), "t.csv").unwrap();
    let batch = table.record_batch();
    let fields: Vec<Field> = batch
        .schema_ref()
        .fields()
        .iter()
        .map(|field| {
            let metadata = field.metadata().iter();
            let old = metadata.map(|(key, value)| (key.replace("ef_tabular.", "echoflow."), value.clone()));
            let old: HashMap<String, String> = old.collect();
            assert!(!old.is_empty() && old.keys().all(|key| key.starts_with("echoflow.")));
            field.as_ref().clone().with_metadata(old)
        })
        .collect();
    let old = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), batch.columns().to_vec()).unwrap();
    let mut out = Vec::new();
    ef_io::write_csv_to(&Table::from_record_batch(&old).unwrap(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), text);
}
