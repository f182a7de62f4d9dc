"""Parts that methods share in training: devices, data, the loop and its state, augmentation,
bodies."""
