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
use cpu_time::ThreadTime;
use ef_bench::process::machine;
use ef_tensor::simd::{Kernel, Level, detected, dispatch, mul_add, with_level};

/// Measures the peak of the processor and of its memory.
#[derive(Parser, Debug)]
struct Args {
    /// Threads that work side by side
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// CPU seconds a line, of each thread
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

/// Registers' worth of independent sums: a multiply-add takes 4 cycles or 5 and two start in each.
const SUMS: usize = 12;
const ROUNDS: usize = 4096;

/// `ROUNDS` multiply-adds on [`SUMS`] rows of `LANES` numbers.
struct MultiplyAdd<'a, const LANES: usize> {
    x: &'a mut [[f32; LANES]; SUMS],
    a: f32,
    b: f32,
}

impl<const LANES: usize> Kernel for MultiplyAdd<'_, LANES> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (mut x, a, b) = (*self.x, self.a, self.b);
        for _ in 0..ROUNDS {
            for x in &mut x {
                for lane in x {
                    *lane = mul_add::<FMA, f32>(*lane, a, b);
                }
            }
        }
        *self.x = x;
    }
}

/// One call, and its FLOP.
fn multiply_add<const LANES: usize>(x: &mut [[f32; LANES]; SUMS]) -> f64 {
    // Numbers that the compiler does not know: it can neither shorten the sums nor leave them out.
    let (a, b) = (black_box(0.999), black_box(1e-3));
    dispatch(MultiplyAdd {
        x: black_box(x),
        a,
        b,
    });
    (2 * SUMS * ROUNDS * LANES) as f64
}

/// [`multiply_add`] at a level, to be repeated.
fn arithmetic<const LANES: usize>(level: Level) -> impl FnMut() -> f64 {
    let mut x = [[0.5; LANES]; SUMS];
    move || with_level(level, || multiply_add(&mut x))
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

/// Work a second of `threads` threads side by side, and work a CPU second of one. Each thread makes its own `work` and
/// repeats it for so many CPU seconds.
fn rate<W: FnMut() -> f64>(threads: usize, seconds: f64, make: impl Fn() -> W + Sync) -> Result<(f64, f64)> {
    let ready = Barrier::new(threads);
    let one = || -> Result<(f64, f64, f64)> {
        let mut work = make();
        work();
        ready.wait();
        let (wall, cpu) = (Instant::now(), ThreadTime::try_now()?);
        let mut done = 0.0;
        while cpu.try_elapsed()?.as_secs_f64() < seconds {
            done += work();
        }
        Ok((
            done,
            wall.elapsed().as_secs_f64(),
            cpu.try_elapsed()?.as_secs_f64(),
        ))
    };
    let parts: Vec<(f64, f64, f64)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let join =
            |worker: std::thread::ScopedJoinHandle<'_, _>| worker.join().expect("the work does not panic");
        workers.into_iter().map(join).collect::<Result<_>>()
    })?;
    let wall = parts.iter().map(|(done, wall, _)| done / wall).sum();
    let (done, cpu) = parts
        .iter()
        .fold((0.0, 0.0), |(d, c), part| (d + part.0, c + part.2));
    Ok((wall, done / cpu))
}

fn main() -> Result<()> {
    let args = Args::parse();
    let giga = |v: f64| (v / 1e8).round() / 10.0;
    let (threads, seconds) = (args.threads, args.seconds / 4.0);
    for level in Level::ALL.into_iter().filter(|level| *level <= detected()) {
        // How many numbers side by side fill the registers, and which loop the compiler makes vectors of, depends on
        // the level: the fastest is the peak.
        let tried = [
            rate(threads, seconds, || arithmetic::<4>(level))?,
            rate(threads, seconds, || arithmetic::<8>(level))?,
            rate(threads, seconds, || arithmetic::<16>(level))?,
            rate(threads, seconds, || arithmetic::<32>(level))?,
        ];
        let best = |pick: fn(&(f64, f64)) -> f64| tried.iter().map(pick).fold(0.0, f64::max);
        let line = serde_json::json!({
            "peak": "multiply-add", "simd": level.name(), "threads": threads, "machine": machine(),
            "gflops": giga(best(|r| r.0)), "gflops_cpu_core": giga(best(|r| r.1)),
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
