"""Networks behind one interface: normalised reflectance in, the margin of the mine class out."""
