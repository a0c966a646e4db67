"""Exif orientation through `load_image`: applied once, whatever the block looks like."""

import io
import struct

import pytest
from PIL import Image as Pil
from PIL import ImageOps

from faceauth.imaging import pixels
from faceauth.imaging.decoding import load_image
from tests.imaging.samples import EXIF_FORMATS, assert_close, bgr, encode, scene


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", EXIF_FORMATS)
def test_orientation_is_applied_exactly_once(image_format: str, orientation: int) -> None:
    exif = Pil.Exif()
    exif[0x0112] = orientation
    encoded = encode(scene(), image_format, exif=exif)
    expected = bgr(ImageOps.exif_transpose(Pil.open(io.BytesIO(encoded))))
    assert expected.shape == ((48, 64, 3) if orientation < 5 else (64, 48, 3))
    assert_close(load_image(encoded), expected, 2)
    assert_close(load_image(Pil.open(io.BytesIO(encoded))), expected)
    assert_close(load_image(ImageOps.exif_transpose(Pil.open(io.BytesIO(encoded)))), expected)


def test_orientation_is_applied_to_transparent_pictures_too() -> None:
    exif = Pil.Exif()
    exif[0x0112] = 6
    encoded = encode(scene().convert("RGBA"), "PNG", exif=exif)
    assert_close(load_image(encoded), bgr(scene().transpose(Pil.Transpose.ROTATE_270)))


def test_a_file_and_its_pil_image_turn_alike_where_only_xmp_states_an_orientation() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    encoded = encode(scene(), "JPEG", xmp=xmp)
    assert load_image(encoded).shape == load_image(Pil.open(io.BytesIO(encoded))).shape == (64, 48, 3)


def with_exif(tiff: bytes) -> bytes:
    return encode(scene(), "JPEG", exif=b"Exif\0\0" + tiff)


@pytest.mark.parametrize("order", "<>")
def test_exif_is_read_in_both_byte_orders(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    other = struct.pack(order + "HHIHH", 0x0100, 3, 1, 640, 0)
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 8, 0)
    tiff = mark + struct.pack(order + "IH", 8, 2) + other + entry + bytes(4)
    assert load_image(with_exif(tiff)).shape == (64, 48, 3)


@pytest.mark.parametrize(
    "tiff",
    [
        b"",
        b"junk",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0" + struct.pack("<IH", 8, 0),
        b"II*\0" + struct.pack("<IH", 8, 500),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 9, 0),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, 0, 0),
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 2, 4, 6, 0),
        b"II*\0" + struct.pack("<IH", 8, 5000) + struct.pack("<HHII", 0x9286, 7, 60_000, 8) * 5000,
    ],
)
def test_a_damaged_exif_block_means_as_stored_without_a_warning(
    tiff: bytes, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert_close(load_image(with_exif(tiff)), load_image(encode(scene(), "JPEG")))
    assert not recwarn.list and capfd.readouterr().err == ""


def test_an_exif_block_too_long_for_a_segment_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Pil.Exif()
    exif[0x0112] = 6
    encoded = encode(scene(), "PNG", exif=exif)
    assert load_image(encoded).shape == (64, 48, 3)
    monkeypatch.setattr(pixels, "MAX_EXIF_BYTES", 10)
    assert load_image(encoded).shape == (48, 64, 3)


def test_a_pil_image_of_the_caller_is_not_turned() -> None:
    exif = Pil.Exif()
    exif[0x0112] = 6
    image = Pil.open(io.BytesIO(encode(scene(), "PNG", exif=exif)))
    load_image(image)
    assert image.size == (64, 48)
    assert image.getexif()[0x0112] == 6
