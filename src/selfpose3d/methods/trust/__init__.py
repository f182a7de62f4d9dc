"""Ours: learnt trust in views."""
