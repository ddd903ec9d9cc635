"""Draft orders: what a card suggests, the form of the order page, FHIR requests."""
