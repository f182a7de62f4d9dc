"""Training-free association and triangulation."""
