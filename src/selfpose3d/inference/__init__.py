"""Images to 3D poses with scores."""
