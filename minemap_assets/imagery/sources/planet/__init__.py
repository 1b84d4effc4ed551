"""One imagery source."""
