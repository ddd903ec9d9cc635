"""The order page as a SMART app: launch from an EHR, stored launches, and reads and writes on its FHIR server."""
