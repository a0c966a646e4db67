"""Mutated files: each is a valid picture within the limits or exactly one ImageError, whatever the bytes.

``python tests/imaging/test_fuzz.py 1000000 7`` runs more files with another seed.
"""

import io
import json
import os
import random
import resource
import struct
import subprocess
import sys
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pil

from faceauth.errors import ImageError
from faceauth.imaging.decoding import load_image
from faceauth.imaging.limits import ImageLimits

LIMITS = ImageLimits(max_bytes=200_000, max_pixels=1_000_000, min_side_px=8)
RSS_GROWTH_MIB = 64
"""1,000,000 pixels cost 16 MB while they are decoded; the rest is slack for the allocator."""


@cache
def valid_files() -> tuple[bytes, ...]:
    """Every format in its variants, 40 x 36 pixels of a gradient with a little noise."""
    x, y = np.meshgrid(np.linspace(0, 255, 40), np.linspace(0, 255, 36))
    noise = np.random.default_rng(0).normal(0, 8, (36, 40, 3))
    colour = Pil.fromarray((np.dstack([x, y, 255 - x]) + noise).clip(0, 255).astype(np.uint8))
    clear = colour.copy()
    clear.putalpha(Pil.fromarray(x.astype(np.uint8)))
    deep = Pil.fromarray((x * 257).astype(np.uint16))
    exif = Pil.Exif()
    exif[0x0112] = 6
    frames: dict[str, object] = {"save_all": True, "append_images": [colour.rotate(180)], "duration": 9}
    variants: tuple[tuple[Pil.Image, str, dict[str, object]], ...] = (
        (colour, "JPEG", {"exif": exif}),
        (colour, "JPEG", {"progressive": True, "subsampling": 0}),
        (colour, "JPEG", {"restart_marker_blocks": 2}),
        (colour.convert("L"), "JPEG", {}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour, "PNG", {"exif": exif}),
        (clear, "PNG", {}),
        (deep, "PNG", {}),
        (colour.convert("P"), "PNG", {"transparency": 3}),
        (colour.convert("1"), "PNG", {}),
        (colour, "PNG", frames),
        (colour, "WEBP", {"exif": exif}),
        (clear, "WEBP", {}),
        (clear, "WEBP", {"lossless": True}),
        (colour, "WEBP", frames),
        (colour, "BMP", {}),
        (colour.convert("P"), "BMP", {}),
        (colour.convert("1"), "BMP", {}),
        (clear, "BMP", {}),
    )
    files = []
    for picture, image_format, options in variants:
        buffer = io.BytesIO()
        picture.save(buffer, image_format, **options)  # type: ignore[arg-type]
        files.append(buffer.getvalue())
    return tuple(files)


def with_good_checksums(data: bytes) -> bytes:
    """A PNG whose chunk checksums fit again, so that a mutation reaches the decoder; other bytes unchanged."""
    if not data.startswith(b"\x89PNG"):
        return data
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to six damages: flips, extreme numbers, cuts, insertions, repeats and splices with another file."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(out) + 1) if rng.random() < 0.6 else rng.randrange(min(len(out), 64) + 1)
        length = rng.choice((1, 2, 4, 16, 200))
        damage = rng.randrange(8)
        if damage <= 1 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif damage == 2:
            out[at : at + length] = rng.randbytes(length)
        elif damage == 3:
            width = rng.choice((1, 2, 4))
            out[at : at + width] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80"))[:1] * width
        elif damage == 4:
            del out[at : at + length]
        elif damage == 5:
            out[at:at] = rng.choice((rng.randbytes(length), bytes(length), b"\xff" * length, out[at : at + length]))
        elif damage == 6:
            other = rng.choice(valid_files())
            start = rng.randrange(len(other))
            out[at : at + length] = other[start : start + rng.choice((length, len(other)))]
        elif damage == 7 and rng.random() < 0.3:
            del out[at:]
    return with_good_checksums(bytes(out)) if rng.random() < 0.7 else bytes(out)


def answer(data: bytes) -> str:
    """``picture`` for a valid one, else the class of the only kind of error that may be raised."""
    try:
        image = load_image(data, LIMITS)
    except ImageError as error:
        assert str(error)
        return type(error).__name__
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert image.shape[0] * image.shape[1] <= LIMITS.max_pixels and min(image.shape[:2]) >= LIMITS.min_side_px
    assert image.flags.c_contiguous
    return "picture"


def run(files: int, seed: int) -> dict[str, float]:
    """Counts of the answers, and by how many MiB the peak of the resident memory grew."""
    rng = random.Random(seed)
    for data in valid_files():
        answer(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = Counter(answer(mutate(rng.choice(valid_files()), rng)) for _ in range(files))
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in KiB elsewhere
    return {**answers, "grown_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit}


def test_the_files_to_mutate_are_valid_but_for_the_animated() -> None:
    assert Counter(answer(data) for data in valid_files()) == {"picture": 17, "ImageUnreadable": 2}


def test_2000_mutated_files_give_a_picture_or_one_error_and_no_crash_in_bounded_memory() -> None:
    """In a process of its own, so that a crash of a decoder is a failure here and the memory is that of this test."""
    done = subprocess.run(
        [sys.executable, __file__, "2000", "1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout)
    assert answers.pop("grown_mib") < RSS_GROWTH_MIB
    assert set(answers) == {"picture", "ImageUnreadable", "ImageTooLarge"}
    assert sum(answers.values()) == 2000
    assert min(answers["picture"], answers["ImageUnreadable"]) > 200, "the mutations are too mild or too harsh"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_any_mutation_of_a_valid_file_gets_one_answer(seed: int) -> None:
    rng = random.Random(seed)
    answer(mutate(rng.choice(valid_files()), rng))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_cut_or_splice_of_two_valid_files_gets_one_answer(data: st.DataObject) -> None:
    first, second = data.draw(st.sampled_from(valid_files())), data.draw(st.sampled_from(valid_files()))
    answer(first[: data.draw(st.integers(0, len(first)))] + second[data.draw(st.integers(0, len(second))) :])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\xff\0\0\0WEBP", b"BM"]), st.binary())
def test_arbitrary_bytes_behind_a_magic_number_get_one_answer(magic: bytes, rest: bytes) -> None:
    assert answer(magic + rest) != "picture"


if __name__ == "__main__":
    print(json.dumps(run(files=int(sys.argv[1]), seed=int(sys.argv[2]))))
