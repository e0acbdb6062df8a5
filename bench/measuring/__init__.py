"""What the benchmarks share: a served stack, a bare client for each side, processor time, tables and JSON."""
