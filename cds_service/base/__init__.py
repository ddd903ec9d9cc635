"""Base package: settings, errors, logging and file reading. It imports nothing about FHIR, CDS Hooks or medicine."""
