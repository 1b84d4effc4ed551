"""The map that people open: one page with its tiles, figures and pictures, nothing of it fetched from elsewhere."""
