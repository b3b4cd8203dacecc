//! Kernel density on bins, its bandwidth chosen by leave-one-out likelihood.
//!
//! Gaussian kernels, reflected at both ends of the binned range, are convolved by Fourier transform. A distinct value
//! is scored by the estimate that leaves out **all** its copies, so that repeats do not pull the bandwidth to 0: on a
//! grid they have parts of their own in the mixture ([`heaping`](super::heaping)).

use super::fft::Fft;

/// Bins of a range of w.
pub(crate) const BINS: usize = 4096;

/// One distinct value, or several alike in bin and count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) w: f64,
    /// Half the width in w of the value's rounding interval; 0 for a density.
    pub(crate) half: f64,
    /// Rows that hold the value.
    pub(crate) copies: f64,
    /// `ln dw/dx`, counted for densities.
    pub(crate) log_derivative: f64,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    point: Point,
    bin: usize,
    /// Distinct values in the group.
    values: f64,
}

/// The binned values of one column under one map.
#[derive(Debug)]
pub(crate) struct Kernel {
    start: f64,
    width: f64,
    rows: f64,
    groups: Vec<Group>,
    /// Spectrum of the bin shares, reflected.
    re: Vec<f64>,
    im: Vec<f64>,
    fft: Fft,
    /// Weight of the uniform background.
    background: f64,
}

/// A bandwidth with what it gives.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) bandwidth: f64,
    /// Leave-one-out log-likelihood of all rows, nats, in units of x.
    pub(crate) score: f64,
    /// Share of each bin.
    pub(crate) shares: Vec<f64>,
}

impl Kernel {
    /// Bins points on `[start, start + width * BINS]`.
    pub(crate) fn new(points: &[Point], start: f64, width: f64, background: f64) -> Self {
        let rows: f64 = points.iter().map(|point| point.copies).sum();
        let (mut re, mut im) = (vec![0.0; 2 * BINS], vec![0.0; 2 * BINS]);
        let mut groups: Vec<Group> = Vec::new();
        let mut open: Vec<(u64, usize)> = Vec::new();
        let mut open_bin = usize::MAX;
        for &point in points {
            let bin = bin_of(point.w, start, width);
            re[bin] += point.copies / rows;
            re[2 * BINS - 1 - bin] += point.copies / rows;
            if bin != open_bin {
                open.clear();
                open_bin = bin;
            }
            // points are sorted, so groups of a bin are built while it is open; wide intervals stay alone
            let key = point.copies.to_bits();
            match open
                .iter()
                .find(|(copies, _)| *copies == key && 2.0 * point.half <= width)
            {
                Some((_, group)) => {
                    let group = &mut groups[*group];
                    group.values += 1.0;
                    group.point.log_derivative +=
                        (point.log_derivative - group.point.log_derivative) / group.values;
                    group.point.half += (point.half - group.point.half) / group.values;
                }
                None => {
                    open.push((key, groups.len()));
                    groups.push(Group {
                        point,
                        bin,
                        values: 1.0,
                    });
                }
            }
        }
        let fft = Fft::new(2 * BINS);
        fft.forward(&mut re, &mut im);
        Self {
            start,
            width,
            rows,
            groups,
            re,
            im,
            fft,
            background,
        }
    }

    /// The best bandwidth: a coarse search over all scales, then a finer one around its best.
    pub(crate) fn choose(&self) -> Choice {
        const RATIO: f64 = 1.6;
        let range = self.width * BINS as f64;
        let mut best = self.score(0.6 * self.width);
        let mut bandwidth = 0.6 * self.width * RATIO;
        while bandwidth < 0.5 * range {
            best = better(best, self.score(bandwidth));
            bandwidth *= RATIO;
        }
        let middle = best.bandwidth;
        for power in [-2.0, -1.0, 1.0, 2.0] {
            best = better(best, self.score(middle * RATIO.powf(power / 3.0)));
        }
        best
    }

