"""The methods: SelfPose3d and VoxelPose, ours, training-free, joined."""
