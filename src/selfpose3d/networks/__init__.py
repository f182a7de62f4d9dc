"""What networks share: trunks, V2V, weights, folding."""
