"""The rooms of minemap, in the order data flows; each room's door is its `assets.py`."""
