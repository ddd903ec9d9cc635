"""One FHIR ``AuditEvent`` for each call, read, draft order and feedback, in files that show when they were changed."""
