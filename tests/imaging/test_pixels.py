"""Every kind of pixel becomes the same BGR on white."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image as Pil

from faceauth.imaging.decoding import load_image
from tests.imaging.samples import FORMATS, HALF, WHITE, assert_close, bgr, encode, refusal, scene


@pytest.mark.parametrize("image_format", FORMATS)
def test_grey_files_get_three_equal_channels(image_format: str) -> None:
    loaded = load_image(encode(scene().convert("L"), image_format))
    assert_close(loaded, bgr(scene().convert("L")), 6)
    assert (loaded[..., 0] == loaded[..., 2]).all()


@pytest.mark.parametrize("mode", ["1", "P"])
@pytest.mark.parametrize("image_format", ["PNG", "BMP"])
def test_palettes_and_bitmaps_are_expanded(image_format: str, mode: str) -> None:
    assert_close(load_image(encode(scene().convert(mode), image_format)), bgr(scene().convert(mode)))


@pytest.mark.parametrize("alpha", [0, HALF, WHITE])
@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_transparency_is_flattened_on_white(image_format: str, alpha: int) -> None:
    picture = scene()
    picture.putalpha(alpha)
    on_white = Pil.alpha_composite(Pil.new("RGBA", picture.size, "white"), picture)
    encoded = encode(picture, image_format, exact=True)
    assert_close(load_image(encoded), bgr(on_white), 1)
    assert_close(load_image(picture), bgr(on_white), 1)


def test_lossy_webp_with_transparency_is_flattened_on_white() -> None:
    picture = scene()
    picture.putalpha(0)
    assert (load_image(encode(picture, "WEBP", lossless=False)) == WHITE).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA"])
def test_a_transparent_colour_of_a_png_turns_white(mode: str) -> None:
    picture = Pil.new(mode, (40, 40), 0)
    options = {"transparency": {"1": 0, "L": 0, "P": 0, "RGB": (0, 0, 0)}[mode]} if mode != "LA" else {}
    encoded = encode(picture, "PNG", **options)
    assert (load_image(encoded) == WHITE).all()
    assert (load_image(Pil.open(io.BytesIO(encoded))) == WHITE).all()


def test_a_16_bit_png_keeps_its_upper_8_bits() -> None:
    deep = np.linspace(0, 65535, 40 * 50).astype(np.uint16).reshape(40, 50)
    encoded = cv2.imencode(".png", deep)[1].tobytes()
    expected = np.dstack([(deep >> 8).astype(np.uint8)] * 3)
    assert_close(load_image(encoded), expected)
    assert_close(load_image(Pil.open(io.BytesIO(encoded))), expected)
    colour = np.dstack([deep, deep[::-1], deep[:, ::-1]])
    assert_close(load_image(cv2.imencode(".png", colour)[1].tobytes()), (colour >> 8).astype(np.uint8))


def test_a_16_bit_png_with_transparency_is_flattened_on_white() -> None:
    deep = np.full((40, 40, 4), 40000, np.uint16)
    deep[:20, :, 3] = 0
    deep[20:, :, 3] = 65535
    loaded = load_image(cv2.imencode(".png", deep)[1].tobytes())
    assert (loaded[:20] == WHITE).all() and (loaded[20:] == 40000 >> 8).all()


@pytest.mark.parametrize("progressive", [False, True])
def test_cmyk_and_progressive_jpegs_show_what_pil_shows(progressive: bool) -> None:
    encoded = encode(scene().convert("CMYK"), "JPEG", quality=95, progressive=progressive)
    assert_close(load_image(encoded), bgr(Pil.open(io.BytesIO(encoded))), 3)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "L", "RGB"])
def test_pil_modes_of_8_bits_are_converted(mode: str) -> None:
    picture = scene().convert(mode)
    assert_close(load_image(picture), bgr(picture))


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_pil_modes_without_a_known_range_are_refused_by_name(mode: str) -> None:
    assert f"mode {mode}" in refusal(Pil.new(mode, (40, 40)))


def test_a_bmp_stored_from_top_to_bottom_is_upright() -> None:
    encoded = bytearray(encode(scene(), "BMP"))
    struct.pack_into("<i", encoded, 22, -48)
    assert_close(load_image(bytes(encoded)), bgr(scene())[::-1])


def test_an_os2_bmp_is_read() -> None:
    rows = np.full((40, 120), 77, np.uint8).tobytes()
    encoded = b"BM" + struct.pack("<IIIIHHHH", 26 + len(rows), 0, 26, 12, 40, 40, 1, 24) + rows
    assert (load_image(encoded) == 77).all()
