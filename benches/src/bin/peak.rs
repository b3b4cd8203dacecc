//! What the machine can do at the most: fused multiply-adds in registers, and bytes from memory. One JSON line each.
//!
//! The arithmetic is `x <- x a + b` on rows of `f32` lanes that stay in registers, enough of them side by side that none
//! waits for the one before it: 2 FLOP a lane. No product of matrices can be faster. The memory line adds two arrays
//! into a third, all three far larger than any cache: 12 bytes an element, and the processor moves 4 more to fetch what
//! it overwrites, which are not counted.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use ef_bench::process::{cpu_seconds, machine};
use ef_tensor::simd::{Kernel, Level, detected, dispatch, mul_add, with_level};

/// Measures the peak of the processor and of its memory.
#[derive(Parser, Debug)]
struct Args {
    /// Threads that work side by side
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds a line
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

/// Registers' worth of independent sums: a multiply-add takes 4 cycles or 5 and two start in each.
const SUMS: usize = 12;
const ROUNDS: usize = 4096;

/// `ROUNDS` multiply-adds on [`SUMS`] rows of `LANES` numbers.
struct MultiplyAdd<const LANES: usize> {
    a: f32,
    b: f32,
}

impl<const LANES: usize> Kernel for MultiplyAdd<LANES> {
    type Output = f32;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f32 {
        let mut x = [[0.5_f32; LANES]; SUMS];
        let (a, b) = ([self.a; LANES], [self.b; LANES]);
        for _ in 0..ROUNDS {
            for x in &mut x {
                for lane in 0..LANES {
                    x[lane] = mul_add::<FMA, f32>(x[lane], a[lane], b[lane]);
                }
            }
        }
        x.iter().flatten().sum()
    }
}

/// One call at a level, and its FLOP.
fn multiply_add(level: Level) -> f64 {
    // Factors that the compiler does not know: it can neither shorten the sums nor leave them out.
    let (a, b) = (black_box(0.999), black_box(1e-3));
    let lanes = match level {
        Level::Avx512 => {
            black_box(dispatch(MultiplyAdd::<16> { a, b }));
            16
        }
        Level::Avx2 => {
            black_box(dispatch(MultiplyAdd::<8> { a, b }));
            8
        }
        Level::Baseline => {
            black_box(dispatch(MultiplyAdd::<4> { a, b }));
            4
        }
    };
    (2 * SUMS * ROUNDS * lanes) as f64
}

/// Elements of each of the three arrays: 64 MiB.
const ELEMENTS: usize = 16 << 20;

struct Add<'a>(&'a [f32], &'a [f32], &'a mut [f32]);

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((a, b), c) in self.0.iter().zip(self.1).zip(self.2) {
            *c = a + b;
        }
    }
}

/// Work a second and work a CPU second of one thread, over `threads` threads that each make their own `work` and repeat
/// it for so many seconds.
fn rate<W: FnMut() -> f64>(threads: usize, seconds: f64, make: impl Fn() -> W + Sync) -> Result<(f64, f64)> {
    let ready = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut work = make();
                    work();
                    ready.wait();
                    let (started, mut done) = (Instant::now(), 0.0);
                    while started.elapsed().as_secs_f64() < seconds {
                        done += work();
                    }
                    done
                })
            })
            .collect();
        ready.wait();
        let (started, cpu) = (Instant::now(), cpu_seconds()?);
        let done: f64 = workers
            .into_iter()
            .map(|worker| worker.join().expect("the work does not panic"))
            .sum();
        let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
        Ok((done / wall, done / cpu))
    })
}

fn main() -> Result<()> {
    let args = Args::parse();
    let giga = |v: f64| (v / 1e8).round() / 10.0;
    for level in Level::ALL.into_iter().filter(|level| *level <= detected()) {
        let (wall, cpu) = rate(args.threads, args.seconds, || {
            move || with_level(level, || multiply_add(level))
        })?;
        let line = serde_json::json!({
            "peak": "multiply-add", "simd": level.name(), "threads": args.threads, "machine": machine(),
            "gflops": giga(wall), "gflops_cpu_core": giga(cpu),
        });
        println!("{line}");
    }
    let (wall, cpu) = rate(args.threads, args.seconds, || {
        let (a, b, mut c) = (vec![1.0; ELEMENTS], vec![2.0; ELEMENTS], vec![0.0; ELEMENTS]);
        move || {
            dispatch(Add(black_box(&a), black_box(&b), &mut c));
            black_box(&c);
            (12 * ELEMENTS) as f64
        }
    })?;
    let line = serde_json::json!({
        "peak": "memory", "simd": detected().name(), "threads": args.threads, "machine": machine(),
        "gbytes_s": giga(wall), "gbytes_cpu_s": giga(cpu),
    });
    println!("{line}");
    Ok(())
}
