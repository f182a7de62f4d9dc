"""SelfPose3d and VoxelPose: heatmaps lifted to people through voxels."""
