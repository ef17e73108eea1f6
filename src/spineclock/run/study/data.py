"""What a study's sections work on: scans in their sets, with corrected ages and gaps."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spineclock.core.brackets import bracket
from spineclock.core.errors import TableError
from spineclock.core.findings import Findings
from spineclock.ingest.study_table import StudyTable
from spineclock.stats.association.paper import paper_columns
from spineclock.stats.bias import Cole


@dataclass(frozen=True, eq=False)
class StudyData:
    """One study's scans and models, ages corrected by what was fitted on its validation scans."""

    models: pd.DataFrame
    """One row a scan and model: ``model``, ``set`` (train, validation, test: normal scans; abnormal; abnormal of a
    person in training or validation: withheld), ``bracket``, predicted and corrected age, gap."""
    model: str
    """The one the sections after Table 3 are of."""
    correction: Cole
    findings: Findings | None

    @property
    def scans(self) -> pd.DataFrame:
        """The rows of the main model."""
        return self.models[self.models["model"] == self.model]

    def of(self, name: str) -> pd.DataFrame:
        """The scans of one set."""
        return self.scans[self.scans["set"] == name]

    @property
    def full_test(self) -> pd.DataFrame:
        """Normal test scans and all abnormal ones of people who are in neither training nor validation."""
        return self.scans[self.scans["set"].isin(["test", "abnormal"])]

    @property
    def first_scans(self) -> pd.DataFrame:
        """The first scan of each person in the full test set; ``prevalent_fracture`` where fractures are counted."""
        first = self.full_test.sort_values(["person_id", "age_years"]).drop_duplicates("person_id")
        if "prevalent_vertebral_fractures" in first and "prevalent_fracture" not in first:
            count = first["prevalent_vertebral_fractures"]
            first = first.assign(prevalent_fracture=(count > 0).astype("boolean").mask(count.isna()))
        return first


def study_data(given: StudyTable, table: pd.DataFrame, *, model: str | None = None) -> StudyData:
    """The study's scans with findings as Table 5's columns, each model corrected on its own validation scans.

    Parameters
    ----------
    given : StudyTable
        As read.
    table : DataFrame
        Its table with ``normal`` and ``set`` filled in.
    model : str, optional
        The main model; the one called "proposed", else the first.

    Raises
    ------
    TableError
        If a model has no validation scans or its predictions hardly rise with age; a person is in two sets.
    """
    crossing = table[table["set"].isin(["train", "validation", "test"])].groupby("person_id")["set"].nunique()
    if (crossing > 1).any():
        raise TableError(
            f"{int((crossing > 1).sum())} people in more than one of training, validation and test, such as "
            f"{crossing.index[crossing > 1][0]}",
            wanted="each person in one",
            remedy="split by person, or leave the column split out",
        )
    table = table.assign(bracket=bracket(table["age_years"]))
    if given.findings is not None:
        columns = paper_columns(given.findings)
        table = table.join(columns, on="scan_id", rsuffix="_of_findings")
    corrections = {name: _fitted(str(name), part) for name, part in table.groupby("model", sort=False)}
    parts = []
    for name, part in table.groupby("model", sort=False):
        corrected = corrections[name].corrected(part["predicted_age_years"])
        parts.append(part.assign(corrected_age_years=corrected, gap_years=corrected - part["age_years"]))
    names = [str(name) for name in corrections]
    if model is not None and model not in names:
        raise TableError(f"no predictions of a model {model!r}", wanted=f"one of {', '.join(names)}")
    main = model if model is not None else "proposed" if "proposed" in names else names[0]
    return StudyData(pd.concat(parts, ignore_index=True), main, corrections[main], given.findings)


def _fitted(name: str, part: pd.DataFrame) -> Cole:
    validation = part[part["set"] == "validation"]
    if len(validation) < 10:
        raise TableError(
            f"{len(validation)} validation scans{' of model ' + name if name else ''} to fit the bias correction on",
            wanted="at least 10, of people who are neither in training nor in test",
            remedy="name them in a column split, or leave that column out to have people drawn",
        )
    return Cole.fit(validation["predicted_age_years"], validation["age_years"])
