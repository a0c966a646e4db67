"""Files that are refused, and files that only look as if they should be."""

import base64
import io
import os
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from PIL import ImageFile

from faceauth.errors import ImageError, ImageTooLarge, ImageUnreadable
from faceauth.imaging.decoding import load_image
from faceauth.imaging.formats import MAX_READS, MAX_SCANS
from faceauth.imaging.limits import ImageLimits
from tests.imaging.samples import FORMATS, IEND, assert_close, bgr, encode, png, png_chunk, png_pixels, refusal, scene


def test_an_empty_file_says_so() -> None:
    assert "empty" in refusal(b"") and "empty" in refusal(io.BytesIO())


def test_text_named_jpg_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_text("this is no picture")
    message = refusal(path)
    assert str(path) in message and "this is" in message and "expected JPEG" in message


@pytest.mark.parametrize("image_format", ["GIF", "TIFF", "AVIF", "PDF"])
def test_other_formats_are_named(image_format: str) -> None:
    message = refusal(encode(scene(), image_format))
    assert image_format in message and "Convert" in message


def test_a_heic_without_the_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "pip install 'faceauth[heic]'" in refusal(b"\0\0\0\x18ftypheic" + bytes(100))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_heic_with_the_extra_is_read_upright(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    Pil.init()  # all formats of its own, which the first image opened would load otherwise
    known = set(Pil.OPEN)  # other libraries may have taught Pillow HEIF before
    exif = Pil.Exif()
    exif[0x0112] = orientation
    pillow_heif.from_pillow(scene()).save(buffer, quality=-1, exif=exif.tobytes())
    encoded = buffer.getvalue()
    upright = scene() if orientation == 1 else scene().transpose(Pil.Transpose.ROTATE_270)
    assert_close(load_image(encoded), bgr(upright), 6)
    assert set(Pil.OPEN) == known, "Pillow learnt a format behind the back of the program"
    assert "HEIC" in refusal(encoded[: len(encoded) // 2])
    with pytest.raises(ImageTooLarge):
        load_image(encoded, ImageLimits(max_pixels=64 * 48 - 1))


def test_base64_given_as_bytes_is_named() -> None:
    assert "base64" in refusal(base64.b64encode(encode(scene(), "JPEG")))


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_animated_pictures_are_refused_as_animated(image_format: str) -> None:
    encoded = encode(scene(), image_format, save_all=True, append_images=[scene().rotate(180)], duration=100)
    assert "animated" in refusal(encoded)
    assert "2 frames" in refusal(Pil.open(io.BytesIO(encoded)))


def test_an_animation_hidden_behind_a_still_header_is_refused() -> None:
    encoded = bytearray(encode(scene(), "WEBP", save_all=True, append_images=[scene().rotate(180)], duration=100))
    assert encoded[20] & 2
    encoded[20] &= ~2
    assert "WebP" in refusal(bytes(encoded))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("options", [("JPEG", False), ("JPEG", True), ("PNG", False), ("WEBP", False), ("BMP", False)])
def test_a_truncated_file_is_an_error_and_no_half_grey_picture(options: tuple[str, bool], share: float) -> None:
    noise = Pil.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8))
    encoded = encode(noise, options[0], progressive=options[1])
    message = refusal(encoded[: int(len(encoded) * share)])
    assert "truncated" in message and "again" in message


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_beginning_of_a_file_is_refused(image_format: str) -> None:
    encoded = encode(scene(), image_format)
    behind_the_pixels = {"PNG": 4, "JPEG": 1}.get(image_format, 0)  # a checksum of nothing, half an end marker
    for length in range(len(encoded) - behind_the_pixels if len(encoded) < 2000 else 600):
        with pytest.raises(ImageUnreadable):
            load_image(encoded[:length])


def test_a_truncated_pil_picture_is_refused() -> None:
    encoded = encode(scene(), "PNG")
    assert "truncated" in refusal(Pil.open(io.BytesIO(encoded[: len(encoded) // 2])))


def test_a_program_that_lets_pillow_read_truncated_files_gets_no_half_image_from_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    encoded = encode(scene(), "JPEG")
    assert "truncated" in refusal(encoded[:-100])
    assert load_image(encoded).shape == (48, 64, 3)
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_threads_that_overlap_leave_pillows_switches_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    filters = list(warnings.filters)
    noise = Pil.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))
    encoded = encode(noise, "JPEG")
    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(refusal, [encoded[:-5000]] * 200))
    assert all("truncated" in message for message in messages)
    assert ImageFile.LOAD_TRUNCATED_IMAGES and warnings.filters == filters


@pytest.mark.parametrize("image_format", FORMATS)
def test_bytes_behind_the_picture_are_ignored(image_format: str) -> None:
    encoded = encode(scene(), image_format)
    assert_close(load_image(encoded + b"trailer of a phone" * 10), load_image(encoded))


@pytest.mark.parametrize(
    "damaged",
    [
        png(),
        png(IEND),
        png(png_chunk(b"IDAT", b"no zlib"), IEND),
        png(png_pixels()[:-1] + b"\0", IEND),
        png(*[png_chunk(b"tEXt", b"")] * MAX_READS, png_pixels(), IEND),
        png(png_pixels(), *[png_chunk(b"IDAT", b"")] * MAX_READS, IEND),
        png(png_pixels(), IEND, size_wh=(0, 40)),
        png(png_pixels(), IEND, colour=5),
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IDAT", bytes(13)),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_damaged_pngs_are_refused(damaged: bytes) -> None:
    assert "PNG" in refusal(damaged)


def test_a_note_that_unpacks_to_megabytes_is_refused_and_a_broken_profile_ignored(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    assert "PNG" in refusal(png(bomb, png_pixels(), IEND))
    profile = png_chunk(b"iCCP", b"x\0\0no profile")
    assert load_image(png(profile, png_pixels(), IEND)).shape == (40, 40, 3)
    assert capfd.readouterr().err == "" and not recwarn.list


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_damaged_pixels_print_nothing(
    image_format: str, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """libjpeg, libpng and libwebp under OpenCV wrote to the stderr of every caller."""
    noise = Pil.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8))
    encoded = bytearray(encode(noise, image_format))
    for at in range(2000, 3000, 7):
        encoded[at] ^= 0x55
    with suppress(ImageError):
        load_image(bytes(encoded))
    assert capfd.readouterr().err == "" and not recwarn.list


def jpeg_around(*segments: bytes) -> bytes:
    """A valid JPEG with segments put between SOI and its own."""
    encoded = encode(scene(), "JPEG")
    return encoded[:2] + b"".join(segments) + encoded[2:]


def test_fill_bytes_and_unknown_notes_in_a_jpeg_are_skipped() -> None:
    note = b"\xff\xff\xff\xe5\0\x06FFD9"
    assert_close(load_image(jpeg_around(note)), load_image(encode(scene(), "JPEG")))


def test_a_jpeg_thumbnail_does_not_count_as_the_end_of_the_picture() -> None:
    thumbnail = encode(scene().resize((32, 32)), "JPEG")
    note = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    whole = jpeg_around(note)
    assert load_image(whole).shape == (48, 64, 3)
    assert "truncated" in refusal(whole[:-40])


def damaged_jpegs() -> dict[str, bytes]:
    encoded = encode(scene(), "JPEG")
    frame = encoded.index(b"\xff\xc0")
    scan = encoded.index(b"\xff\xda")
    frame_segment = encoded[frame : frame + 19]
    one_scan = encoded[scan:-2]
    return {
        "no frame": b"\xff\xd8\xff\xd9",
        "two frames": encoded[:frame] + frame_segment + encoded[frame:],
        "12 bits": encoded.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "scan before frame": encoded[:frame] + encoded[scan:],
        "no scan": encoded[:scan] + b"\xff\xd9",
        "scan bomb": encoded[:-2] + one_scan * MAX_SCANS + b"\xff\xd9",
        "scan bomb behind a note": encoded[:-2] + b"\xff\xfe\0\x04\xff\xd9" + one_scan * MAX_SCANS + b"\xff\xd9",
        "segment bomb": encoded[:2] + b"\xff\xfe\0\x02" * MAX_READS + encoded[2:],
        "foreign marker": encoded[:-2] + b"\xff\xf3\0\x02\xff\xd9",
        "short frame header": encoded[:frame] + b"\xff\xc0\0\x04\x08\0" + encoded[frame:],
        "only fill bytes": b"\xff\xd8" + b"\xff" * 1000,
        "no tables": encoded[:2] + frame_segment + one_scan + b"\xff\xd9",
    }


@pytest.mark.parametrize("case", damaged_jpegs())
def test_damaged_jpegs_are_refused(case: str) -> None:
    assert "JPEG" in refusal(damaged_jpegs()[case])


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(p)) + p + bytes(len(p) % 2) for kind, p in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def damaged_webps() -> dict[str, bytes]:
    encoded = encode(scene(), "WEBP")
    lossy = encode(scene(), "WEBP", lossless=False)
    assert encoded[12:16] == b"VP8L" and lossy[12:16] == b"VP8 "
    picture = (b"VP8L", encoded[20:])
    canvas = b"\0\0\0\0" + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    wrong = b"\0\0\0\0" + (63).to_bytes(3, "little") + (46).to_bytes(3, "little")
    return {
        "canvas of another size": riff((b"VP8X", wrong), picture),
        "two pictures": riff((b"VP8X", canvas), picture, picture),
        "no picture": riff((b"VP8X", canvas)),
        "unknown first chunk": riff((b"JUNK", canvas), picture),
        "chunk beyond the end": riff((b"VP8X", canvas), (b"VP8L", picture[1]))[:-4] + b"",
        "no VP8L signature": encoded[:20] + b"\0" + encoded[21:],
        "no key frame": lossy[:20] + bytes([lossy[20] | 1]) + lossy[21:],
        "pixels damaged": riff((b"VP8L", picture[1][:30])),
        "RIFF longer than the file": encoded[:4] + b"\xff\xff\xff\x7f" + encoded[8:],
        "chunk longer than RIFF": riff((b"VP8X", canvas))[:-10] + b"VP8X\xff\0\0\0\0\0",
    }


@pytest.mark.parametrize("case", damaged_webps())
def test_damaged_webps_are_refused(case: str) -> None:
    assert "WebP" in refusal(damaged_webps()[case])


@pytest.mark.parametrize(("at", "value"), [(30, 1), (30, 4), (28, 7), (28, 0), (18, 0)])
def test_bmps_that_are_compressed_or_make_no_sense_are_refused(at: int, value: int) -> None:
    encoded = bytearray(encode(scene(), "BMP"))
    struct.pack_into("<H", encoded, at, value)
    assert "BMP" in refusal(bytes(encoded))


def test_an_exception_of_pillow_never_escapes() -> None:
    encoded = bytearray(encode(scene(), "BMP"))
    struct.pack_into("<I", encoded, 10, 0xFFFF)
    with pytest.raises(ImageError):
        load_image(bytes(encoded))


def test_a_file_is_judged_once_it_is_open_and_not_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scene.png"
    path.write_bytes(encode(scene(), "PNG"))

    def stat(*_: object, **__: object) -> None:
        raise AssertionError("what lies under a path may be another file when it is opened")

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stat)
        loaded = load_image(path)
    assert_close(loaded, bgr(scene()))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_device_is_refused_without_reading_it() -> None:
    assert "not a regular file" in refusal("/dev/zero")


@pytest.mark.parametrize("image_format", ["GIF", "TIFF", "PPM"])
def test_a_pil_picture_of_another_format_is_refused_by_name(image_format: str) -> None:
    with Pil.open(io.BytesIO(encode(scene(), image_format))) as opened:
        assert image_format in refusal(opened)
        assert_close(load_image(opened.convert("RGB")), bgr(opened.convert("RGB")))  # a copy is the caller's decision
