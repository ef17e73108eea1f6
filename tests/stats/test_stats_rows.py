from __future__ import annotations

import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.stats.rows import complete, of_split

TABLE = pd.DataFrame({"age": ["50", "61.5", None], "sex": ["F", None, "M"], "split": ["test", "test", "train"]})


def test_numbers_written_as_text_are_read_and_the_table_is_left_alone():
    rows = complete(TABLE, numbers=["age"], names=["sex"])
    assert rows.table["age"].tolist() == [50.0]
    assert rows.left_out == 2
    assert TABLE["age"].tolist() == ["50", "61.5", None]


def test_a_word_where_a_number_should_be_is_named_with_its_row():
    with pytest.raises(TableError, match=r"'fifty' in column age, row 7 \(1 such\); wanted: numbers"):
        complete(pd.DataFrame({"age": ["40", "fifty"]}, index=[6, 7]), numbers=["age"])


def test_missing_columns_and_too_few_rows_are_refused():
    with pytest.raises(TableError, match="no column bmi in a table of age, sex, split; wanted: age, bmi"):
        complete(TABLE, numbers=["age", "bmi"])
    with pytest.raises(TableError, match="1 rows with age, sex; wanted: at least 2"):
        complete(TABLE, numbers=["age"], names=["sex"], at_least=2)


def test_a_split():
    assert len(of_split(TABLE, "split", "test")) == 2
    with pytest.raises(TableError, match="no row with split validation, only test, train"):
        of_split(TABLE, "split", "validation")
