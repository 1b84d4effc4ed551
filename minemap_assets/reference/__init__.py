"""Regions, and the polygon sets, country boundaries and validation points that the project compares itself with."""
