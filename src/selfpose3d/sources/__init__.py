"""Where data come from: each source turns what it finds into scenes, and truth if there is any."""
