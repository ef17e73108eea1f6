"""Age, sex and person from a DICOM header."""

from __future__ import annotations

import hashlib

import pytest

from spineclock.ingest.facts import age_years, facts

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


@pytest.mark.parametrize(
    ("stated", "born", "studied", "age", "notes"),
    [
        ("057Y", "", "", 57, 0),
        ("018M", "", "", 1.5, 0),
        ("026W", "", "", 26 * 7 / 365.2425, 0),
        ("010D", "", "", 10 / 365.2425, 0),
        ("57", "", "", 57, 0),
        ("", "19600601", "20200601", 60.0, 0),
        ("060Y", "19600101", "20201001", 60.75, 0),  # the dates agree and know the part of the year
        ("057Y", "19000101", "20200601", 57, 0),  # 120.4 years: the dates are no dates
        ("057Y", "19400101", "20200601", 57, 1),
        ("", "20250101", "20200601", None, 0),
        ("abcY", "", "", None, 0),
        ("999Y", "", "", None, 0),
        ("", "", "", None, 0),
    ],
)
def test_age(new_dataset, stated, born, studied, age, notes):
    header = new_dataset(4, 4, PatientAge=stated, PatientBirthDate=born, StudyDate=studied)
    found, said = age_years(header)
    assert found == (None if age is None else pytest.approx(age, abs=0.01))
    assert len(said) == notes


@pytest.mark.parametrize(("stored", "sex"), [("F", "F"), ("M", "M"), ("O", ""), ("", ""), ("male", "M")])
def test_sex(new_dataset, stored, sex):
    assert facts(new_dataset(4, 4, PatientSex=stored)).sex == sex


def test_person_is_a_hash_unless_asked(new_dataset):
    header = new_dataset(4, 4)
    assert facts(header).person_id == hashlib.sha256(b"secret-77").hexdigest()[:12]
    assert facts(header, keep_patient_id=True).person_id == "secret-77"
    assert facts(new_dataset(4, 4, PatientID="")).person_id == ""
    assert "Doe" not in repr(facts(header))


def test_scanner_and_burned_in_text(new_dataset):
    told = facts(new_dataset(4, 4, Manufacturer="SIEMENS", ManufacturerModelName="Aera", MagneticFieldStrength=1.5,
                             BurnedInAnnotation="YES"))  # fmt: skip
    assert told.scanner == "SIEMENS Aera 1.5 T"
    assert told.notes == ("text is burned into the image",)
