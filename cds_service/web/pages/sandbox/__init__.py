"""The sandbox: opens an invented patient's chart as an EHR would. Visitors answer cards and change facts."""
