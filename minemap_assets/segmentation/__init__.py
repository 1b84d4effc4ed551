"""Segmentation: the model that outlines mines, its calibration, and the probability of every pixel."""
