"""The EHRs that call: what each understands, and what a site has chosen for it."""
