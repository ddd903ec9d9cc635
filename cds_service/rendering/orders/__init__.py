"""Orders: the draft orders of a card, the form of the order page, and the FHIR ServiceRequests."""
