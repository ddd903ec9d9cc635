"""Load the content files into one checked `Content`; every mistake is reported with its file."""
