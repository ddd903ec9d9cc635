"""The order page as a SMART app: the launch from an EHR, what it keeps, and what it reads and writes there."""
