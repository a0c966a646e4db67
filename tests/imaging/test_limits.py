"""Limits hold before a pixel is decoded."""

import io
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from PIL import ImageFile
from pydantic import ValidationError

from benchmarks.large_images import png as large_png
from benchmarks.memory import decoding, growth_mib
from faceauth.errors import ImageTooLarge
from faceauth.imaging import budget, limits
from faceauth.imaging.decoding import load_image
from faceauth.imaging.limits import ImageLimits
from tests.imaging.samples import FORMATS, IEND, assert_close, bgr, encode, png, png_pixels, refusal, scene

ROOT = Path(__file__).parents[2]


def claims(image_format: str, side: int) -> bytes:
    """A small file whose header claims ``side`` x ``side`` pixels."""
    if image_format == "PNG":
        return png(png_pixels(), IEND, size_wh=(side, side))
    encoded = bytearray(encode(scene(), image_format))
    if image_format == "JPEG":
        struct.pack_into(">HH", encoded, encoded.index(b"\xff\xc0") + 5, side, side)
    elif image_format == "BMP":
        struct.pack_into("<ii", encoded, 18, side, side)
    else:
        struct.pack_into("<I", encoded, 21, (side - 1) | (side - 1) << 14)
    return bytes(encoded)


@pytest.mark.parametrize(
    ("image_format", "side"), [("JPEG", 50_000), ("PNG", 50_000), ("BMP", 50_000), ("WEBP", 16_383), ("WEBP", 6000)]
)
def test_a_header_of_too_many_pixels_is_refused_before_decoding(image_format: str, side: int) -> None:
    with pytest.raises(ImageTooLarge, match=f"{side**2:,}") as caught:
        load_image(claims(image_format, side))
    assert caught.value.found == side**2
    assert caught.value.limit == ImageLimits().max_pixels


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_pixel_limit_itself_is_allowed(image_format: str) -> None:
    encoded = encode(scene(), image_format)
    assert load_image(encoded, ImageLimits(max_pixels=64 * 48)).shape == (48, 64, 3)
    if image_format != "JPEG":
        with pytest.raises(ImageTooLarge) as caught:
            load_image(encoded, ImageLimits(max_pixels=64 * 48 - 1))
        assert (caught.value.found, caught.value.limit) == (64 * 48, 64 * 48 - 1)


@pytest.mark.parametrize(
    ("max_pixels", "part"), [(999 * 601, 1), (999 * 601 - 1, 2), (500 * 301 - 1, 4), (125 * 76, 8)]
)
def test_a_jpeg_of_too_many_pixels_is_decoded_at_the_largest_fraction_that_fits(max_pixels: int, part: int) -> None:
    large = scene().resize((999, 601))
    encoded = encode(large, "JPEG", quality=95)
    size_wh = (-(-999 // part), -(-601 // part))
    loaded = load_image(encoded, ImageLimits(max_pixels=max_pixels))
    assert_close(loaded, bgr(large.resize(size_wh, Pil.Resampling.BOX)), 6)


def test_a_jpeg_that_fits_at_no_fraction_or_keeps_its_coefficients_is_refused() -> None:
    large = scene().resize((999, 601))
    for encoded, max_pixels in (
        (encode(large, "JPEG"), 125 * 76 - 1),
        (encode(large, "JPEG", progressive=True), 999 * 601 - 1),
    ):
        with pytest.raises(ImageTooLarge) as caught:
            load_image(encoded, ImageLimits(max_pixels=max_pixels))
        assert caught.value.found == 999 * 601


@pytest.mark.parametrize("size_wh", [(8160, 6120), (8064, 6048), (8160, 6144), (8192, 6144)])
def test_the_photo_of_a_50_megapixel_phone_is_read(size_wh: tuple[int, int]) -> None:
    encoded = encode(Pil.new("L", size_wh, 127), "JPEG", quality=30)
    assert load_image(encoded).shape == (size_wh[1] // 2, size_wh[0] // 2, 3)


def test_pillows_own_limit_of_this_process_refuses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pil, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageTooLarge) as caught:
        load_image(encode(scene(), "PNG"))
    assert (caught.value.found, caught.value.limit) == (64 * 48, 2000)


def test_an_image_that_grows_while_it_is_decoded_is_refused() -> None:
    class Growing(ImageFile.ImageFile):
        format = "PNG"

        def _open(self) -> None:
            self._mode, self._size = "L", (48, 48)

        def load(self) -> None:
            self.im = Pil.core.new("L", (400, 400))
            self._size = self.im.size

    with pytest.raises(ImageTooLarge):
        load_image(Growing(io.BytesIO(b"x")), ImageLimits(max_pixels=10_000))


def test_threads_decode_no_more_pixels_at_once_than_the_budget_but_always_one_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "MAX_PIXELS_AT_ONCE", 25_000)
    inside: list[int] = []
    most: list[int] = []

    def decode(size_wh: tuple[int, int]) -> None:
        inside.append(size_wh[0] * size_wh[1])
        most.append(sum(inside))
        time.sleep(0.01)
        inside.remove(size_wh[0] * size_wh[1])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda size_wh: budget.pixel_budget.run(size_wh, partial(decode, size_wh)), [(100, 100)] * 16))
    assert 10_000 < max(most) <= 20_000
    budget.pixel_budget.run((1000, 1000), partial(decode, (1000, 1000)))
    assert max(most) == 1_000_000


