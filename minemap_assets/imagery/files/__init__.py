"""Image files, wherever they came from: reading, resampling, compositing."""
