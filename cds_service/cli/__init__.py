"""The command line: serve, evaluate, check, examples, terminology."""
