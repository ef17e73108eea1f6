"""Taking out what regression to the mean puts in: the young are read too old, the old too young.

Each correction is fitted on a validation set that neither trained the model nor is being evaluated. Written with
y the chronological and ŷ the predicted age. Only Cole's needs no test age: only it may stand behind a headline figure.
"""

from spineclock.stats.bias.compare import BiasCorrections, fit_all
from spineclock.stats.bias.correction import Correction
from spineclock.stats.bias.level import AgeLevel
from spineclock.stats.bias.linear import Beheshti, Cole, DeLange, Line, line
from spineclock.stats.bias.modality import ModalityCorrection, ModalityLine
from spineclock.stats.bias.smooth import AgeCovariate, Lowess

__all__ = [
    "AgeCovariate",
    "AgeLevel",
    "Beheshti",
    "BiasCorrections",
    "Cole",
    "Correction",
    "DeLange",
    "Line",
    "Lowess",
    "ModalityCorrection",
    "ModalityLine",
    "fit_all",
    "line",
]
