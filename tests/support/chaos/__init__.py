"""Faults on purpose, by chance from a seed: kills, damaged bytes, full disks and races, and what is left after them."""
