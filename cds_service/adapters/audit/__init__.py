"""The audit journal: one FHIR ``AuditEvent`` for each call, read, order and feedback, in tamper-evident files."""
