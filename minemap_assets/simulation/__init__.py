"""A simulated imagery source: landscapes with exact truth for every year, rendered as one more source of pixels."""
