"""How well a score tells who has a disease: discrimination, a threshold's yield, calibration, and what it is worth.

A score may be in any unit (an age, a T-score); calibration and net benefit ask for probabilities. Rows of one person
are never taken for different people: every interval is clustered by person.
"""

from spineclock.stats.diagnosis.auroc import Auroc, AurocDifference
from spineclock.stats.diagnosis.calibration import CalibrationCurve, ProbabilityCalibration
from spineclock.stats.diagnosis.cross_fit import CrossFitted
from spineclock.stats.diagnosis.net_benefit import NetBenefit
from spineclock.stats.diagnosis.operating import OperatingPoint, Threshold
from spineclock.stats.diagnosis.roc import delong, roc_curve

__all__ = [
    "Auroc",
    "AurocDifference",
    "CalibrationCurve",
    "CrossFitted",
    "NetBenefit",
    "OperatingPoint",
    "ProbabilityCalibration",
    "Threshold",
    "delong",
    "roc_curve",
]
