"""The rig check: what is wrong with calibrated cameras, by the 2D people that they see."""
