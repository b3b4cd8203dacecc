//! The table's edge: CSV in, marginals, encoding, decoding, CSV out; on the demo table of loans, which has every kind
//! of column. Figures are rows a second, or bytes where a file is read or written.

mod clock;

use std::hint::black_box;

use clock::{CpuTime, criterion};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use echoflow::demo::Demo;
use ef_tabular::{DecodedColumn, EncoderOptions, TableEncoder};

const ROWS: usize = 20_000;

fn table(c: &mut Criterion<CpuTime>) {
    let mut csv = Vec::new();
    Demo::Loans
        .generate(ROWS, 7)
        .write_csv(&mut csv)
        .expect("memory takes it");
    let table = echoflow::read_csv_from(csv.as_slice(), "loans.csv").expect("a table");
    let encoder = TableEncoder::fit(&table, &EncoderOptions::default()).expect("marginals");
    let encoded = encoder.encode(&table).expect("its own table");
    let columns: Vec<usize> = (0..encoded.columns.len()).collect();
    let drawn: Vec<DecodedColumn> = encoded
        .columns
        .iter()
        .map(|column| DecodedColumn {
            levels: column.levels.iter().map(|cell| cell.unwrap_or(0)).collect(),
            ranks: column
                .low
                .iter()
                .zip(&column.high)
                .map(|(lo, hi)| 0.5 * (lo + hi))
                .collect(),
        })
        .collect();

    let mut group = c.benchmark_group("csv");
    group.throughput(Throughput::Bytes(csv.len() as u64));
    group.bench_function("read", |b| {
        b.iter(|| echoflow::read_csv_from(black_box(csv.as_slice()), "loans.csv"));
    });
    let mut out = Vec::with_capacity(2 * csv.len());
    group.bench_function("write", |b| {
        b.iter(|| {
            out.clear();
            echoflow::write_csv_to(&table, &mut out)
        });
    });
    group.finish();

    let mut group = c.benchmark_group("marginals");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("fit", |b| {
        b.iter(|| TableEncoder::fit(black_box(&table), &EncoderOptions::default()));
    });
    group.bench_function("encode", |b| b.iter(|| encoder.encode(black_box(&table))));
    group.bench_function("features", |b| {
        b.iter(|| encoder.features(black_box(&table), &columns));
    });
    group.bench_function("decode", |b| b.iter(|| encoder.decode(black_box(&drawn))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = table
}
criterion_main!(benches);
