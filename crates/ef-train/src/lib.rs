//! Training by maximum likelihood: Adam, schedules, clipping, averaging, early stopping; the same bytes for any number of threads.
