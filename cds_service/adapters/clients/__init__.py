"""The clients: the EHRs that call this service, what each supports, and the settings for each."""
