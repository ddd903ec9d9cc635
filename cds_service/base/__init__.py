"""Ground floor: settings, errors and the reading of files. Knows nothing of FHIR, CDS Hooks or medicine."""
