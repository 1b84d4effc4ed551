"""Yearly tables made from all regions, and one DuckDB file made from the tables."""
