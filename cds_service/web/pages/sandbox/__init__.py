"""The sandbox: an invented patient's chart, opened as an EHR would, with cards to answer and facts to change."""
