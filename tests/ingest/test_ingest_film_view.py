"""Which films are lateral and where their front is, told by pictures alone; what is no film at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import sklearn.datasets
from filmmaker import SC, save_film
from frontal import FORMS, frontal_film
from PIL import Image
from test_ingest_film import read, shown, why

from spineclock.core.errors import RefusedError
from spineclock.core.recipe import LATERAL_FILM
from spineclock.ingest.film.look import look
from spineclock.ingest.film.view import examined, frontality, seen_view
from spineclock.ingest.refs import FilmFacts
from spineclock.ingest.series import read_scans
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people
from spineclock.phantom.radiograph.scanner import Request, acquire

SILENT = {"ViewPosition": None, "PatientOrientation": None, "BodyPartExamined": ""}
HEADER_SILENT = FilmFacts("radiograph")
UNTOLD = "the header does not say where the front is, and "


@pytest.fixture(scope="module")
def lateral() -> list[np.ndarray]:
    """Lateral radiographs and VFA in turn, as looked at, rows downwards, front at the left."""
    persons = traits_of(people(6, seed=5))[:6]
    made = [acquire(p, Request(("radiograph", "vfa")[k % 2], pixel_mm=1.0), seed=5)[0] for k, p in enumerate(persons)]
    return [np.asarray(film.volume.array[0].T[::-1, ::-1]).astype(np.uint16) for film in made]


@pytest.fixture(scope="module")
def frontal() -> list[np.ndarray]:
    persons = traits_of(people(3, seed=5))[:3]
    return [frontal_film(p, seed=5, form=form).astype(np.uint16) for p, form in zip(persons, FORMS, strict=True)]


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    """Colour photographs: a woman's portrait, a temple, a flower."""
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return [np.asarray(Image.open(portrait).convert("RGB")), *sklearn.datasets.load_sample_images().images]


def test_lateral_films_are_told_from_frontal_ones(lateral, frontal):
    assert [seen_view(film) for film in lateral] == ["lateral"] * 6
    assert [seen_view(film) for film in frontal] == ["frontal"] * 3


@pytest.mark.parametrize("turn", [False, True])
def test_the_front_is_found_whichever_way_the_film_hangs(lateral, turn):
    for film in lateral:
        front, notes = examined(film[:, ::-1] if turn else film, HEADER_SILENT, modality="DX")
        assert front == ("right" if turn else "left")
        (note,) = notes
        assert note.startswith(f"{UNTOLD}it was judged by the picture to be at its {front}: see that")


def test_statistics_do_not_depend_on_the_look_up_curve_or_on_size(lateral):
    for film in lateral[:2]:
        one, other = look(film), look(np.sqrt(film.astype(float) + 1).repeat(2, 0).repeat(2, 1))
        assert other.mirror == pytest.approx(one.mirror, abs=0.15)
        assert other.front == pytest.approx(one.front, abs=0.3)
        assert look(film[:, ::-1]).front == pytest.approx(-one.front)
        assert look(film[:, ::-1]).mirror == pytest.approx(one.mirror, abs=1e-9)


