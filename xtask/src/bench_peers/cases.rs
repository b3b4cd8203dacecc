//! What is measured, and what is aimed at.

/// One configuration of a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) model: &'static str,
    pub(super) dim: usize,
    pub(super) layers: usize,
    pub(super) hidden: usize,
    pub(super) batch: usize,
    /// Parameters that ours may have: with an odd number of columns there are two ways to halve them.
    pub(super) params: &'static [u64],
    /// Step at which losses are compared.
    pub(super) steps: u64,
    /// Ratios to the fastest peer that are aimed at: training, log_prob, sampling; none for a case without peers.
    pub(super) bars: Option<[f64; 3]>,
}

impl Case {
    /// The arguments that our program and the peers' have in common.
    pub(super) fn arguments(&self) -> Vec<String> {
        let sizes = [
            ("--dim", self.dim),
            ("--layers", self.layers),
            ("--hidden", self.hidden),
            ("--blocks", 2),
            ("--batch", self.batch),
        ];
        let mut arguments = vec!["--model".to_owned(), self.model.to_owned()];
        for (name, value) in sizes {
            arguments.extend([name.to_owned(), value.to_string()]);
        }
        arguments
    }

    /// The cases with these names, all if there are none.
    ///
    /// # Errors
    /// A name that no case has.
    pub(super) fn named(names: &[String]) -> anyhow::Result<Vec<Self>> {
        if names.is_empty() {
            return Ok(CASES.to_vec());
        }
        let find = |name: &String| {
            let known = || CASES.map(|case| case.name).join(", ");
            CASES
                .into_iter()
                .find(|case| case.name == name)
                .ok_or_else(|| anyhow::anyhow!("there is no case '{name}'; there are {}", known()))
        };
        names.iter().map(find).collect()
    }
}

const fn case(
    name: &'static str,
    model: &'static str,
    [dim, layers, hidden, batch]: [usize; 4],
    params: &'static [u64],
    bars: Option<[f64; 3]>,
) -> Case {
    // as long as the slowest library can train in a minute or three
    let steps = if dim < 10 { 4_000 } else { 1_000 };
    Case {
        name,
        model,
        dim,
        layers,
        hidden,
        batch,
        params,
        steps,
        bars,
    }
}

pub(super) const CASES: [Case; 11] = [
    case("maf-8", "maf", [8, 5, 64, 256], &[28_880], Some([3.0, 1.8, 5.0])),
    case(
        "maf-43",
        "maf",
        [43, 5, 256, 512],
        &[495_790],
        Some([2.0, 1.9, 40.0]),
    ),
    case(
        "maf-63",
        "maf",
        [63, 10, 512, 512],
        &[3_600_620],
        Some([1.7, 1.6, 40.0]),
    ),
    case(
        "realnvp-8",
        "realnvp",
        [8, 10, 64, 256],
        &[50_000],
        Some([2.5, 1.3, 1.5]),
    ),
    case(
        "realnvp-43",
        "realnvp",
        [43, 10, 256, 512],
        &[826_030],
        Some([1.5, 1.5, 1.5]),
    ),
    case(
        "nsf-ar-8",
        "nsf-ar",
        [8, 5, 64, 256],
        &[83_480],
        Some([3.0, 3.5, 12.0]),
    ),
    case(
        "nsf-ar-43",
        "nsf-ar",
        [43, 5, 128, 512],
        &[748_625],
        Some([4.0, 3.5, 50.0]),
    ),
    case(
        "nsf-coupling-8",
        "nsf-coupling",
        [8, 5, 64, 256],
        &[52_300],
        Some([3.0, 3.0, 3.0]),
    ),
    case(
        "nsf-coupling-43",
        "nsf-coupling",
        [43, 5, 128, 512],
        &[417_332, 414_493],
        Some([2.5, 3.0, 3.0]),
    ),
    case(
        "planar-2",
        "planar",
        [2, 16, 64, 512],
        &[80],
        Some([8.0, 3.0, 2.0]),
    ),
    // no peer inverts a tanh planar layer
    case("planar-2-tanh", "planar-tanh", [2, 16, 64, 512], &[80], None),
];
