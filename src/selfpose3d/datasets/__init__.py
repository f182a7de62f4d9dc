"""One module a source of data, each turning what it finds into scenes."""
