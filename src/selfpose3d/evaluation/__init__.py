"""The published protocols: AP, recall and MPJPE."""