@pytest.mark.parametrize("side", [100, 1100])
def test_a_failed_decode_gives_its_pixels_back(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_PIXELS_AT_ONCE", 1)
    noise = Pil.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))
    for _ in range(2):
        assert "truncated" in refusal(encode(noise, "JPEG")[:-100])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process that was started is Linux's")
def test_decoding_any_kind_of_file_takes_no_more_memory_than_documented() -> None:
    peaks = decoding()
    assert len(peaks) == 11
    assert max(peaks.values()) <= limits.PEAK_BYTES_PER_PIXEL
    assert max(peak for kind, peak in peaks.items() if "WebP" not in kind) <= 14


def test_the_pixel_limit_holds_for_arrays_and_pil_pictures() -> None:
    limits = ImageLimits(max_pixels=64 * 48 - 1)
    for source in (np.zeros((48, 64, 3), np.uint8), scene(), Pil.open(io.BytesIO(encode(scene(), "PNG")))):
        with pytest.raises(ImageTooLarge):
            load_image(source, limits)


def test_the_byte_limit_itself_is_allowed_for_every_source(tmp_path: Path) -> None:
    encoded = encode(scene(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(encoded)
    sources: tuple[Callable[[], object], ...] = (
        lambda: encoded,
        lambda: memoryview(encoded),
        lambda: io.BytesIO(encoded),
        lambda: path,
    )
    for source in sources:
        load_image(source(), ImageLimits(max_bytes=len(encoded)))  # type: ignore[arg-type]
        with pytest.raises(ImageTooLarge) as caught:
            load_image(source(), ImageLimits(max_bytes=len(encoded) - 1))  # type: ignore[arg-type]
        assert (caught.value.found, caught.value.limit) == (len(encoded), len(encoded) - 1)


def test_an_endless_stream_is_read_to_one_byte_more_than_the_limit() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0, "asked for everything"
            self.given += min(size, 1000)
            return bytes(min(size, 1000))

    stream = Endless()
    with pytest.raises(ImageTooLarge):
        load_image(stream, ImageLimits(max_bytes=10_500))  # type: ignore[arg-type]
    assert stream.given == 10_501


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_smaller_than_any_face_is_refused(image_format: str) -> None:
    assert "at least 49" in refusal(encode(scene(), image_format), ImageLimits(min_side_px=49))


def test_limits_refuse_an_unknown_field_and_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="max_byte"):
        ImageLimits(max_byte=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="frozen"):
        ImageLimits().max_bytes = 1  # type: ignore[misc]


@pytest.mark.parametrize("arguments", [["image.jpg"], ["image.jpg", "many"], ["decoding", "2", "3"]], ids=" ".join)
def test_the_measurement_of_memory_says_how_it_is_called(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "usage: python -m benchmarks.memory [decoding]")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process that was started is Linux's")
def test_sixteen_threads_at_once_take_the_memory_of_the_budget() -> None:
    """185 MiB; 430 without the budget, 450 without threads that end with their image."""
    growth = growth_mib(large_png((2500, 2000), depth=16, colour=6, interlaced=True), threads=16)
    assert growth * 2**20 <= 12 * budget.MAX_PIXELS_AT_ONCE  # of 8 bytes a pixel, and what the C library keeps


@pytest.mark.parametrize("field", ImageLimits.model_fields)
@pytest.mark.parametrize("value", [True, "100", 1.5, 0])
def test_a_limit_is_a_whole_number_above_0(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        ImageLimits.model_validate({field: value})


def test_a_file_above_the_byte_limit_is_told_by_its_size_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jpg"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room on disk
    with pytest.raises(ImageTooLarge) as caught:
        load_image(path)
    assert caught.value.found == 2**40
