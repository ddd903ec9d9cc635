"""Handles one call, from the chart to the cards that are sent."""
