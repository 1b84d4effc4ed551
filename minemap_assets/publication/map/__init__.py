"""The map that people open: one page with its tiles, figures and pictures, and nothing that is fetched from elsewhere."""
