"""Calibration formats: each a module, read into our convention (OpenCV, mm, z up)."""
