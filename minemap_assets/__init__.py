"""The rooms of minemap and what they stand on; what a room makes is stated in its `assets.py`."""
