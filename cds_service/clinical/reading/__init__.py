"""FHIR R4 resources -> Record. The only place that knows the shapes in which charts hold a finding."""

from cds_service.clinical.reading.chart import ChartEntry, read_record

__all__ = ["ChartEntry", "read_record"]
