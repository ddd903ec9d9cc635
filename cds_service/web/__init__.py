"""The HTTP layer: routes, limits and pages. No lower package imports FastAPI."""
