"""What `load_image` takes, and how it refuses the rest."""

import base64
import errno
import io
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from faceauth.errors import UsageError
from faceauth.imaging import sources
from faceauth.imaging.decoding import load_image
from faceauth.imaging.sources import source_name
from tests.imaging.samples import FORMATS, assert_close, bgr, encode, refusal, scene


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
    assert str(array.dtype) in message and str(array.shape) in message and "'bgr'" in message


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


def jpeg_as_base64() -> str:
    return base64.b64encode(encode(scene(), "JPEG")).decode()


@pytest.mark.parametrize(
    "text",
    [
        jpeg_as_base64(),
        "data:image/jpeg;base64," + jpeg_as_base64(),
        base64.b64encode(bytes(300)).decode(),
        base64.encodebytes(encode(scene(), "PNG")).decode(),
        '{"model_id": "sface", "vector": [0.1, 0.2]}',
        " [0.1, 0.2]\n",
        "a" * 300,
        "words " * 1_000_000,
        "/" + "folder/" * 1000,
    ],
)
def test_text_that_is_no_path_is_refused_in_one_short_line_that_never_repeats_it(text: str) -> None:
    message = refusal(text)
    assert f"{len(text):,} characters" in message
    assert len(message) < 300 and "\n" not in message
    assert text[:12] not in message and text[-12:] not in message
    assert source_name(text) == f"A text of {len(text):,} characters"


@pytest.mark.parametrize("name", ["[1].jpg", "data.jpg", "{a} b.jpg", "é.jpg", "9j.jpg"])
def test_an_odd_name_of_a_file_is_a_path(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert str(path) in refusal(path)
    path.write_bytes(encode(scene(), "PNG"))
    assert_close(load_image(str(path)), bgr(scene()))
    assert source_name(path) == str(path)


def test_a_file_whose_name_begins_as_content_does_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data:1").write_bytes(encode(scene(), "PNG"))
    assert_close(load_image("data:1"), bgr(scene()))


@pytest.mark.parametrize("name", [b"m\xff.jpg", b"\x1b[31mred.jpg", b"two\nlines.jpg", "\u202egpj.exe".encode()])
def test_names_with_other_bytes_or_control_characters_are_escaped_in_messages(name: bytes, tmp_path: Path) -> None:
    path = os.path.join(tmp_path, os.fsdecode(name))
    for content in (b"", b"no image"):
        Path(path).write_bytes(content)
        message = refusal(path)
        assert message.isprintable() and message.encode()
    Path(path).unlink()
    assert refusal(path).isprintable()
    label = source_name(path)
    assert label is not None and label.isprintable() and label.encode()


def test_a_long_name_loses_its_middle_in_messages(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 240 + "end.jpg")
    message = refusal(path)
    assert len(message) < 300 and "..." in message and "end.jpg does not exist" in message


def test_a_file_without_permission_or_with_a_failing_disk_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for code in (errno.EACCES, errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR):

        def refuse(*_: object, code: int = code) -> int:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "open", refuse)
        assert refusal("a.jpg").startswith(f"a.jpg cannot be opened ({os.strerror(code)})")


class Slow:
    def __init__(self, seconds: float, gives: bytes) -> None:
        self.seconds, self.gives, self.reads = seconds, gives, 0

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        time.sleep(self.seconds)
        return self.gives


@pytest.mark.parametrize("seconds", [0.05, 60.0])
def test_a_file_object_that_blocks_or_drips_is_an_error_in_time(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "READ_SECONDS", 0.2)
    slow, start = Slow(seconds, b"\xff"), time.monotonic()
    assert "within 0.2 seconds" in refusal(slow)
    assert time.monotonic() - start < 2
    reads = slow.reads
    time.sleep(0.15)
    assert slow.reads <= reads + 1, "it is read on although nobody waits"


def test_an_open_pipe_that_nobody_writes_to_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "READ_SECONDS", 0.2)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        assert "within 0.2 seconds" in refusal(pipe)
        os.close(writing)


def test_a_pil_image_of_a_file_that_hangs_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(io.BytesIO):
        hangs = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.hangs:
                time.sleep(60)
            return super().read(size)

    monkeypatch.setattr(sources, "READ_SECONDS", 0.2)
    file = Hanging(encode(scene(), "PNG"))
    image = Pil.open(file)
    file.hangs = True
    assert "within 0.2 seconds" in refusal(image)


def test_more_hanging_files_than_readers_are_refused_and_start_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "READ_SECONDS", 0.1)
    monkeypatch.setattr(sources, "_readers", threading.BoundedSemaphore(2))
    before = threading.active_count()
    for _ in range(4):
        assert "within 0.1 seconds" in refusal(Slow(60, b""))
    assert threading.active_count() == before + 2


def test_the_time_out_of_a_socket_is_told_as_its_own() -> None:
    class Socket:
        def read(self, size: int = -1) -> bytes:
            raise TimeoutError("the peer is silent")

    assert "the peer is silent" in refusal(Socket())


def test_a_thread_reads_a_file_object_that_answers() -> None:
    class Remote:
        def __init__(self) -> None:
            self.file = io.BytesIO(encode(scene(), "PNG"))

        def read(self, size: int = -1) -> bytes:
            return self.file.read(size)

    assert_close(load_image(Remote()), bgr(scene()))  # type: ignore[arg-type]


def test_an_rgb_array_is_converted_and_an_encoded_image_states_its_own_order() -> None:
    rgb = np.asarray(scene())
    assert_close(load_image(rgb, color="rgb"), bgr(scene()))
    assert load_image(rgb, color="rgb").flags.c_contiguous
    encoded = encode(scene(), "PNG")
    assert_close(load_image(encoded, color="rgb"), load_image(encoded))
    assert_close(load_image(scene(), color="rgb"), load_image(encoded))
    grey = np.asarray(scene().convert("L"))
    assert_close(load_image(grey, color="rgb"), load_image(grey))


@pytest.mark.parametrize("color", ["RGB", "rgba", "", None])
def test_another_color_is_misuse(color: object) -> None:
    with pytest.raises(UsageError, match="'bgr' or 'rgb'"):
        load_image(encode(scene(), "PNG"), color=color)  # type: ignore[call-overload]
