"""Training-free: association, triangulation, the body prior, refined cameras."""
