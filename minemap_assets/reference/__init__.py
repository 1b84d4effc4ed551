"""Reference: the polygon sets, country boundaries and validation points that a project registers."""