    /// Bin shares under a bandwidth, and the kernel itself by bins of distance.
    fn convolve(&self, bandwidth: f64) -> (Vec<f64>, Vec<f64>) {
        let scale = std::f64::consts::PI * bandwidth / (self.width * BINS as f64);
        let (mut re, mut im) = (vec![0.0; 2 * BINS], vec![0.0; 2 * BINS]);
        for k in 0..2 * BINS {
            let frequency = k.min(2 * BINS - k) as f64 * scale;
            let factor = (-0.5 * frequency * frequency).exp();
            // both results are real: the shares ride in the real part, the kernel (of spectrum 1) in the imaginary one
            re[k] = self.re[k] * factor;
            im[k] = (self.im[k] + 1.0) * factor;
        }
        self.fft.inverse(&mut re, &mut im);
        re.truncate(BINS);
        re.iter_mut()
            .chain(im.iter_mut())
            .for_each(|value| *value = value.max(0.0));
        (re, im)
    }

    fn score(&self, bandwidth: f64) -> Choice {
        let (mut shares, kernel) = self.convolve(bandwidth);
        let cumulated = cumulate(&shares);
        let kernel_cumulated = cumulate(&kernel[..=BINS]);
        // mass of the kernel of a bin's centre within (offset - half, offset + half)
        let kernel_mass = |offset: f64, half: f64| {
            let side = |t: f64| {
                let bins = (t.abs() / self.width).min(BINS as f64);
                (interpolate(&kernel_cumulated, bins + 0.5) - 0.5 * kernel[0]).copysign(t)
            };
            (side(offset + half) - side(offset - half)).max(0.0)
        };
        let range = self.width * BINS as f64;
        let mut score = 0.0;
        for group in &self.groups {
            let point = group.point;
            let mirror = 2 * group.bin + 1;
            let (all, own, extent) = if point.half > 0.0 && 2.0 * point.half > self.width {
                let at = (point.w - self.start) / self.width;
                let reach = point.half / self.width;
                let all = interpolate(&cumulated, at + reach) - interpolate(&cumulated, at - reach);
                let centre = self.start + (group.bin as f64 + 0.5) * self.width;
                let own = kernel_mass(point.w - centre, point.half)
                    + kernel_mass(point.w - (2.0 * self.start - centre), point.half)
                    + kernel_mass(2.0 * (self.start + range) - centre - point.w, point.half);
                (all, own, 2.0 * point.half)
            } else {
                let extent = if point.half > 0.0 { 2.0 * point.half } else { 1.0 };
                let density = extent / self.width;
                let own = kernel[0] + kernel[mirror.min(2 * BINS - mirror)];
                (shares[group.bin] * density, own * density, extent)
            };
            let left = ((self.rows * all - point.copies * own) / (self.rows - point.copies)).max(0.0);
            let smooth = (1.0 - self.background) * left + self.background * extent / range;
            let in_x = if point.half > 0.0 {
                0.0
            } else {
                point.log_derivative
            };
            score += group.values * point.copies * (smooth.max(1e-300).ln() + in_x);
        }
        let total: f64 = shares.iter().sum();
        shares
            .iter_mut()
            .for_each(|share| *share /= total.max(f64::MIN_POSITIVE));
        Choice {
            bandwidth,
            score,
            shares,
        }
    }
}

fn better(a: Choice, b: Choice) -> Choice {
    if b.score > a.score { b } else { a }
}

pub(crate) fn bin_of(w: f64, start: f64, width: f64) -> usize {
    (((w - start) / width) as usize).min(BINS - 1)
}

/// Sums before each bin, and the total.
fn cumulate(shares: &[f64]) -> Vec<f64> {
    let mut sums = Vec::with_capacity(shares.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for share in shares {
        sum += share;
        sums.push(sum);
    }
    sums
}

fn interpolate(sums: &[f64], at: f64) -> f64 {
    let last = sums.len() - 1;
    let at = at.clamp(0.0, last as f64);
    let i = (at as usize).min(last - 1);
    sums[i] + (at - i as f64) * (sums[i + 1] - sums[i])
}
