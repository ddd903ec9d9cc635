"""Evidence pages of rules and causes: words, numbers, sources, review, and what is not known."""
