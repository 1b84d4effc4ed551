"""How a patch classifier of our own is trained and judged."""
