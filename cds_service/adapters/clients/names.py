"""Names in error messages about clients."""

CLIENTS = "list of clients"
"""The clients file and its key files."""
