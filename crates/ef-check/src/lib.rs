//! A test kit that proves a bijector or density: invertible, log-determinant right, gradients right.
