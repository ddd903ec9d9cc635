"""The command line ``knee-cds``: one module per command."""
