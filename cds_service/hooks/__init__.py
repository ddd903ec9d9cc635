"""The CDS Hooks floor: its messages, its prefetch, and how verdicts become cards. Knows no web framework."""
