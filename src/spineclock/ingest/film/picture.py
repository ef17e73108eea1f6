"""PNG, JPEG and TIFF pictures of 8 and 16 bits: their size, and their grey values."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError

from spineclock.core.errors import InputError
from spineclock.core.volume import Array
from spineclock.ingest import checks
from spineclock.ingest.film.grey import one_grey

FORMATS = ("PNG", "JPEG", "TIFF")
_BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError, MemoryError,
    AttributeError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises on damaged files: it promises no type of its own."""
_EXIF_ORIENTATION, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 0x0112, 262, 0
_TURNS = {
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1], 7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}  # fmt: skip
"""What EXIF's orientation asks for, on (rows, columns)."""


def size(path: Path) -> tuple[int, int]:
    """Rows and columns as the picture is to be shown, from its header alone.

    Raises
    ------
    InputError
        If it is none of the formats, damaged, or holds several pictures.
    """
    with _opened(path) as image:
        columns, rows = image.size
        return (columns, rows) if _orientation(image) >= 5 else (rows, columns)


def grey(path: Path, *, max_bytes: int) -> tuple[Array, tuple[str, ...]]:
    """Grey values (rows, columns) as stored, 16 bits kept, and notes; upright where EXIF says how it was held.

    Raises
    ------
    InputError
        If it is damaged, or larger than allowed (judged from the header).
    RefusedError
        If it is a colour picture.
    """
    with _opened(path) as image:
        checks.require_room(image.size, max_bytes=max_bytes)
        turn = _TURNS.get(_orientation(image), lambda a: a)
        white_is_zero = _white_is_zero(image)
        if image.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "La", "RGBa", "RGBX"):
            image = image.convert(
                "RGBA" if "transparency" in image.info or image.mode in ("PA", "La", "RGBa") else "RGB"
            )
        array = np.asarray(image)
    if array.ndim not in (2, 3) or array.shape[:2] != image.size[::-1] or array.dtype.kind not in "buif":
        raise _damaged(path, f"samples of shape {array.shape}")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    values, notes = one_grey(array)
    if white_is_zero and values.dtype.kind == "u":
        values = np.iinfo(values.dtype).max - values
    return np.ascontiguousarray(turn(values)), notes


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture with only its header read, its samples not yet; whatever goes wrong inside is said in our words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes between a film's and a bomb's: judged by the caller
            with Image.open(path, formats=FORMATS) as image:
                count = getattr(image, "n_frames", 1)
                if count > 1:
                    raise InputError(f"{count} pictures in one file", wanted="one", remedy="save the film by itself")
                yield image
    except DecompressionBombError as error:
        raise InputError(
            f"a picture that would unpack to far more than a film ({error})",
            wanted="at most 100 million pixels",
            remedy="check that it is a film; reduce its size",
        ) from error
    except UnidentifiedImageError as error:
        raise _damaged(path, "its header is damaged") from error
    except PermissionError:
        raise
    except _BROKEN as error:
        raise _damaged(path, str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # asked nonetheless, Pillow would unpack the whole picture
    value = image.getexif().get(_EXIF_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a 16-bit TIFF is stored white first, which Pillow evens out for 8 bits only."""
    tags = getattr(image, "tag_v2", {})
    return image.mode.startswith("I") and tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO


def _damaged(path: Path, detail: str) -> InputError:
    return InputError(
        f"{path.name} cannot be read as a picture ({detail})",
        wanted="a whole PNG, JPEG or TIFF of 8 or 16 bits",
        remedy="export it again; renaming a file does not convert it",
    )
