"""Rules of faceauth.imaging.decoding, and through it of faceauth.imaging.headers and faceauth.imaging.orientation, on pictures made here."""

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pil
from PIL import ImageOps

from faceauth.errors import ImageError, ImageTooLarge, ImageUnreadable
from faceauth.imaging.decoding import ImageLimits, load_image
from faceauth.imaging.headers.jpeg import MAX_SCANS
from faceauth.imaging.headers.layout import MAX_PARTS
from faceauth.imaging.orientation import exif_orientation
from faceauth.stages import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
EXIF_FORMATS = ("JPEG", "PNG", "WEBP")
WHITE, HALF = 255, 128


def scene() -> Pil.Image:
    """64 x 48, smooth, and different under each of the eight orientations."""
    x, y = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48))
    return Pil.fromarray(np.dstack([x, y, 0.6 * x]).astype(np.uint8))


def encode(picture: Pil.Image, image_format: str, **options: object) -> bytes:
    if image_format == "WEBP":
        options.setdefault("lossless", True)
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def bgr(picture: Pil.Image) -> Image:
    return np.asarray(picture.convert("RGB"))[..., ::-1]


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(*chunks: bytes, size_wh: tuple[int, int] = (40, 40), colour: int = 2) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size_wh, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def png_pixels(size_wh: tuple[int, int] = (40, 40), channels: int = 3) -> bytes:
    return png_chunk(b"IDAT", zlib.compress((b"\0" + bytes(channels * size_wh[0])) * size_wh[1]))


IEND = png_chunk(b"IEND", b"")


def assert_close(found: Image, expected: Image, tolerance: float = 0.0) -> None:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance


def refusal(source: object, limits: ImageLimits | None = None) -> str:
    with pytest.raises(ImageUnreadable) as caught:
        load_image(source, limits or ImageLimits())  # type: ignore[arg-type]
    return str(caught.value)


# --- sources ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_source_of_one_picture_gives_the_same_pixels(image_format: str, tmp_path: Path) -> None:
    encoded = encode(scene(), image_format)
    path = tmp_path / "picture.of.no.particular.name"
    path.write_bytes(encoded)
    expected = load_image(encoded)
    assert_close(expected, bgr(scene()), 12 if image_format == "JPEG" else 0)
    for source in (path, str(path), bytearray(encoded), memoryview(encoded), io.BytesIO(encoded)):
        assert_close(load_image(source), expected)
    with open(path, "rb") as file:
        assert_close(load_image(file), expected)
    assert_close(load_image(Pil.open(path)), expected, 2)
    assert_close(load_image(expected), expected)


def test_a_file_object_that_gives_little_at_a_time_is_read_to_its_end() -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(7)

    assert_close(load_image(Trickle(encode(scene(), "PNG"))), bgr(scene()))


def test_importing_the_module_does_not_import_pil() -> None:
    script = "import sys, faceauth.imaging.decoding; assert not [m for m in sys.modules if m.split('.')[0] == 'PIL']"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_an_array_in_bgr_is_returned_without_a_copy() -> None:
    array = np.zeros((40, 50, 3), np.uint8)
    assert load_image(array) is array


def test_a_strided_array_becomes_contiguous() -> None:
    array = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)[:, ::-1]
    loaded = load_image(array)
    assert loaded.flags.c_contiguous
    assert_close(loaded, array)


