"""One-off seasons that belong to no series of years."""
