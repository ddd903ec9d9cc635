"""The clinical layer: findings, causes, red flags and pathways, and the code that assesses a chart.

It does not know about HTTP or CDS Hooks, does no input or output, and takes "now" as an argument.
"""
