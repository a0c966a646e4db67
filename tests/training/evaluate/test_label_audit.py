"""An audit shows every domain and names those that a model contradicts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceauth.errors import ScoreError, UsageError
from training.data.manifests import LIVE, SPOOF, Record
from training.evaluate.label_audit import HEADING, TILE, contradicted_domains, read_scores, write_contact_sheets


def quiet(*_: object) -> None:
    """No progress bar."""


def collection(folder: Path, domain: str, *, live: int, spoof: int) -> list[Record]:
    records = []
    for label, count, grey in ((LIVE, live, 200), (SPOOF, spoof, 60)):
        for number in range(count):
            path = folder / f"{domain}-{label}-{number}.png"
            cv2.imwrite(str(path), np.full((40, 60, 3), grey, np.uint8))
            records.append(Record(path, label, "none" if label == LIVE else "print", domain, "train"))
    return records


def test_a_sheet_shows_live_over_spoof_with_a_heading_each(tmp_path: Path) -> None:
    records = collection(tmp_path, "cam", live=5, spoof=1)
    (sheet,) = write_contact_sheets(records, tmp_path / "out", columns=4, rows=3, progress=quiet)
    assert sheet == tmp_path / "out" / "cam.png"
    image = cv2.imread(str(sheet))
    assert image.shape == (2 * HEADING + 3 * TILE, 4 * TILE, 3)  # 5 live in two rows, 1 spoof in one
    assert image[HEADING + 10, 10].tolist() == [200] * 3
    assert image[2 * HEADING + 2 * TILE + 10, 10].tolist() == [60] * 3


def test_a_one_class_domain_has_a_sheet_of_that_class(tmp_path: Path) -> None:
    records = collection(tmp_path, "cam", live=1, spoof=0) + collection(tmp_path, "other", live=1, spoof=1)
    sheets = write_contact_sheets(records, tmp_path / "out", columns=2, rows=1, progress=quiet)
    assert [cv2.imread(str(sheet)).shape[0] for sheet in sheets] == [HEADING + TILE, 2 * (HEADING + TILE)]


def test_swapped_folders_are_flagged_and_a_hard_or_one_class_domain_is_not() -> None:
    domains = np.array(["good"] * 4 + ["swapped"] * 4 + ["hard"] * 4 + ["live-only"] * 2)
    labels = np.array([0, 0, 1, 1] * 3 + [0, 0])
    p_live = np.array([0.9, 0.8, 0.2, 0.1, 0.1, 0.2, 0.8, 0.9, 0.6, 0.4, 0.5, 0.5, 0.1, 0.1])
    assert contradicted_domains(p_live, labels, domains) == {"swapped": 0.0}


def test_a_score_outside_0_and_1_is_an_error_not_a_flag() -> None:
    with pytest.raises(ScoreError):
        contradicted_domains([float("nan"), 0.5], [0, 1], np.array(["a", "a"]))


def test_scores_are_matched_by_path_relative_to_their_file(tmp_path: Path) -> None:
    records = collection(tmp_path, "cam", live=2, spoof=1)
    scores = tmp_path / "scores.csv"
    scores.write_text(f"path,p_live\ncam-1-0.png,0.25\n{tmp_path / 'cam-0-1.png'},0.75\nelsewhere.png,0.5\n")
    found, p_live = read_scores(scores, records)
    assert [record.path.name for record in found] == ["cam-0-1.png", "cam-1-0.png"]
    assert p_live.tolist() == [0.75, 0.25]


@pytest.mark.parametrize("text", ["path,score\na.png,1\n", "path,p_live\ncam-0-0.png,high\n", "path,p_live\nb.png,1\n"])
def test_scores_that_say_nothing_of_these_images_are_refused(text: str, tmp_path: Path) -> None:
    records = collection(tmp_path, "cam", live=1, spoof=0)
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(UsageError, match=r"scores\.csv"):
        read_scores(tmp_path / "scores.csv", records)
    with pytest.raises(UsageError, match=r"absent\.csv"):
        read_scores(tmp_path / "absent.csv", records)
