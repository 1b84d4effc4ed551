"""Learning: crops, augmentation, losses, and the steps that make an ensemble of them."""