def test_a_grey_array_gets_three_equal_channels() -> None:
    grey = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
    assert_close(load_image(grey), np.dstack([grey] * 3))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((40, 40, 3), np.float32),
        np.zeros((40, 40, 3), np.uint16),
        np.zeros((40, 40, 3), bool),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 1), np.uint8),
        np.zeros((3, 40, 40), np.uint8),
        np.zeros((1, 40, 40, 3), np.uint8),
        np.zeros(40, np.uint8),
    ],
)
def test_an_array_of_another_kind_is_refused_with_its_dtype_and_shape(array: np.ndarray) -> None:
    message = refusal(array)
    assert str(array.dtype) in message and str(array.shape) in message and "BGR" in message


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 40, 3), (40, 0), (31, 40, 3)])
def test_an_empty_or_tiny_array_is_refused(shape: tuple[int, ...]) -> None:
    assert "at least 32" in refusal(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("source", [None, 7, 1.5, [1, 2], object()])
def test_another_type_is_refused_by_name(source: object) -> None:
    assert type(source).__name__ in refusal(source)


def test_a_text_file_object_is_refused_with_the_mode_to_use() -> None:
    assert "'rb'" in refusal(io.StringIO("text"))


def test_a_closed_or_failing_file_object_is_refused() -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the disk is gone")

    closed = io.BytesIO(b"x")
    closed.close()
    assert "closed" in refusal(closed)
    assert "the disk is gone" in refusal(Failing())


def test_a_missing_path_a_folder_and_a_pipe_are_refused_with_the_path(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, word in ((tmp_path / "none.jpg", "not exist"), (tmp_path, "folder"), (pipe, "regular"), (loop, "opened")):
        message = refusal(path)
        assert str(path) in message and word in message
    assert "cannot be opened" in refusal("nul\0byte.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / "private.png"
    path.write_bytes(encode(scene(), "PNG"))
    path.chmod(0)
    assert str(path) in refusal(path)


# --- orientation -----------------------------------------------------------------------------------------------------


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


def test_an_orientation_that_only_xmp_states_turns_neither_the_file_nor_its_pil_picture() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    encoded = encode(scene(), "JPEG", xmp=xmp)
    assert Pil.open(io.BytesIO(encoded)).getexif().get(0x0112) == 6
    assert load_image(encoded).shape == load_image(Pil.open(io.BytesIO(encoded))).shape == bgr(scene()).shape


@pytest.mark.parametrize("order", "<>")
def test_exif_orientation_is_read_in_both_byte_orders(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    other = struct.pack(order + "HHIHH", 0x0100, 3, 1, 640, 0)
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 8, 0)
    assert exif_orientation(mark + struct.pack(order + "IH", 8, 2) + other + entry) == 8


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
        b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 4, 1, 6, 0),
    ],
)
def test_a_damaged_exif_block_means_as_stored(tiff: bytes) -> None:
    assert exif_orientation(tiff) == 1


# --- kinds of pixels -------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("mode", ["P", "RGB", "LA"])
def test_a_transparent_colour_of_a_png_turns_white(mode: str) -> None:
    picture = Pil.new(mode, (40, 40), 0)
    options = {"transparency": {"P": 0, "RGB": (0, 0, 0)}[mode]} if mode != "LA" else {}
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


# --- limits ----------------------------------------------------------------------------------------------------------


def claims(image_format: str, width: int, height: int) -> bytes:
    """The first bytes of a file that claims that size, and nothing behind them."""
    if image_format == "PNG":
        return png(size_wh=(width, height))
    if image_format == "JPEG":
        return b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9)
    if image_format == "BMP":
        return b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, width, height, 1, 24, 0)
    return (
        b"RIFF\xff\xff\0\0WEBPVP8X\x0a\0\0\0"
        + bytes(4)
        + b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    )


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_header_of_50000_x_50000_is_refused_before_decoding(image_format: str) -> None:
    with pytest.raises(ImageTooLarge, match="50000 x 50000") as caught:
        load_image(claims(image_format, 50_000, 50_000))
    assert caught.value.found == 2_500_000_000
    assert caught.value.limit == ImageLimits().max_pixels


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_pixel_limit_itself_is_allowed(image_format: str) -> None:
    encoded = encode(scene(), image_format)
    assert load_image(encoded, ImageLimits(max_pixels=64 * 48)).shape == (48, 64, 3)
    with pytest.raises(ImageTooLarge):
        load_image(encoded, ImageLimits(max_pixels=64 * 48 - 1))


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


# --- files that are refused ------------------------------------------------------------------------------------------


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


