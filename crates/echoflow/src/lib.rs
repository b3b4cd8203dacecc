//! Learn the joint distribution of a table; sample it, score it, condition on it.
