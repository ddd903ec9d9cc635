"""Content files to one checked `Content`; every mistake is named with its file."""
