"""Releases: published tables frozen under a number, and what changed between two of them, with its cause."""
