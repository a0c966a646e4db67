"""Each standard layout gives the right label, species, domain, split and recording, and a strange file is refused."""

import json
from pathlib import Path

import pytest

from faceauth.errors import UsageError
from training.data.manifests import LIVE, Record
from training.data.readers import LAYOUTS, read_layout

Facts = tuple[str, str, str, str | None]


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def facts(records: list[Record]) -> dict[str, Facts]:
    """File name -> species, domain, split, recording; and no label contradicts its species."""
    assert all((record.label == LIVE) == (record.species == "none") for record in records)
    assert all(record.path.is_file() and record.box_xyxy is None for record in records)
    return {r.path.name: (r.species, r.domain, r.split, r.recording) for r in records}


def celeba_entry(kind: int, answer: int) -> list[int]:
    return [*[0] * 40, kind, 0, 0, answer]


def test_celeba_spoof(tmp_path: Path) -> None:
    train = {"Data/train/1/live/000001.jpg": celeba_entry(0, 0), "Data/train/1/spoof/000002.png": celeba_entry(3, 1)}
    test = {"Data/test/7/spoof/000003.png": celeba_entry(9, 1), "Data/test/7/spoof/000004.png": celeba_entry(5, 1)}
    for split, entries in (("train", train), ("test", test)):
        tree(tmp_path, *entries, f"metas/intra_test/{split}_label.json")
        (tmp_path / f"metas/intra_test/{split}_label.json").write_text(json.dumps(entries))
    assert facts(read_layout("celeba-spoof", tmp_path)) == {
        "000001.jpg": ("none", "celeba_spoof", "train", "celeba_spoof-1"),
        "000002.png": ("print", "celeba_spoof", "train", "celeba_spoof-1"),
        "000003.png": ("replay", "celeba_spoof", "test", "celeba_spoof-7"),
        "000004.png": ("paper_mask", "celeba_spoof", "test", "celeba_spoof-7"),
    }


def test_celeba_spoof_entry_that_contradicts_its_folder_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "metas/intra_test/train_label.json", "metas/intra_test/test_label.json")
    entries = {"Data/train/1/live/000001.jpg": celeba_entry(3, 1)}
    (tmp_path / "metas/intra_test/train_label.json").write_text(json.dumps(entries))
    with pytest.raises(UsageError, match=r"000001\.jpg"):
        read_layout("celeba-spoof", tmp_path)


def test_lcc_fasd(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "LCC_FASD_training/real/YOUTUBE_id99_s2_15.png",
        "LCC_FASD_training/spoof/FT720P_G780_REDMI4X_id0_s0_105.png",
        "LCC_FASD_development/real/YOUTUBE_id1_s0_0.png",
        "LCC_FASD_development/spoof/a.png",
        "LCC_FASD_evaluation/real/b.png",
        "LCC_FASD_evaluation/spoof/spoof_980.png",
    )
    assert facts(read_layout("lcc-fasd", tmp_path)) == {
        "YOUTUBE_id99_s2_15.png": ("none", "lcc_fasd", "train", "real-YOUTUBE_id99_s2"),
        "FT720P_G780_REDMI4X_id0_s0_105.png": ("replay", "lcc_fasd", "train", "spoof-FT720P_G780_REDMI4X_id0_s0"),
        "YOUTUBE_id1_s0_0.png": ("none", "lcc_fasd", "val", "real-YOUTUBE_id1_s0"),
        "a.png": ("replay", "lcc_fasd", "val", None),
        "b.png": ("none", "lcc_fasd", "test", None),
        "spoof_980.png": ("replay", "lcc_fasd", "test", None),
    }


def test_oulu_npu(tmp_path: Path) -> None:
    tree(tmp_path, "Train_files/1_1_01_1.avi", "Train_files/1_1_01_1.txt", "Train_files/6_3_20_3.avi")
    tree(tmp_path, "Dev_files/2_2_21_4.avi", "Test_files/3_1_36_5.avi")
    assert facts(read_layout("oulu-npu", tmp_path)) == {
        "1_1_01_1.avi": ("none", "oulu_npu-phone1", "train", "1_1_01_1"),
        "6_3_20_3.avi": ("print", "oulu_npu-phone6", "train", "6_3_20_3"),
        "2_2_21_4.avi": ("replay", "oulu_npu-phone2", "val", "2_2_21_4"),
        "3_1_36_5.avi": ("replay", "oulu_npu-phone3", "test", "3_1_36_5"),
    }


def test_replay_attack(tmp_path: Path) -> None:
    live = "client001_session01_webcam_authenticate_adverse_1.mov"
    tree(tmp_path, f"train/real/{live}", "train/attack/hand/attack_print_client001_session01_highdef_photo_adverse.mov")
    tree(tmp_path, "devel/real/a.mov", "devel/attack/fixed/attack_mobile_client003_session01_mobile_video_adverse.mov")
    tree(tmp_path, "test/real/b.mov", "test/attack/fixed/attack_highdef_client009_session01_highdef_photo_adverse.mov")
    tree(tmp_path, "enroll/train/c.mov")
    found = facts(read_layout("replay-attack", tmp_path))
    assert found[live] == ("none", "replay_attack", "train", f"train-{Path(live).stem}")
    assert {name.split("_client")[0]: found[name][:3] for name in found if name.startswith("attack")} == {
        "attack_print": ("print", "replay_attack", "train"),
        "attack_mobile": ("replay", "replay_attack", "val"),
        "attack_highdef": ("replay", "replay_attack", "test"),
    }
    assert "c.mov" not in found


