"""Reading the EHR's FHIR server: only servers on the allow-list, all missing keys at once, within one deadline."""
