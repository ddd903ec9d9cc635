"""One call from the chart to the delivered cards."""
