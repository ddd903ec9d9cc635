"""The formats of CDS Hooks and FHIR: messages, discovery, request bodies, Bundles and prefetch."""
