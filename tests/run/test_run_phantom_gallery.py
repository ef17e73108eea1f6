"""The phantom's pictures: orientation, window, colours, people made to order, sizes of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spineclock.core.errors import UsageError
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.mri.scanner import Request
from spineclock.phantom.people import people
from spineclock.run import phantom_findings as findings
from spineclock.run import phantom_gallery as gallery
from spineclock.run.phantom_findings import Order, at, healthy

COARSE = Request(grid_shape=(32, 160, 64))


def test_a_slice_shows_the_head_at_the_top_and_the_front_at_the_left():
    array = np.zeros((3, 4, 5), np.int16)
    array[1, 3, 4] = 7  # front and top
    shown = gallery.plane(array, 1)
    assert shown.shape == (5, 4)
    assert shown[0, 0] == 7
    labels = Mask(np.zeros((3, 4, 5), np.uint16), np.eye(4))
    labels = labels.with_array(np.where(array == 7, 62, 0).astype(np.uint16))
    assert gallery.canal_slice(labels) == 1


def test_the_window_ends_where_the_tissue_round_the_spine_does():
    samples, labels = np.full((60, 60), 50.0), np.zeros((60, 60), np.uint16)
    labels[20:40, 20:24] = 62
    samples[20:40, 20:24] = 100
    samples[:, 55:] = 900  # fat under the coil
    assert gallery.top_of_window(samples, labels, (1.0, 1.0)) == 100
    assert gallery.top_of_window(samples, labels * 0, (1.0, 1.0)) == 900


def test_structures_have_colours_of_their_own():
    numbers = np.array([0, 222, 223, 322, 122, 60, 62, 26, 412, 71, 74, 75])
    colours = gallery.coloured(numbers)
    assert colours[0].tolist() == [0, 0, 0]
    assert len({tuple(c) for c in colours.tolist()}) == len(numbers)
    assert colours[1].tolist() == [0x56, 0xB4, 0xE9]


def test_from_the_front_the_first_label_hides_the_rest():
    array = np.zeros((2, 5, 2), np.uint16)
    array[0, 1:4, 1] = 300, 60, 220
    array[1, 2, 0] = 120
    assert gallery.from_the_front(Mask(array, np.eye(4))).tolist() == [[0, 220], [120, 0]]  # right is at the left


def test_people_made_to_order_have_the_finding_and_chance_gives_what_is_asked_for():
    one = next(o for o in findings.orders() if o.title == "Modic 2, T2")
    person = findings.person_of(one, seed=1)
    spine = anatomy_of(person, seed=1)
    assert spine.bodies[spine.names.index("L4")]["modic_type"] == 2
    assert person.findings["endplate_change"][findings.LEVELS.index("L4")] == 2
    assert (healthy().pfirrmann[findings.USUAL] == 1).all()
    assert at(1, L4=5).sum() == findings.USUAL.sum() - 1 + 5
    with pytest.raises(UsageError, match="nobody with a tail among 3; wanted: another seed"):
        findings.person_of(Order("a tail", anatomy=lambda spine: False), seed=1, most=3)


def test_every_finding_asked_for_has_a_panel():
    titles = " ".join(o.title for o in findings.orders())
    for word in ("healthy", "Pfirrmann 5", "bulge, severe", "protrusion", "extrusion", "Modic 1", "Modic 2", "fissure",
                 "stenosis", "spondylolisthesis", "wedge", "biconcave", "crush", "haemangioma", "facet", "T13", "L6",
                 "scoliosis", "metal", "motion"):  # fmt: skip
        assert word in titles


@pytest.mark.parametrize("look", ["middle", "change", "axial", "front", "dark"])
def test_panels_are_square_crops_round_the_level(look):
    order = Order("x", {"findings": {"extrusion": at(L4=2)}}, look=look, request=COARSE, half_mm=40)
    picture = findings.panel(order, seed=1)
    assert picture.aspect == pytest.approx(1, abs=0.12)
    assert picture.samples.any()
    assert picture.high > 0


def test_cropping_pads_with_black():
    whole = np.arange(1, 101).reshape(10, 10)
    assert findings._cropped(whole, (5, 5), (1.0, 1.0), 2).tolist() == whole[3:7, 3:7].tolist()
    edge = findings._cropped(whole, (0, 0), (1.0, 1.0), 2)
    assert edge.shape == (4, 4)
    assert edge[2, 2] == 1
    assert not edge[:2].any()


def test_a_figure_is_written_within_its_limit_and_says_what_is_simulated(tmp_path: Path):
    rng = np.random.default_rng(0)
    noise = gallery.Picture(rng.integers(0, 255, (200, 160)), (1.0, 1.0), 255.0)
    real = replace(noise, simulated=False)
    figure = gallery.gallery([gallery.Row("a person", {"real, T2 SPACE": real, "T2 SPACE, 1 mm": noise})])
    words = [t.get_text() for axes in figure.axes for t in axes.texts]
    assert words == ["simulated"]
    assert any("SPIDER, van der Graaf et al." in t.get_text() for t in figure.texts)
    gallery.write_picture(figure, tmp_path / "a" / "b.jpg", limit_bytes=60_000)
    assert (tmp_path / "a" / "b.jpg").stat().st_size <= 60_000
    assert Image.open(tmp_path / "a" / "b.jpg").width > 100
    alone = gallery.gallery([gallery.Row("nobody", {"T2 SPACE, 1 mm": noise})])
    assert not any("SPIDER" in t.get_text() for t in alone.texts)


@pytest.mark.slow
def test_a_row_of_a_made_up_person_alone():
    made = traits_of(people(3, seed=1))[0]
    told = gallery.row(made, None, seed=1)
    assert list(told.pictures) == [
        "T2 SPACE, 1 mm", "T2 turbo spin echo", "T1 turbo spin echo", "whole, T2", "label map", "front",
    ]  # fmt: skip
    assert told.title.startswith("simulated: ")
    assert all(p.simulated for p in told.pictures.values())


@pytest.mark.slow
def test_real_people_shown_are_of_the_tuning_half(real_data: Path, monkeypatch):
    from spineclock.ingest.datasets import spider

    shown = []
    monkeypatch.setattr(gallery, "row", lambda made, real, *, seed: shown.append((made, real)))
    list(gallery.rows(spider.read(real_data / "spider"), seed=11))
    assert [p.person_id for _, p in shown] == ["98", "18", "209", "57"]
    assert all(made.sex == p.sex and abs(made.age_years - p.age_years) < 1 for made, p in shown)
    assert isinstance(shown[0][1].volume, Volume)
