"""Cameras, image affines, voxel grids, triangulation: pure functions that know nobody."""
