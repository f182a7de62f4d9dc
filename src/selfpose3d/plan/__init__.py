"""The way from parameters to the graph: nodes, keys, the plan."""
