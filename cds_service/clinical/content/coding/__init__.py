"""Codes and words of charts: code systems, tables, expressions, medicines."""
