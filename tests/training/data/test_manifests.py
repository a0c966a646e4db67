"""Training reads manifests with the library's own reader, and refuses splits that it would never draw."""

from pathlib import Path

import pytest

from faceauth.errors import UsageError
from faceauth.evaluation.records import read_manifest
from training.data.files import video_files
from training.data.leakage import crossing_domains
from training.data.manifests import LIVE, SPOOF, records_of_splits

HEAD = "path,label,attack,domain,split,box_x,box_y,box_w,box_h"


def manifest(folder: Path, *lines: str) -> Path:
    for line in lines:
        (folder / line.split(",")[0]).touch()
    path = folder / "manifest.csv"
    path.write_text("\n".join((HEAD, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_record_is_a_row_of_the_librarys_manifest(tmp_path: Path) -> None:
    path = manifest(tmp_path, "a.png,live,none,cam,train,1,2,3,4", "b.png,spoof,print,cam,val,1,2,3,4")
    records = records_of_splits(path)
    assert records == read_manifest(path)
    assert [record.label for record in records] == [LIVE, SPOOF]
    assert records[0].box_xyxy == (1, 2, 4, 6)


def test_only_the_splits_asked_for_are_given(tmp_path: Path) -> None:
    path = manifest(tmp_path, "a.png,live,none,cam,train,,,,", "b.png,live,none,other,test,,,,")
    assert [record.split for record in records_of_splits(path, ("train", "val"))] == ["train"]


def test_a_split_that_training_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holdout"):
        records_of_splits(manifest(tmp_path, "a.png,live,none,cam,holdout,,,,"))


def test_videos_are_found_by_suffix_in_any_case_and_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.avi", "d.txt", "e.MOV"):
        (tmp_path / name).touch()
    assert [path.name for path in video_files(tmp_path)] == ["c.avi", "e.MOV"]


def test_no_domain_of_the_shared_data_stands_in_two_splits_but_nuaa(shared: Path) -> None:
    records = records_of_splits(shared / "data" / "pad" / "manifest.csv")
    assert crossing_domains(records) == {"nuaa": ("test", "train")}
