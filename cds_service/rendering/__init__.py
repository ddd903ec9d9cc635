"""Turns an assessment into cards: wording, layout, draft orders and sanitizing."""
