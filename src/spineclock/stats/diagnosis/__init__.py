"""How well a score tells who has a disease: discrimination, a threshold's yield, calibration, and what it is worth.

A score may be in any unit (an age, a T-score); calibration and net benefit ask for probabilities. Rows of one person
are never taken for different people: every interval is clustered by person.
"""

from spineclock.stats.diagnosis.auroc import Auroc, AurocDifference
from spineclock.stats.diagnosis.baselines import Baselines, FittedOn
from spineclock.stats.diagnosis.calibration import CalibrationCurve, ProbabilityCalibration
from spineclock.stats.diagnosis.cross_fit import CrossFitted
from spineclock.stats.diagnosis.leakage import MadeUpVertebrae, flattery
from spineclock.stats.diagnosis.net_benefit import NetBenefit
from spineclock.stats.diagnosis.operating import OperatingPoint, Threshold
from spineclock.stats.diagnosis.paired import OperatingDifference, mcnemar
from spineclock.stats.diagnosis.pooling import PatientProbability
from spineclock.stats.diagnosis.prevalence import AtPrevalence
from spineclock.stats.diagnosis.recalibrated import LogisticRecalibration
from spineclock.stats.diagnosis.resampled import FigureDifference
from spineclock.stats.diagnosis.roc import delong, roc_curve

__all__ = [
    "AtPrevalence",
    "Auroc",
    "AurocDifference",
    "Baselines",
    "CalibrationCurve",
    "CrossFitted",
    "FigureDifference",
    "FittedOn",
    "LogisticRecalibration",
    "MadeUpVertebrae",
    "NetBenefit",
    "OperatingDifference",
    "OperatingPoint",
    "PatientProbability",
    "ProbabilityCalibration",
    "Threshold",
    "delong",
    "flattery",
    "mcnemar",
    "roc_curve",
]
