"""Who may call, how much, and how fast: everything that is checked before a call is read."""
