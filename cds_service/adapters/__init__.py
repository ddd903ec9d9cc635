"""Adapters to the outside world: HTTP, FHIR servers, registered clients, the database and the audit journal."""
