"""The clinical content of `cards/`: its models, names and weights."""
