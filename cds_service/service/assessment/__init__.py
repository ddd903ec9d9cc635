"""The assessment page behind a card: its form, what it writes, and what follows from the answers."""