def test_black_bars_beside_a_film_make_it_no_frontal_one(lateral):
    for film in lateral:
        padded = np.pad(film, ((0, 0), (film.shape[0] // 2,) * 2))
        assert frontality(look(padded)) == pytest.approx(frontality(look(film)), abs=0.15)
        assert examined(padded, HEADER_SILENT)[0] == "left"


def test_a_header_is_believed_against_the_picture(lateral, frontal):
    for film in lateral[:2]:
        assert examined(film, replace(HEADER_SILENT, across="A", down="F"))[0] == "right"
        assert examined(film, replace(HEADER_SILENT, across="P", down="F"))[0] == "left"
        with pytest.raises(RefusedError, match="a frontal film, as its header says"):
            examined(film, replace(HEADER_SILENT, view="frontal"))
    assert examined(frontal[0], replace(HEADER_SILENT, view="lateral", across="P", down="F")) == ("left", ())


def test_where_neither_tells_the_front_that_is_said(frontal):
    assert examined(frontal[0], replace(HEADER_SILENT, view="lateral"))[1][0].startswith(f"{UNTOLD}the picture hardly")


def test_films_without_a_word_in_their_headers(tmp_path, lateral, frontal):
    scan = read(save_film(tmp_path / "lat", lateral[0][:, ::-1], **SILENT))
    np.testing.assert_array_equal(shown(scan), lateral[0])
    assert scan.notes[0] == "pixel spacing at the detector: the spine is shown larger than it is"
    assert scan.notes[1].startswith(f"{UNTOLD}it was judged by the picture to be at its right")
    assert len(scan.notes) == 2
    assert "a frontal film, as its picture tells (mirror symmetry" in why(
        save_film(tmp_path / "ap", frontal[1], **SILENT)
    )


def test_a_study_whose_headers_tell_nothing_gives_the_film_that_looks_lateral(tmp_path, lateral, frontal):
    save_film(tmp_path / "s/1", frontal[0], InstanceNumber=1, **SILENT)
    save_film(tmp_path / "s/2", lateral[1], InstanceNumber=2, **SILENT)
    save_film(tmp_path / "s/3", frontal[2], InstanceNumber=3, **SILENT)
    result = read_scans(tmp_path / "s", accepts=LATERAL_FILM)
    assert [scan.source.name for scan in result.scans] == ["2"]
    assert {r.reason for r in result.refused} == {"a frontal film; wanted: lateral"}
    assert "the header does not state the view: lateral, as the picture tells" in result.scans[0].notes


def saved(path: Path, array: np.ndarray) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_photographs_are_refused(tmp_path, photographs):
    for n, photograph in enumerate(photographs):
        assert "a colour picture" in why(saved(tmp_path / f"{n}.png", photograph))
        assert "a colour picture" in why(saved(tmp_path / f"{n}.jpg", photograph))
    grey = np.asarray(Image.fromarray(photographs[0]).convert("L"))
    assert "in which nothing runs from top to bottom as a spine does" in why(saved(tmp_path / "grey.png", grey))


def test_pictures_of_films_are_read(tmp_path, lateral):
    for n, film in enumerate(lateral):
        scan = read(saved(tmp_path / f"{n}.png", (film / 16).astype(np.uint8)))
        np.testing.assert_array_equal(shown(scan), film // 16)
        assert "not stated whether a radiograph or a densitometer's film: taken as a radiograph" in scan.notes


def page() -> np.ndarray:
    """A page of text: short black strokes in lines on white."""
    white = np.full((800, 600), 255, np.uint8)
    rng = np.random.default_rng(0)
    for row in range(60, 740, 18):
        for column in range(50, 550, 7):
            if rng.random() < 0.75:
                white[row : row + 9, column : column + int(rng.integers(1, 5))] = 0
    return white


def test_pages_and_empty_pictures_are_refused(tmp_path):
    assert "a drawing, a screenshot or a page of text" in why(saved(tmp_path / "page.png", page()))
    noise = (100 + np.random.default_rng(0).normal(0, 3, (900, 700))).astype(np.uint8)
    assert "an all but empty picture" in why(saved(tmp_path / "noise.png", noise))
    assert "every sample is 7" in why(saved(tmp_path / "blank.png", np.full((90, 70), 7, np.uint8)))
    capture = save_film(tmp_path / "page", page(), Modality="OT", SOPClassUID=SC, Manufacturer="Hologic", **SILENT)
    assert "a drawing, a screenshot or a page of text" in why(capture)


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (900, 2), (17, 17), (5, 5)])
def test_very_small_and_very_long_pictures_have_statistics_too(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    (tmp_path / "a.json").write_text(json.dumps({"PatientOrientation": ["A", "F"]}))
    result = read_scans(saved(tmp_path / "a.png", array), accepts=LATERAL_FILM)
    assert len(result.scans) + len(result.failures) == 1
