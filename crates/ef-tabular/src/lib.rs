//! Tables in and out: CSV, schema, and one probability law per column.
