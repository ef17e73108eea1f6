"""Who the scans are of: ages and sexes from a cohort table (CSV, TSV, Parquet, or a BIDS folder's participants.tsv)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath

import pandas as pd
import pandera.pandas as pa

from spineclock.core.errors import TableError
from spineclock.core.records import Scan
from spineclock.ingest.names import bids_session, stem

KEYS = ("scan_id", "path", "person_id")
"""What may tie a row to a scan, the most exact first."""
ALIASES = {"participant_id": "person_id", "age": "age_years"}
"""BIDS's names of our columns."""
NOTHING = ["", "n/a", "N/A", "NA", "NaN", "nan", "null"]
"""Cells that hold no value; "None" is a word, as in exercise."""
SCHEMA = pa.DataFrameSchema(
    {
        "age_years": pa.Column(float, pa.Check.in_range(0, 120), nullable=True, coerce=True, required=False),
        "sex": pa.Column(str, pa.Check.isin(("F", "M", "")), coerce=True, required=False),
    }
)


@dataclass(frozen=True, eq=False)
class Cohort:
    """A checked table of people and their scans."""

    table: pd.DataFrame

    def complete(self, scan: Scan) -> Scan:
        """The scan with age and sex from its row; a scan without a row is left as it is, with a note.

        A row of ``scan_id`` sub-1_ses-2 is that of all the session's BIDS files, such as sub-1_ses-2_T2w.

        Raises
        ------
        TableError
            If rows that fit the scan contradict each other.
        """
        names = {"scan_id": scan.scan_id, "path": stem(scan.source.name), "person_id": scan.person_id}
        for key in KEYS:
            if key in self.table and names[key]:
                rows = self.table[self.table[key] == names[key]]
                if key == "scan_id" and rows.empty and (session := bids_session(scan.scan_id)):
                    rows = self.table[self.table[key] == session]
                facts = rows[["age_years", "sex"]].drop_duplicates()
                if len(facts) > 1:
                    raise TableError(f"{len(facts)} different rows for {key} {names[key]!r}", wanted="one age and sex",
                                     remedy="tie the rows to scans by scan_id or path")  # fmt: skip
                if len(facts):
                    age, sex = facts.iloc[0]
                    known = None if pd.isna(age) else float(age)
                    return replace(scan, age_years=scan.age_years if known is None else known, sex=sex or scan.sex)
        return replace(scan, notes=(*scan.notes, "the cohort table has no row for this scan"))


def read_cohort(path: Path) -> Cohort:
    """The cohort table at a path, checked.

    Columns: ``scan_id``, ``path`` or ``person_id`` (BIDS: ``participant_id``), and ``age_years`` (``age``), ``sex``
    (F, M). Paths are compared by file name without its extension.

    Raises
    ------
    TableError
        If the file is no table, lacks these columns, or holds values that cannot be.
    """
    if path.is_dir():
        path = path / "participants.tsv"
    table = read_table(path)
    table = table.rename(columns={k: v for k, v in ALIASES.items() if v not in table})
    keys = [key for key in KEYS if key in table]
    if not keys or not {"age_years", "sex"} & set(table):
        names = ", ".join(map(str, table.columns))
        raise TableError(f"{path.name} has the columns {names}",
                         wanted=f"one of {', '.join(KEYS)}, and age_years or sex",
                         remedy="save it with commas between the columns" if ";" in names else "")  # fmt: skip
    for key in keys:
        table[key] = table[key].astype("string").fillna("")
    if "path" in table:
        table["path"] = [stem(PureWindowsPath(p).name) for p in table["path"]]  # which knows both kinds of slash
    table["sex"] = table["sex"].astype("string").fillna("").str.strip().str.upper() if "sex" in table else ""
    if "age_years" not in table:
        table["age_years"] = float("nan")
    try:
        return Cohort(SCHEMA.validate(table, lazy=True))
    except pa.errors.SchemaErrors as error:
        worst = error.failure_cases.iloc[0]
        raise TableError(
            f"{path.name}: {_shown(worst['failure_case'])} in column {worst['column']}, "
            f"data row {int(worst['index'] or 0) + 1} ({len(error.failure_cases)} such)",
            wanted="ages from 0 to 120 in years, sex F or M",
        ) from error


