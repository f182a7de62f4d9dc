"""Fetching files from elsewhere: members of a wheel, files of a web host or of a local folder."""