def test_an_iphones_heic_is_named() -> None:
    assert "HEIC" in refusal(b"\0\0\0\x18ftypheic" + bytes(100))


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_animated_pictures_are_refused_as_animated(image_format: str) -> None:
    encoded = encode(scene(), image_format, save_all=True, append_images=[scene().rotate(180)], duration=100)
    assert "animated" in refusal(encoded)
    assert "2 frames" in refusal(Pil.open(io.BytesIO(encoded)))


def test_an_animation_hidden_behind_a_still_header_is_refused() -> None:
    encoded = bytearray(encode(scene(), "WEBP", save_all=True, append_images=[scene().rotate(180)], duration=100))
    assert encoded[20] & 2
    encoded[20] &= ~2
    assert "animated" in refusal(bytes(encoded))


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
    for length in range(len(encoded) - 1 if len(encoded) < 2000 else 600):
        with pytest.raises(ImageUnreadable):
            load_image(encoded[:length])


def test_a_truncated_pil_picture_is_refused() -> None:
    encoded = encode(scene(), "PNG")
    assert "cannot be decoded" in refusal(Pil.open(io.BytesIO(encoded[: len(encoded) // 2])))


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
        png(*[png_chunk(b"tEXt", b"")] * MAX_PARTS),
        png(png_pixels((40, 20)), IEND),
        png(png_pixels(), IEND, size_wh=(0, 40)),
        png(png_pixels(), IEND, colour=5),
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IDAT", bytes(13)),
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_damaged_pngs_are_refused(damaged: bytes) -> None:
    assert "PNG" in refusal(damaged)


def test_notes_of_a_png_never_reach_the_decoder(capfd: pytest.CaptureFixture[str]) -> None:
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    profile = png_chunk(b"iCCP", b"x\0\0no profile")
    assert load_image(png(bomb, profile, png_pixels(), IEND)).shape == (40, 40, 3)
    assert capfd.readouterr().err == ""


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
        "arithmetic coding": encoded.replace(b"\xff\xc0\0\x11", b"\xff\xc9\0\x11"),
        "12 bits": encoded.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        "scan before frame": encoded[:frame] + encoded[scan:],
        "no scan": encoded[:scan] + b"\xff\xd9",
        "scan bomb": encoded[:-2] + one_scan * MAX_SCANS + b"\xff\xd9",
        "segment bomb": b"\xff\xd8" + b"\xff\xfe\0\x02" * (MAX_PARTS + 1),
        "foreign marker": encoded[:-2] + b"\xff\xf3\0\x02\xff\xd9",
        "junk between segments": encoded[:frame] + b"junk" + encoded[frame:],
        "segment of length 1": encoded[:frame] + b"\xff\xe5\0\x01" + encoded[frame:],
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
        "chunk bomb": riff((b"VP8X", canvas), *[(b"JUNK", b"")] * MAX_PARTS),
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


@pytest.mark.parametrize(("at", "value"), [(30, 1), (30, 4), (28, 7), (28, 0), (18, 0), (46, 257)])
def test_bmps_that_are_compressed_or_make_no_sense_are_refused(at: int, value: int) -> None:
    encoded = bytearray(encode(scene(), "BMP"))
    struct.pack_into("<H", encoded, at, value)
    assert "BMP" in refusal(bytes(encoded))


def test_opencvs_own_exception_never_escapes() -> None:
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
    assert "no regular file" in refusal("/dev/zero")


@pytest.mark.parametrize("image_format", ["GIF", "TIFF", "PPM"])
def test_a_pil_picture_of_another_format_is_refused_by_name(image_format: str) -> None:
    with Pil.open(io.BytesIO(encode(scene(), image_format))) as opened:
        assert image_format in refusal(opened)
        assert_close(load_image(opened.convert("RGB")), bgr(opened.convert("RGB")))  # a copy is the caller's decision


def test_a_pil_picture_that_grows_while_it_is_decoded_is_refused() -> None:
    class Growing(Pil.Image):
        def convert(self, *_: object, **__: object) -> Pil.Image:
            return scene().resize((400, 400))

    growing = Growing()
    growing._mode, growing._size = "L", (48, 48)
    with pytest.raises(ImageTooLarge):
        load_image(growing, ImageLimits(max_pixels=10_000))
