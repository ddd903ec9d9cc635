"""The card register and the feedback on it: what was shown, and what clinicians did with it.

A database holds both: SQLite in a file, or PostgreSQL by URL. It never delays or fails a card.
"""
