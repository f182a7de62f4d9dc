"""Augmentation, losses, the stages and the loop they share."""