def test_msu_mfsd(tmp_path: Path) -> None:
    tree(tmp_path, "scene01/real/real_client001_android_SD_scene01.mp4", "scene01/real/x.face")
    tree(tmp_path, "scene01/attack/attack_client001_android_SD_ipad_video_scene01.mp4")
    tree(tmp_path, "scene01/attack/attack_client014_laptop_SD_printed_photo_scene01.mov")
    (tmp_path / "train_sub_list.txt").write_text("14\n")
    (tmp_path / "test_sub_list.txt").write_text("01\n")
    assert {name: f[:3] for name, f in facts(read_layout("msu-mfsd", tmp_path)).items()} == {
        "real_client001_android_SD_scene01.mp4": ("none", "msu_mfsd-android", "test"),
        "attack_client001_android_SD_ipad_video_scene01.mp4": ("replay", "msu_mfsd-android", "test"),
        "attack_client014_laptop_SD_printed_photo_scene01.mov": ("print", "msu_mfsd-laptop", "train"),
    }


def test_casia_fasd(tmp_path: Path) -> None:
    names = ("1", "2", "HR_1", "3", "4", "HR_2", "5", "6", "HR_3", "7", "8", "HR_4")
    tree(tmp_path, *(f"train_release/1/{name}.avi" for name in names), "test_release/30/HR_4.avi")
    records = read_layout("casia-fasd", tmp_path)
    train = {record.path.stem: record for record in records if record.split == "train"}
    assert [train[name].species for name in names] == [s for s in ("none", "print", "cutout", "replay") for _ in "123"]
    assert [train[name].domain.split("-")[1] for name in names[:3]] == ["low", "normal", "high"]
    assert [r.recording for r in records if r.split == "test"] == ["test_release-30-HR_4"]


def test_nuaa(tmp_path: Path) -> None:
    """Person and imposter share file names; their recordings do not."""
    for kind, folder in (("client", "ClientRaw"), ("imposter", "ImposterRaw")):
        for split, name in (("train", "0001_00_00_01_0.jpg"), ("test", "0002_00_05_03_7.jpg")):
            tree(tmp_path, f"{folder}/{name[:4]}/{name}")
            (tmp_path / f"{kind}_{split}_raw.txt").write_text(f"{name[:4]}\\{name}\n\n")
    records = read_layout("nuaa", tmp_path)
    assert [(r.path.parent.parent.name, r.species, r.split, r.recording) for r in records] == [
        ("ClientRaw", "none", "train", "ClientRaw-0001-01"),
        ("ImposterRaw", "print", "train", "ImposterRaw-0001-01"),
        ("ClientRaw", "none", "test", "ClientRaw-0002-03"),
        ("ImposterRaw", "print", "test", "ImposterRaw-0002-03"),
    ]


def test_plain_folders_are_training_data_with_the_species_of_their_subfolder(tmp_path: Path) -> None:
    root = tree(tmp_path / "office", "real/a.jpg", "real/anna/b.jpg", "spoof/c.jpg", "spoof/print/d.jpg", "spoof/e.mp4")
    assert facts(read_layout("folders", root)) == {
        "a.jpg": ("none", "office", "train", None),
        "b.jpg": ("none", "office", "train", None),
        "c.jpg": ("unknown", "office", "train", None),
        "d.jpg": ("print", "office", "train", None),
        "e.mp4": ("unknown", "office", "train", "spoof-e"),
    }


def test_plain_folders_may_be_split(tmp_path: Path) -> None:
    root = tree(tmp_path / "office", "train/real/a.jpg", "train/spoof/b.jpg", "val/real/c.jpg", "val/spoof/d.jpg")
    assert [record.split for record in read_layout("folders", root)] == ["train", "train", "val", "val"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_of_another_layout_is_refused_with_what_was_expected(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected|no folder"):
        read_layout(name, tree(tmp_path, "holiday/beach.jpg"))


@pytest.mark.parametrize(
    ("name", "stray"),
    [
        ("oulu-npu", "Train_files/clip.avi"),
        ("replay-attack", "train/attack/hand/clip.mov"),
        ("msu-mfsd", "scene01/real/clip.mp4"),
        ("casia-fasd", "train_release/1/9.avi"),
    ],
)
def test_a_name_that_does_not_say_what_it_shows_is_refused_not_guessed(name: str, stray: str, tmp_path: Path) -> None:
    folders = {
        "oulu-npu": ("Train_files", "Dev_files", "Test_files"),
        "replay-attack": tuple(f"{part}/{kind}" for part in ("train", "devel", "test") for kind in ("real", "attack")),
        "msu-mfsd": ("scene01/real", "scene01/attack"),
        "casia-fasd": ("train_release", "test_release"),
    }
    for folder in folders[name]:
        (tmp_path / folder).mkdir(parents=True)
    for split in ("train", "test"):
        (tmp_path / f"{split}_sub_list.txt").write_text("01\n")
    with pytest.raises(UsageError, match=Path(stray).stem):
        read_layout(name, tree(tmp_path, stray))


def test_an_unknown_layout_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="oulu-npu"):
        read_layout("oulu", tmp_path)
    for folder in ("real", "spoof"):
        (tmp_path / folder).mkdir()
    with pytest.raises(UsageError, match="no image"):
        read_layout("folders", tmp_path)
