"""Pages of the project's own, served on this machine: the map, and what people write on it."""
