"""What an asset is, and how it becomes a Dagster asset."""
