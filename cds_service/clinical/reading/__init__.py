"""Turn FHIR R4 resources into a Record. Only this package knows the FHIR shapes that contain findings."""

from cds_service.clinical.reading.chart import read_record
from cds_service.clinical.reading.entries import ChartEntry
from cds_service.clinical.reading.heads import Glance, Head
from cds_service.clinical.reading.passed_rows import PassedRows

__all__ = ["ChartEntry", "Glance", "Head", "PassedRows", "read_record"]
