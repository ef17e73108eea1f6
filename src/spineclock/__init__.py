"""A spine age from a scan, with its interval, its measurements and a verdict on whether it could be read.

``spineclock.predict("scan.nii.gz", age_years=57)`` is :func:`spineclock.run.predict.predict_one`, ``spineclock.study``
:func:`spineclock.run.study.command.study`; they are imported on first use, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spineclock.run.predict import predict_one as predict
    from spineclock.run.study.command import study

    __version__: str

__all__ = ["__version__", "predict", "study"]


def __getattr__(name: str) -> Any:
    if name == "predict":
        # by name, not by an import statement: the lowest layer must not seem to import the highest
        return import_module("spineclock.run.predict").predict_one
    if name == "study":
        return import_module("spineclock.run.study.command").study
    if name == "__version__":
        return import_module("importlib.metadata").version("spineclock")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
