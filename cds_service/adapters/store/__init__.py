"""The card log: the cards that were shown and the feedback of clinicians on them.

They are kept in a database: a SQLite file or PostgreSQL. The database never delays or fails a card.
"""
