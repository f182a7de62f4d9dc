"""From parameters to the graph: nodes, keys, the plan."""
