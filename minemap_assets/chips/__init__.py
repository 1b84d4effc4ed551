"""Chips: what the model eats, cut from site images on each site's own grid."""
