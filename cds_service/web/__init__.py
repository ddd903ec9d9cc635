"""The web floor: routes, limits, pages. Knows FastAPI; nothing below it does."""
