"""The assessment page behind the last link of a card, where a clinician answers what the chart does not record."""
