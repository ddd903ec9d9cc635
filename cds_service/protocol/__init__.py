"""CDS Hooks and FHIR on the wire: messages, discovery, bodies, Bundles, prefetch."""
