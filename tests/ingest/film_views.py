"""How often pictures alone tell view and facing of simulated films: ``film_views.py [PEOPLE] [SEED]``.

The figures of docs/data.md. Lateral films are the phantom's; frontal ones are the stand-ins of frontal.py.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import sklearn.datasets
from frontal import FORMS, frontal_film
from PIL import Image

from spineclock.core.errors import SpineclockError
from spineclock.ingest.film.view import examined
from spineclock.ingest.refs import FilmFacts
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people
from spineclock.phantom.radiograph.scanner import Request, acquire


def judged(picture: np.ndarray, front: str) -> str:
    """What becomes of a picture whose header says nothing."""
    try:
        found, notes = examined(picture, FilmFacts())
    except SpineclockError as error:
        return f"refused: {str(error).split(';')[0].split('(')[0].strip()}"
    sure = "for sure" if all("it was judged by the picture" in note for note in notes) else "as doubtful"
    if not front:
        return f"accepted {sure}"
    return f"accepted {sure}, front {'right' if found == front else 'wrong'}"


def measure(count: int, seed: int, world: str) -> None:
    """Prints what becomes of lateral and frontal films of so many people."""
    told: dict[str, Counter[str]] = {"lateral radiograph": Counter(), "lateral vfa": Counter(), "frontal": Counter()}
    rng = np.random.default_rng(seed)
    for k, person in enumerate(traits_of(people(count, seed=seed))[:count]):
        kind = ("radiograph", "vfa")[k % 2]
        film = acquire(person, Request(kind, pixel_mm=1.0, world=world), seed=seed)[0].volume.array[0].T[::-1]
        turned = bool(rng.random() < 0.5)  # canonical films face right
        told[f"lateral {kind}"][judged(film[:, ::-1] if turned else film, "left" if turned else "right")] += 1
        told["frontal"][judged(frontal_film(person, seed=seed, form=FORMS[k % 3]), "")] += 1
    for name, found in told.items():
        print(f"{world}, {name}: {dict(found.most_common())}")


def photographs() -> None:
    """Prints what becomes of three photographs in grey, and of 60 pieces of them."""
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    pictures = [np.asarray(Image.open(portrait).convert("L"))]
    pictures += [np.asarray(Image.fromarray(p).convert("L")) for p in sklearn.datasets.load_sample_images().images]
    rng = np.random.default_rng(0)
    pieces = []
    for p in pictures:
        for _ in range(20):
            tall = int(rng.uniform(0.4, 1) * p.shape[0])
            wide = min(p.shape[1], int(tall * rng.uniform(0.4, 1.2)))
            top, left = (int(rng.integers(0, n - m + 1)) for n, m in zip(p.shape, (tall, wide), strict=True))
            pieces.append(p[top : top + tall, left : left + wide])
    print("grey photographs:", [judged(p, "") for p in pictures])
    print("pieces of them:", dict(Counter(judged(p, "") for p in pieces).most_common()))


if __name__ == "__main__":
    people_, seed_ = (int(a) for a in (*sys.argv[1:], *("200", "74")[len(sys.argv) - 1 :]))
    for world_ in ("default", "shifted"):
        measure(people_, seed_, world_)
    photographs()
