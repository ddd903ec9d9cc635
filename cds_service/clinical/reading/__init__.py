"""FHIR R4 resources -> Record. The only place that knows the shapes in which charts hold a finding."""

from cds_service.clinical.reading.chart import read_record
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.heads import Head

__all__ = ["ChartEntry", "Head", "read_record"]
