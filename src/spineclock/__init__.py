"""A spine age from a scan, with its interval, its measurements and a verdict on whether it could be read.

``spineclock.predict("scan.nii.gz", age_years=57)`` is :func:`spineclock.run.predict.predict_one`, ``spineclock.train``
:func:`spineclock.run.training.command.train`, ``spineclock.evaluate``
:func:`spineclock.run.training.evaluation.evaluate`, ``spineclock.study``
:func:`spineclock.run.study.command.study`; they are imported on first use, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spineclock.run.predict import predict_one as predict
    from spineclock.run.study.command import study
    from spineclock.run.training.command import train
    from spineclock.run.training.evaluation import evaluate

    __version__: str

__all__ = ["__version__", "evaluate", "predict", "study", "train"]

# by name, not by an import statement: the lowest layer must not seem to import the highest
_WHERE = {
    "predict": ("spineclock.run.predict", "predict_one"),
    "train": ("spineclock.run.training.command", "train"),
    "evaluate": ("spineclock.run.training.evaluation", "evaluate"),
    "study": ("spineclock.run.study.command", "study"),
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        module, function = _WHERE[name]
        return getattr(import_module(module), function)
    if name == "__version__":
        return import_module("importlib.metadata").version("spineclock")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
