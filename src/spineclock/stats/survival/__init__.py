"""Time to an event: how many have it by when, what raises its rate, and how well a score foretells it.

Rows may be lost to follow-up, and another event (death) may come first. Every interval is clustered by person; every
horizon must lie within follow-up.
"""

from spineclock.stats.survival.c_index import CIndex
from spineclock.stats.survival.calibrated import CalibratedHazardRatios
from spineclock.stats.survival.comparators import FittedRisk
from spineclock.stats.survival.compared import RiskComparison
from spineclock.stats.survival.competing import CauseSpecificFit, cause_specific
from spineclock.stats.survival.concordance import concordance
from spineclock.stats.survival.cox import cox
from spineclock.stats.survival.cumulative import CumulativeIncidence
from spineclock.stats.survival.follow_up import TimeTo
from spineclock.stats.survival.hazards import HazardRatios
from spineclock.stats.survival.incidence import incidence
from spineclock.stats.survival.log_rank import LogRank, log_rank
from spineclock.stats.survival.predicted_risk import BrierScore, RiskCalibration
from spineclock.stats.survival.proportional import proportional_hazards
from spineclock.stats.survival.timed_auroc import TimedAuroc

__all__ = [
    "BrierScore",
    "CIndex",
    "CalibratedHazardRatios",
    "CauseSpecificFit",
    "CumulativeIncidence",
    "FittedRisk",
    "HazardRatios",
    "LogRank",
    "RiskCalibration",
    "RiskComparison",
    "TimeTo",
    "TimedAuroc",
    "cause_specific",
    "concordance",
    "cox",
    "incidence",
    "log_rank",
    "proportional_hazards",
]
