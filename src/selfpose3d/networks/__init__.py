"""Parts that networks share: trunks, V2V, weights, folding."""
