//! After the first step, a step allocates nothing.
#![allow(unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Normal, Rows};
use ef_train::{Observer, StepReport, TrainConfig, fit};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call goes on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those `System` asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `System` with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The count after each step of one epoch.
struct Counts {
    epoch: usize,
    after: Vec<usize>,
}

impl Observer for Counts {
    fn on_step(&mut self, report: &StepReport) {
        if report.epoch != self.epoch {
            self.after.clear();
            self.epoch = report.epoch;
        }
        self.after.push(ALLOCATIONS.load(Ordering::Relaxed));
    }
}

/// One test, so that no other allocates meanwhile.
#[test]
fn a_step_allocates_nothing() {
    let rows = Rows::random(2000, 2500, 3);
    for threads in [1, 2] {
        let mut counts = Counts {
            epoch: 0,
            after: Vec::with_capacity(1000),
        };
        let mut params = vec![0.0_f32; 5000];
        let config = TrainConfig::default().epochs(1).batch(64).threads(threads);
        fit(&Normal::new(2500), &mut params, &rows, &config, &mut counts).unwrap();
        let (first, last) = (counts.after[0], counts.after[counts.after.len() - 1]);
        assert!(counts.after.len() > 20);
        assert_eq!(last - first, 0, "with {threads} threads");
    }
}
