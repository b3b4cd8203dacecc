//! A radix-2 Fourier transform, for the convolutions of the kernel estimate.

/// Transforms of one length, a power of two.
#[derive(Debug)]
pub(crate) struct Fft {
    cos: Vec<f64>,
    sin: Vec<f64>,
    len: usize,
}

impl Fft {
    pub(crate) fn new(len: usize) -> Self {
        debug_assert!(len.is_power_of_two());
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / len as f64;
        let cos = (0..len / 2).map(|k| angle(k).cos()).collect();
        let sin = (0..len / 2).map(|k| -angle(k).sin()).collect();
        Self { cos, sin, len }
    }

    /// `X_k = sum_j x_j exp(-2 pi i j k / len)`, in place and not scaled.
    pub(crate) fn forward(&self, re: &mut [f64], im: &mut [f64]) {
        let len = self.len;
        let bits = len.trailing_zeros();
        for i in 0..len {
            let j = if bits == 0 {
                0
            } else {
                i.reverse_bits() >> (usize::BITS - bits)
            };
            if i < j {
                re.swap(i, j);
                im.swap(i, j);
            }
        }
        let mut half = 1;
        while half < len {
            let stride = len / (2 * half);
            for block in (0..len).step_by(2 * half) {
                let (re_low, re_high) = re[block..block + 2 * half].split_at_mut(half);
                let (im_low, im_high) = im[block..block + 2 * half].split_at_mut(half);
                for k in 0..half {
                    let (c, s) = (self.cos[k * stride], self.sin[k * stride]);
                    let (x, y) = (re_high[k] * c - im_high[k] * s, re_high[k] * s + im_high[k] * c);
                    (re_high[k], im_high[k]) = (re_low[k] - x, im_low[k] - y);
                    re_low[k] += x;
                    im_low[k] += y;
                }
            }
            half *= 2;
        }
    }

    /// The inverse of [`forward`](Self::forward), scaled.
    pub(crate) fn inverse(&self, re: &mut [f64], im: &mut [f64]) {
        // swapping the parts conjugates, up to a factor i that swaps back
        self.forward(im, re);
        let scale = 1.0 / self.len as f64;
        re.iter_mut()
            .chain(im.iter_mut())
            .for_each(|value| *value *= scale);
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn agrees_with_the_sum_and_inverts() {
        let len = 16;
        let (x, y): (Vec<f64>, Vec<f64>) = (0..len)
            .map(|j| ((j * j % 7) as f64, (j % 5) as f64 - 1.0))
            .unzip();
        let (mut re, mut im) = (x.clone(), y.clone());
        let fft = Fft::new(len);
        fft.forward(&mut re, &mut im);
        for k in 0..len {
            let (mut sum_re, mut sum_im) = (0.0, 0.0);
            for j in 0..len {
                let angle = -std::f64::consts::TAU * (j * k) as f64 / len as f64;
                sum_re += x[j] * angle.cos() - y[j] * angle.sin();
                sum_im += x[j] * angle.sin() + y[j] * angle.cos();
            }
            assert_relative_eq!(re[k], sum_re, epsilon = 1e-10);
            assert_relative_eq!(im[k], sum_im, epsilon = 1e-10);
        }
        fft.inverse(&mut re, &mut im);
        for j in 0..len {
            assert_relative_eq!(re[j], x[j], epsilon = 1e-12);
            assert_relative_eq!(im[j], y[j], epsilon = 1e-12);
        }
    }
}
