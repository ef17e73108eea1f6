"""Heights, widths, signals, areas and angles of a spine by level, from a scan and its label map."""

from spineclock.measure.measurements import Measurement, Measurements
from spineclock.measure.whole import spine

__all__ = ["Measurement", "Measurements", "spine"]
