"""The command line: the same definitions and instance as the Dagster UI, for people at a terminal."""
