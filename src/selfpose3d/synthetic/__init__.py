"""Exact little scenes for tests, benchmarks and documentation."""
