"""Validation: how far the maps can be trusted, measured on points, on reference sets and between sources."""