@dataclass(frozen=True)
class ScanFile:
    """Where a scan of a cohort lies, as its row tells: the scan, and a label map in some numbering where one is given.

    ``path`` is a file or folder; None where the row names none.
    """

    scan_id: str
    path: Path | None
    mask: Path | None = None
    mask_scheme: str = ""
    sequence: str = ""
    """The scan's weighting, where the table tells it, such as T1w."""


def scan_files(path: Path) -> tuple[ScanFile, ...]:
    """The scans of a cohort table, or of a folder's participants.tsv, in its order and each once.

    Columns: ``scan_id`` and ``path``, where label maps were made elsewhere ``mask`` and ``mask_scheme``, and
    ``sequence`` where files do not tell their weighting. Relative
    paths begin at the table's folder, with either kind of slash. Whether anything lies there is not looked at.

    Raises
    ------
    TableError
        If the file is no table, lacks these columns, names one scan twice with different files, or gives a label map
        without its numbering.
    """
    if path.is_dir():
        path = path / "participants.tsv"
    table = read_table(path)
    if missing := [name for name in ("scan_id", "path") if name not in table]:
        raise TableError(f"{path.name} has the columns {', '.join(map(str, table.columns))}",
                         wanted="scan_id and path", remedy=f"add {' and '.join(missing)}")  # fmt: skip
    texts = {
        name: table[name].astype("string").fillna("").str.strip() if name in table else [""] * len(table)
        for name in ("scan_id", "path", "mask", "mask_scheme", "sequence")
    }
    found: dict[str, ScanFile] = {}
    for number, (scan_id, where, mask, scheme, sequence) in enumerate(zip(*texts.values(), strict=True), start=1):
        if not scan_id:
            raise TableError(f"{path.name}: no scan_id in data row {number}", wanted="a name for each scan")
        if mask and not scheme:
            raise TableError(f"{path.name}: the label map {mask} of scan {scan_id} came without its numbering",
                             wanted="a column mask_scheme", remedy="name who made it, such as spider")  # fmt: skip
        files = _located(where, path.parent), _located(mask, path.parent)
        one = ScanFile(scan_id, *files, scheme if mask else "", sequence)
        if found.setdefault(scan_id, one) != one:
            raise TableError(f"{path.name}: scan {scan_id} has rows with different files", wanted="one of each",
                             remedy="give each scan a scan_id of its own")  # fmt: skip
    return tuple(found.values())


def _located(text: str, folder: Path) -> Path | None:
    """A path of a table's cell; None where it is empty."""
    return folder / PureWindowsPath(text).as_posix() if text else None  # which knows both kinds of slash


def require_scans(table: pd.DataFrame, cohort: Path, *, wanted: str = "one row a scan") -> None:
    """Refuses a table of people that is not one of scans, each once.

    Raises
    ------
    TableError
        If so.
    """
    if "scan_id" not in table:
        raise TableError(f"{cohort} has no column scan_id", wanted=wanted)
    if twice := table["scan_id"][table["scan_id"].duplicated()].to_list():
        raise TableError(f"{cohort} has {len(twice)} scan(s) in two rows, such as {twice[0]}", wanted="one row a scan")


def with_person(table: pd.DataFrame) -> pd.DataFrame:
    """The table with whose scan each is; where that is not told, each is another person's."""
    told = table["person_id"] if "person_id" in table else table["scan_id"]
    return table.assign(person_id=told.where(told.astype(str) != "", table["scan_id"]))


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def read_table(path: Path) -> pd.DataFrame:
    """A table as it is in its file (CSV, TSV, Parquet); names of scans and people stay text.

    Raises
    ------
    TableError
        If it cannot be read as a table.
    """
    try:
        return _frame(path)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        why = " ".join(str(error).split())
        raise TableError(f"{path.name} cannot be read as a table ({why})", wanted="CSV, TSV or Parquet") from error


def _frame(path: Path) -> pd.DataFrame:
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            return pd.read_parquet(path)
        except ImportError as error:
            raise TableError(
                f"{path.name} is Parquet, which this installation cannot read",
                wanted="CSV or TSV, or the package pyarrow",
                remedy="pip install pyarrow",
            ) from error
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return pd.read_csv(path, sep=separator, dtype={key: str for key in (*KEYS, "participant_id", "sex")},
                       keep_default_na=False, na_values=NOTHING)  # fmt: skip
