"""Findings read from English free-text reports by rules: each finding with the sentence it was read from."""

from spineclock.ingest.report_text.parser import ReadReports, findings_from_reports

__all__ = ["ReadReports", "findings_from_reports"]
