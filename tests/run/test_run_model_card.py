"""The errors in the age model's card, against hand-computed ones; and the packaged cards themselves."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from spineclock.core.errors import InputError, TableError
from spineclock.nets.weights import sha256
from spineclock.run.model_card import BEGIN, END, error_table, fill
from spineclock.stats.measured_age import MeasuredAge

PAIRS = ((40.0, 30.0), (36.9, 39.9), (50.0, 60.0), (65.0, 69.0), (60.8, 65.0))
"""Errors +10, −3, −10, −4, −4.2."""
SEXES = ["F", "M", "M", "", "F"]
CARDS = Path(str(resources.files("spineclock"))) / "weights"


def model(pairs: tuple[tuple[float, float], ...] = PAIRS) -> MeasuredAge:
    return MeasuredAge(("sex.male",), ((0.0, 1.0),), (0.0,), 50.0, (30.0, 69.0), pairs)


def cells(table: str) -> dict[str, list[str]]:
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_errors_by_band_and_sex_are_those_counted_by_hand():
    rows = cells(error_table(model(), SEXES))
    assert rows == {
        "everyone": ["5", "6.2", "-2.2"],  # 31.2 / 5 = 6.24; −11.2 / 5 = −2.24
        "30 to 39 years": ["2", "6.5", "+3.5"],  # +10, −3
        "60 to 69 years": ["3", "6.1", "-6.1"],  # 18.2 / 3 = 6.07
        "women": ["2", "7.1", "+2.9"],  # +10, −4.2
        "men": ["2", "6.5", "-6.5"],  # −3, −10
        "sex not known": ["1", "4.0", "-4.0"],
    }


def test_a_mean_error_that_rounds_to_nothing_has_no_minus_sign():
    rows = cells(error_table(model(((50.0, 50.04), (60.0, 60.0))), ["F", "F"]))
    assert rows["women"] == ["2", "0.0", "+0.0"]


def test_only_what_stands_between_the_marks_is_replaced(tmp_path):
    card = tmp_path / "MODEL_CARD.md"
    card.write_text(f"# Card\n\n{BEGIN}\nold\n{END}\n\nUse it well.\n", encoding="utf-8")
    text = fill(card, model(), SEXES)
    assert text == f"# Card\n\n{BEGIN}\n\n{error_table(model(), SEXES)}\n\n{END}\n\nUse it well.\n"
    assert "old" in card.read_text(encoding="utf-8")
    card.write_text(text, encoding="utf-8")
    assert fill(card, model(), SEXES) == text


@pytest.mark.parametrize("text", ["# Card\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n", f"{BEGIN}\n"])
def test_a_card_without_one_place_for_errors_is_refused(tmp_path, text):
    card = tmp_path / "card.md"
    card.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"card\.md without one place for its errors; wanted: <!-- errors -->"):
        fill(card, model(), SEXES)


def test_each_pair_needs_its_sex():
    with pytest.raises(TableError, match="4 sexes for 5 out-of-fold predictions"):
        error_table(model(), SEXES[:4])
    with pytest.raises(TableError, match="0 sexes for 0 out-of-fold predictions"):
        error_table(model(()), [])


def test_the_packaged_age_card_has_a_place_for_its_errors():
    assert error_table(model(), SEXES) in fill(CARDS / "MODEL_CARD_mri_age.md", model(), SEXES)


@pytest.mark.parametrize("name", ["segmenter", "mri_age"])
def test_each_card_says_what_the_data_set_s_licence_asks_for(name):
    text = (CARDS / f"MODEL_CARD_{name}.md").read_text(encoding="utf-8")
    for wanted in ("SPIDER", "van der Graaf", "CC BY 4.0", "10.5281/zenodo.10159290", "Not a medical device"):
        assert wanted in text


def test_the_card_of_the_packaged_network_of_films_is_of_its_weights() -> None:
    text = (CARDS / "MODEL_CARD_xray_age.md").read_text(encoding="utf-8")
    assert f"`{sha256(CARDS / 'xray_age' / 'weights.safetensors')}`" in text
    for wanted in ("simulated films only", "Not a medical", "Where it must not be used", "75 to 84 years, women"):
        assert wanted in text


def test_the_card_of_the_packaged_networks_of_osteoporosis_is_of_their_weights() -> None:
    text = (CARDS / "MODEL_CARD_mri_osteoporosis.md").read_text(encoding="utf-8")
    for sequence in ("T1w", "T2w"):
        assert f"`{sha256(CARDS / 'mri_osteoporosis' / sequence / 'weights.safetensors')}`" in text
    for wanted in (
        "simulated scans only",
        "Not a medical device",
        "Where it must not be used",
        "75 to 84 years, women",
    ):
        assert wanted in text
    assert "site site-" not in text
    assert "cropped by true label maps" in text


def test_the_card_of_the_packaged_network_of_ct_says_what_it_has_not_seen() -> None:
    text = (CARDS / "MODEL_CARD_ct_segmenter.md").read_text(encoding="utf-8")
    for wanted in ("Simulated people alone", "Not a medical device", "Where it must not be used"):
        assert wanted in text
    page = (Path(__file__).resolve().parents[2] / "docs" / "results" / "ct_segmentation.md").read_text(encoding="utf-8")
    assert f"`{sha256(CARDS / 'ct_segmenter.safetensors')}`" in page
