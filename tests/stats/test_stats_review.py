"""The review sheet of large gaps, and what comes back filled in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.stats.review import VERDICTS, ReviewCounts, ReviewSheet


def predictions(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age, gap = rng.uniform(25, 85, n), rng.normal(0, 8, n)
    return pd.DataFrame({
        "scan_id": [f"s{i:03}" for i in range(n)], "age_years": age, "gap_years": gap, "corrected_age_years": age + gap,
        "share_off_spine": rng.uniform(0, 0.4, n),
    })  # fmt: skip


@pytest.fixture(scope="module")
def sheet() -> pd.DataFrame:
    return ReviewSheet()(predictions())


def filled(sheet: pd.DataFrame) -> pd.DataFrame:
    """As in the paper: most as expected, artefact 2, segmentation 1, age model 4."""
    rest = len(sheet) - 7
    verdicts = ["artefact"] * 2 + ["segmentation"] + ["age model"] * 4 + ["as expected"] * rest
    return sheet.assign(verdict=verdicts)


def test_the_sheet_holds_whom_it_should(sheet):
    table = predictions()
    assert set(sheet["scan_id"]) == set(table["scan_id"][table["gap_years"].abs() > 15])
    assert sheet["gap_years"].abs().is_monotonic_decreasing
    assert (sheet["verdict"] == "").all()
    assert list(sheet.columns) == [
        "scan_id", "age_years", "predicted_age_years", "gap_years", "share_off_spine", "verdict", "comment"
    ]  # fmt: skip
    assert "share_off_spine" not in ReviewSheet()(table.drop(columns="share_off_spine"))
    assert len(ReviewSheet(limit_years=100)(table)) == 0


def test_the_papers_thirty_and_their_exact_interval():
    sheet = pd.DataFrame({
        "scan_id": np.arange(30), "age_years": 60.0, "predicted_age_years": 80.0, "gap_years": 20.0, "verdict": ""
    })  # fmt: skip
    found = ReviewCounts(sheet)(filled(sheet)).set_index("term")
    assert found["count"].to_dict() == dict(zip(VERDICTS, [23, 2, 1, 4, 0], strict=True))
    row = found.loc["as expected"]
    assert [row["estimate"], row["low"], row["high"]] == pytest.approx([23 / 30, 0.5772, 0.9007], abs=1e-4)
    none = found.loc["unclear"]
    assert (none["estimate"], none["low"]) == (0, 0)
    assert none["high"] == pytest.approx(1 - 0.025 ** (1 / 30))  # Clopper and Pearson in closed form
    assert row["sentence"] == "23 of 30 large gaps (77%, 95% CI 58 to 90%) were judged 'as expected'."


def test_what_a_spreadsheet_does_to_a_sheet_is_forgiven(sheet):
    back = filled(sheet).sample(frac=1, random_state=0)
    back["verdict"] = back["verdict"].str.upper().str.replace(" ", "  ") + " "
    back["gap_years"] = back["gap_years"].round(0).astype(int).astype(str)
    found, plain = (ReviewCounts(sheet)(t).set_index("term") for t in (back, filled(sheet)))
    assert found["count"].tolist() == plain["count"].tolist()


def test_scans_not_read_yet_are_counted_apart(sheet):
    back = filled(sheet)
    back.loc[back.index[-3:], "verdict"] = [None, "", np.nan]
    found = ReviewCounts(sheet)(back)
    assert set(found["unread"]) == {3}
    assert set(found["n"]) == {len(sheet) - 3}
    assert "; 3 not read yet" in found.loc[0, "sentence"]


def test_attention_off_the_spine_by_verdict(sheet):
    found = ReviewCounts(sheet)(filled(sheet)).set_index("term")
    assert found.loc["age model", "off_spine"] == pytest.approx(sheet["share_off_spine"].iloc[3:7].mean())
    assert found.loc["age model", "scans"] == ", ".join(sheet["scan_id"].iloc[3:7])
    assert np.isnan(found.loc["unclear", "off_spine"])


def test_every_offending_row_is_named_as_the_spreadsheet_numbers_it(sheet):
    back = filled(sheet)
    back.loc[1, "verdict"] = "fine"
    back.loc[3, "scan_id"] = "t999"
    back.loc[4, "scan_id"] = back.loc[0, "scan_id"]
    back.loc[5, "age_years"] += 10
    with pytest.raises(TableError) as error:
        ReviewCounts(sheet)(back)
    text = str(error.value)
    assert "row 3: verdict 'fine' is unknown" in text
    assert "row 5: scan t999 was not on the sheet" in text
    assert f"row 6: scan {back.loc[0, 'scan_id']} is in row 2 already" in text
    assert f"row 7: age_years of scan {back.loc[5, 'scan_id']} was " in text
    assert f"scan {sheet.loc[3, 'scan_id']}, {sheet.loc[4, 'scan_id']} is gone from the sheet" in text
    assert text.count("row ") == 5


def test_an_empty_sheet_or_one_without_verdicts_is_refused(sheet):
    with pytest.raises(TableError, match=f"no verdict on any of {len(sheet)} scans"):
        ReviewCounts(sheet)(sheet)
    with pytest.raises(TableError, match="no column verdict"):
        ReviewCounts(sheet)(sheet.drop(columns="verdict"))
    table = predictions()
    with pytest.raises(TableError, match=r"scan s\d+ in several rows"):
        ReviewSheet()(pd.concat([table, table]))
