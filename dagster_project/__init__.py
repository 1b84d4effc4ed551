"""What Dagster loads and what drives it."""
