"""Checks before a call is read: the client's token, its rate limits, and limits of the connection."""
