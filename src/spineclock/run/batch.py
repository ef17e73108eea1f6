"""One scan of a run after another: taken up from an earlier run, or loaded, read and written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spineclock.core.errors import RefusedError, SpineclockError, UsageError
from spineclock.core.recipe import Reader
from spineclock.core.records import Failure, Quality, Reading
from spineclock.ingest.find import reason
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.series import load, unread
from spineclock.run import outputs
from spineclock.run.people import People
from spineclock.run.settings import PredictSettings

REMEMBERED = (
    "recipe",
    "model",
    "age_years",
    "sex",
    "sequence",
    "cohort",
    "mask",
    "mask_scheme",
    "lowest_vertebra",
    "interval_coverage",
)
"""Settings that change a result: ``--resume`` does a scan again where one of them is another."""


@dataclass(frozen=True, eq=False)
class Result:
    """A scan's prediction.json, where it has one, and the failure it counts as, where it got no age."""

    document: dict[str, Any] | None
    failures: tuple[Failure, ...] = ()


class _NotReadError(Exception):
    """At what stage a scan failed, and why."""

    def __init__(self, stage: Literal["ingest", "predict"], reason: str) -> None:
        super().__init__(reason)
        self.stage: Literal["ingest", "predict"] = stage
        self.reason = reason


class Batch:
    """One run over many scans; the models are loaded when the first scan needs them."""

    def __init__(self, recipe: str, settings: PredictSettings, out: Path, *, load_models: Callable[[], Reader]) -> None:
        self.recipe, self.settings, self.out, self.load_models = recipe, settings, out, load_models
        self.remembered = {name: outputs.plain(getattr(settings, name)) for name in REMEMBERED}
        self._reader: Reader | None = None

    @property
    def reader(self) -> Reader:
        """The models in memory."""
        if self._reader is None:
            self._reader = self.load_models()
        return self._reader

    def result(self, ref: SeriesRef, people: People) -> Result:
        """One scan's prediction.json, and the failure it counts as where it got no age."""
        folder = self.out / ref.scan_id
        earlier = outputs.read_document(folder) if self.settings.resume else None
        if earlier is not None and self._holds(earlier, ref):
            return Result(earlier, _refusals(earlier, str(ref.source)))
        begun = time.monotonic()
        outputs.withdraw(folder)  # should the scan fail now, an earlier answer must not stand for it
        try:
            reading = self._reading(ref, people)
        except _NotReadError as error:
            return Result(None, (Failure(str(ref.source), error.stage, error.reason),))
        document = outputs.prediction_document(reading, recipe=self.recipe, seconds=time.monotonic() - begun,
                                               settings=self.remembered)  # fmt: skip
        outputs.write_reading(reading, folder, document=document)
        return Result(document, _refusals(document, str(ref.source)))

    def _reading(self, ref: SeriesRef, people: People) -> Reading:
        """What the recipe makes of the scan; what is refused, be it as the file is read, comes back with the reason."""
        try:
            scan = people.known(load(ref, max_bytes=self.settings.max_bytes))
        except UsageError:
            raise  # the call is wrong, not the scan
        except RefusedError as error:  # a frontal film, a photograph
            return Reading(people.known(unread(ref)), Quality("refused", (str(error),)), self.reader.model)
        except (SpineclockError, OSError) as error:
            raise _NotReadError("ingest", reason(error)) from error
        reader = self.reader
        try:
            return reader.read(scan, lowest_vertebra=self.settings.lowest_vertebra)
        except UsageError:
            raise
        except RefusedError as error:
            return Reading(scan, Quality("refused", (str(error),)), reader.model)
        except SpineclockError as error:
            raise _NotReadError("predict", str(error)) from error

    def _holds(self, earlier: dict[str, Any], ref: SeriesRef) -> bool:
        """Whether an earlier answer is that of this very input, these settings and these weights."""
        return bool(
            earlier["settings"] == self.remembered
            and earlier["input"].get("source_id") == outputs.source_id(ref.source)
            and earlier["model"]["weights_sha256"] == self.reader.model.weights_sha256
        )


def _refusals(document: dict[str, Any], source: str) -> tuple[Failure, ...]:
    quality = outputs.quality_of(document)
    return (Failure(source, "predict", "; ".join(quality.reasons)),) if quality.verdict == "refused" else ()
