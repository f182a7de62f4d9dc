"""2D estimators behind one interface, and the filters that turn detections into labels."""
