"""The clinical floor: what findings, causes, red flags and pathways are, and how a chart is judged.

Knows neither the web nor CDS Hooks, does no input or output, and takes "now" as an argument.
"""
