"""One artificial scan, read once for all tests of the commands; and a stand-in that answers from that reading."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
import numpy as np
import pytest

from spineclock import recipes
from spineclock.core.recipe import Options, Reader
from spineclock.core.records import ModelInfo, Reading, Scan
from spineclock.core.volume import Volume
from spineclock.phantom.lumbar import lumbar_scan
from spineclock.phantom.mri.scanner import Request
from spineclock.phantom.series import Series
from spineclock.run import outputs, predict
from spineclock.run.settings import PredictSettings

AGE = 60.0
V = TypeVar("V", bound=Volume)


def store(volume: Volume, path: Path, *, dtype: Any = None) -> Path:
    """The volume as a NIfTI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(volume.array) if dtype is None else np.asarray(volume.array).astype(dtype)
    nib.save(nib.Nifti1Image(array, volume.affine), path)
    return path


@pytest.fixture(scope="session")
def save_volume() -> Callable[..., Path]:
    return store


@pytest.fixture(scope="session")
def phantom() -> Series:
    """A coarse lumbar slab, as a quick clinical protocol gives: the 7 middle slices, 3.5 mm apart."""
    series = lumbar_scan(age_years=AGE, sex="F", seed=1, request=Request("lumbar"))
    return replace(series, volume=middle(series.volume), labels=middle(series.labels))


def middle(of: V, slices: int = 7) -> V:
    """The middle slices from left to right."""
    first = (of.shape[0] - slices) // 2
    affine = np.array(of.affine)
    affine[:3, 3] += first * affine[:3, 0]
    return replace(of, array=np.asarray(of.array)[first : first + slices], affine=affine)


@pytest.fixture(scope="session")
def phantom_file(phantom, tmp_path_factory) -> Path:
    return store(phantom.volume, tmp_path_factory.mktemp("phantom") / "phantom_T2w.nii.gz")


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The packaged models, loaded once."""
    return recipes.get("mri-age").load("default", Options(threads=1))


@dataclass
class Recording:
    """A reader that keeps what another one answered."""

    real: Reader
    readings: list[Reading] = field(default_factory=list)

    @property
    def model(self) -> ModelInfo:
        return self.real.model

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        self.readings.append(self.real.read(scan, lowest_vertebra=lowest_vertebra))
        return self.readings[-1]


@dataclass(frozen=True)
class Run:
    """What one call of predict_all left, and the reading behind it."""

    out: Path
    status: int
    document: dict[str, Any]
    reading: Reading


@pytest.fixture(scope="session")
def finished(phantom_file, reader, tmp_path_factory) -> Run:
    """The one real run over the phantom, through all doors."""
    out, recording = tmp_path_factory.mktemp("run") / "results", Recording(reader)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "_reader", lambda recipe, settings: recording)
        status = predict.predict_all([phantom_file], PredictSettings(age_years=AGE, sex="F"), out=out)
    document = json.loads((out / "phantom_T2w" / "prediction.json").read_text(encoding="utf-8"))
    return Run(out, status, document, recording.readings[0])


@dataclass
class Canned:
    """A reader that answers every phantom with the one reading, and can be told to do something else for a scan."""

    reading: Reading
    otherwise: dict[str, Callable[[Scan], Reading]] = field(default_factory=dict)
    model: ModelInfo = field(default_factory=ModelInfo)
    ages_years: tuple[float, float] = (14.0, 84.0)
    asked: list[str] = field(default_factory=list)
    """Scans it was asked for, in turn."""
    loaded: list[PredictSettings] = field(default_factory=list)

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        self.asked.append(scan.scan_id)
        if scan.scan_id in self.otherwise:
            return self.otherwise[scan.scan_id](scan)
        prediction, mask = self.reading.prediction, self.reading.scan.mask
        assert prediction is not None
        assert mask is not None
        gap = None if scan.age_years is None else prediction.corrected_age_years - scan.age_years
        return replace(
            self.reading, scan=scan.with_mask(mask), model=self.model, prediction=replace(prediction, gap_years=gap)
        )


@pytest.fixture
def canned(monkeypatch, finished) -> Canned:
    """In place of the models, without pictures: what is tested is what the batch does."""
    stand_in = Canned(finished.reading, model=finished.reading.model)

    def load(recipe: Any, settings: PredictSettings) -> Canned:
        stand_in.loaded.append(settings)
        return stand_in

    monkeypatch.setattr(predict, "_reader", load)
    monkeypatch.setattr(outputs, "_pictures", lambda reading: {})
    return stand_in


@pytest.fixture
def write_dicom(tmp_path) -> Callable[[Volume], Path]:
    """Writes a volume as one classic series with the other tests' writer, and gives its folder."""
    where = Path(__file__).resolve().parents[1] / "ingest" / "conftest.py"
    spec = importlib.util.spec_from_file_location("ingest_writers", where)
    assert spec is not None
    assert spec.loader is not None
    writers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writers)

    def write(volume: Volume) -> Path:
        slices, orientation, (row_mm, column_mm) = writers.lps_slices(volume)
        for n, (pixels, position) in enumerate(slices):
            ds = writers.dataset(*pixels.shape, InstanceNumber=n + 1)
            ds.ImageOrientationPatient = [f"{v:.10f}" for v in orientation]
            ds.ImagePositionPatient = [f"{v:.8f}" for v in position]
            ds.PixelSpacing = [f"{row_mm:.8f}", f"{column_mm:.8f}"]
            ds.PixelData = np.ascontiguousarray(pixels.astype("<i2")).tobytes()
            writers.save(ds, tmp_path / "dicom" / f"{n:03d}.dcm")
        return tmp_path / "dicom"

    return write
