"""Bytes, manifests and locks: what lies where, and when it counts as published."""
