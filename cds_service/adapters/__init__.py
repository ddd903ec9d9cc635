"""The world outside: HTTP, FHIR servers, registered clients, the store, the audit journal."""
