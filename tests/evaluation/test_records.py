"""A manifest is read whole and checked, or refused with the line and the cure."""

from pathlib import Path

import pytest

from faceauth.errors import UsageError
from faceauth.evaluation.records import Record, read_manifest, records_of_folders

HEAD = "path,label,attack,domain,split"


def write(folder: Path, *lines: str, pictures: tuple[str, ...] = ("a.png",)) -> Path:
    """A manifest with these lines beside empty files of these names."""
    for name in pictures:
        (folder / name).touch()
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_smallest_manifest_has_five_columns(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD, "a.png,live,none,cam,test", "b.png,spoof,print,cam,test", pictures=("a.png", "b.png"))
    assert read_manifest(path) == [
        Record(tmp_path / "a.png", 0, "none", "cam", "test"),
        Record(tmp_path / "b.png", 1, "print", "cam", "test"),
    ]


def test_boxes_recordings_and_sizes_are_read_and_other_columns_ignored(tmp_path: Path) -> None:
    head = f"{HEAD},recording,width,height,box_x,box_y,box_w,box_h,nose_x"
    (row,) = read_manifest(write(tmp_path, head, "a.png,live,none,cam,test,r1,64,48,-1.5,2,10,20,7"))
    assert row.box_xyxy == (-1.5, 2.0, 8.5, 22.0)
    assert (row.recording, row.size_wh, row.is_live) == ("r1", (64, 48), True)


def test_a_reference_is_a_picture_beside_the_manifest_or_unknown(tmp_path: Path) -> None:
    lines = [f"{HEAD},reference", "a.png,live,none,cam,test,id/b.png", "a.png,live,none,cam,test,"]
    (tmp_path / "id").mkdir()
    rows = read_manifest(write(tmp_path, *lines, pictures=("a.png", "id/b.png")))
    assert [row.reference for row in rows] == [tmp_path / "id/b.png", None]


def test_an_empty_box_is_unknown_not_zero(tmp_path: Path) -> None:
    head = f"{HEAD},recording,box_x,box_y,box_w,box_h"
    (row,) = read_manifest(write(tmp_path, head, "a.png,live,none,cam,test,,,,,"))
    assert (row.box_xyxy, row.recording, row.size_wh) == (None, None, None)


def test_splits_are_kept_as_asked(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD, "a.png,live,none,cam,val", "not there.png,live,none,cam,train")
    assert [row.split for row in read_manifest(path, splits=["val"])] == ["val"]
    with pytest.raises(UsageError, match="no record of the splits test"):
        read_manifest(path, splits=["test"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,label,domain,split", "a.png,live,cam,val"], "no column attack"),
        ([""], "no column path, label, attack, domain, split"),
        ([HEAD], "holds no record"),
        ([HEAD, "a.png,real,none,cam,val"], "line 2: the label 'real' is neither live nor spoof"),
        ([HEAD, "a.png,live,print,cam,val"], "line 2: the label live does not go with the attack 'print'"),
        ([HEAD, "a.png,spoof,none,cam,val"], "a spoof names its species"),
        ([HEAD, "a.png,live,none,,val"], "line 2: the column domain is empty"),
        ([HEAD, "a.png,live"], "the column attack is empty"),
        ([HEAD + ",reference", "a.png,live,none,cam,val,./a.png"], "line 2: an image matches itself"),
        (
            [HEAD + ",reference", "a.png,live,none,cam,val,b.png"],
            "1 of 2 images .* do not exist; the first is .*b.png",
        ),
        ([HEAD, "b.png,live,none,cam,val"], "1 of 1 images .* do not exist; the first is .*b.png"),
        ([HEAD + ",box_x,box_y,box_w,box_h", "a.png,live,none,cam,val,1,2,x,4"], "must be numbers, found 1, 2, x, 4"),
        ([HEAD + ",box_x,box_y,box_w,box_h", "a.png,live,none,cam,val,1,2,,4"], "must be numbers"),
        ([HEAD + ",box_x,box_y,box_w,box_h", "a.png,live,none,cam,val,1,2,nan,4"], "must be finite"),
        ([HEAD + ",box_x,box_y,box_w,box_h", "a.png,live,none,cam,val,1,2,0,4"], "a face box of 0 x 4"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_manifest(write(tmp_path, *lines))


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no manifest .*none.csv"):
        read_manifest(tmp_path / "none.csv")


def test_a_picture_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UsageError, match="not a CSV file in UTF-8"):
        read_manifest(path)


def test_the_shared_manifest_is_read_whole(shared: Path) -> None:
    rows = read_manifest(shared / "data" / "pad" / "manifest.csv", splits=["test"])
    assert len(rows) == 2453
    assert {row.domain for row in rows} >= {"nuaa", "cam14"}
    assert all(row.box_xyxy is not None for row in rows)


def test_a_manifest_of_a_spreadsheet_has_a_mark_in_front(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD, "a.png,live,none,cam,test")
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert len(read_manifest(path)) == 1


def images(folder: Path, *names: str) -> Path:
    """A folder of empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_the_species_of_an_attack_is_the_subfolder_it_lies_in(tmp_path: Path) -> None:
    live = images(tmp_path / "live", "b.jpg", "alice/a.PNG", "notes.txt", ".hidden.jpg")
    attacks = images(tmp_path / "attacks", "print/day 1/c.jpg", "replay/d.webp", "loose.png", ".cache/e.jpg")
    records = records_of_folders(live, attacks)
    assert [(one.path.name, one.label, one.species) for one in records] == [
        ("b.jpg", 0, "none"), ("a.PNG", 0, "none"),
        ("loose.png", 1, "unknown"), ("c.jpg", 1, "print"), ("d.webp", 1, "replay"),
    ]  # fmt: skip
    assert {(one.domain, one.split) for one in records} == {("folders", "all")}


def test_one_folder_alone_gives_records_of_one_class(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", "a.jpg")
    assert [one.is_live for one in records_of_folders(folder, None)] == [True]
    assert [one.is_live for one in records_of_folders(None, folder)] == [False]


def test_an_image_that_both_folders_hold_is_refused(tmp_path: Path) -> None:
    live = images(tmp_path / "live", "a.jpg", "attacks/b.jpg")
    with pytest.raises(UsageError, match=r"b\.jpg is both live and an attack"):
        records_of_folders(live, live / "attacks")
    other = images(tmp_path / "other", "c.jpg")
    (other / "print").mkdir()
    (other / "print" / "link.jpg").symlink_to(live / "a.jpg")
    with pytest.raises(UsageError, match=r"link\.jpg is both live and an attack"):
        records_of_folders(live, other)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    live = images(tmp_path / "live", "notes.txt")
    with pytest.raises(UsageError, match=r"live holds no image \(\.bmp"):
        records_of_folders(live, None)
    with pytest.raises(UsageError, match=r"There is no folder .*absent"):
        records_of_folders(live.parent / "absent", None)


def test_a_species_called_none_would_read_as_live(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rename its folder"):
        records_of_folders(None, images(tmp_path / "attacks", "none/a.jpg"))
