"""The commands say what they do, and do it from the command line."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from faceauth.stages import Image
from training.cli import main
from training.data.manifests import LIVE, records_of_splits
from training.data.portraits import split_of_portrait
from training.simulate.simulation import FAMILIES
from training.train.recipe import Recipe, load_recipe

COMMANDS = tuple(main.commands)
CONFIGS = Path(__file__).parents[3] / "training" / "configs"


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def office(tmp_path: Path, astronaut: Image) -> Path:
    """A collection of plain folders whose val split repeats an image of train."""
    for name, image in {
        "train/real/a": astronaut,
        "train/spoof/b": astronaut[200:, :300],
        "val/real/c": np.clip(astronaut * 1.1, 0, 255).astype(np.uint8),
        "val/spoof/d": astronaut[::-1],
    }.items():
        path = tmp_path / "office" / f"{name}.png"
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), image)
    return tmp_path / "office"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    code, text = run(name, "--help")
    assert code == 0 and name in text
    assert all(option.help for option in main.commands[name].params if option.param_type_name == "option")


def test_leaks_are_told_and_exit_with_1(office: Path) -> None:
    code, text = run("check-leakage", "--layout", f"folders={office}")
    assert code == 1
    assert "domain office is in train and val" in text
    assert "a.png" in text and "c.png" in text and "1 near-duplicates across splits among 4 images" in text


def test_an_audit_writes_sheets_and_names_a_domain_that_the_scores_contradict(office: Path, tmp_path: Path) -> None:
    scores = office / "scores.csv"
    scores.write_text("path,p_live\ntrain/real/a.png,0.1\ntrain/spoof/b.png,0.9\n")
    code, text = run("audit", "--layout", f"folders={office}", "--out", tmp_path / "sheets", "--scores", scores)
    assert code == 1 and "office: AUC 0.000" in text
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["office.png"]


def test_portraits_are_searched_for_leaks_too(office: Path, tmp_path: Path, astronaut: Image) -> None:
    """A portrait of train repeats an image of val; its folder stands in two splits by design."""
    (tmp_path / "faces").mkdir()
    for split in ("train", "val"):
        name = next(name for name in "abcdefghijklmnop" if split_of_portrait(Path(name)) == split)
        picture = astronaut[::-1] if split == "train" else astronaut[:, 200:]
        cv2.imwrite(str(tmp_path / "faces" / f"{name}.png"), picture)
    (tmp_path / "faces" / "broken.jpg").write_text("no picture")
    code, text = run("check-leakage", "--layout", f"folders={office}", "--portraits", tmp_path / "faces")
    assert code == 1 and "2 near-duplicates across splits among 6 images" in text
    assert "portraits-faces" not in text


def test_an_audit_asks_a_training_about_the_domains_it_left_out_only(tmp_path: Path) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    from training.train.checkpoint import save_weights
    from training.train.network import SpoofNet

    weights = tmp_path / "fold1" / "phase1.safetensors"
    save_weights(SpoofNet(), weights, ["left-out"])
    recipe = load_recipe(CONFIGS / "reference.toml")
    small = recipe.model_copy(update={"phases": (recipe.phases[0].model_copy(update={"size": 32}),)})
    weights.with_name("recipe.json").write_text(small.model_dump_json())
    manifest = boxed_manifest(tmp_path, ("left-out", "trained-on"))
    code, text = run("audit", "--manifest", manifest, "--out", tmp_path / "sheets", "--weights", weights)
    assert code in (0, 1) and "of 1 domains of both classes contradict the model" in text
    save_weights(SpoofNet(), weights)
    code, text = run("audit", "--manifest", manifest, "--out", tmp_path / "sheets", "--weights", weights)
    assert code == 1 and "may have learnt from all of these images" in " ".join(text.split())
    two = ("--weights", weights, "--liveness", "spoofnet")
    assert run("audit", "--manifest", manifest, "--out", tmp_path, *two)[0] == 2


def boxed_manifest(folder: Path, domains: tuple[str, ...]) -> Path:
    """Two noisy live pictures and two dark attacks of each domain, with boxes."""
    rows = ["path,label,attack,domain,split,box_x,box_y,box_w,box_h"]
    for domain in domains:
        for number, (label, attack) in enumerate([("live", "none"), ("spoof", "print")] * 2):
            name = f"{domain}-{number}.png"
            noise = np.random.default_rng(number).integers(0, 255 if label == "live" else 60, (64, 64, 3))
            cv2.imwrite(str(folder / name), noise.astype(np.uint8))
            rows.append(f"{name},{label},{attack},{domain},train,16,16,32,32")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder / "manifest.csv"


def test_sheets_show_a_sheet_a_family_of_any_manifest(tmp_path: Path) -> None:
    code, text = run("sheets", "--manifest", boxed_manifest(tmp_path, ("cam",)), "--out", tmp_path / "sheets")
    assert code == 0, text
    assert {path.stem for path in (tmp_path / "sheets").iterdir()} == set(FAMILIES)
    sheet = cv2.imread(str(tmp_path / "sheets" / "print.png"))
    assert sheet.shape == (6 * 200, 8 * 200, 3)  # live, simulated and real attacks, twice
    simulated = sheet[200:400, :200]
    assert np.abs(simulated.astype(int) - sheet[:200, :200]).mean() > 5  # was recaptured


def test_an_audit_without_scores_only_shows(office: Path, tmp_path: Path) -> None:
    assert run("audit", "--layout", f"folders={office}", "--out", tmp_path / "sheets")[0] == 0


def test_collections_of_videos_are_looked_at_too(tmp_path: Path, astronaut: Image) -> None:
    shown = {
        "train/real/a": astronaut,
        "train/spoof/b": astronaut[200:, :300],
        "val/real/c": astronaut,
        "val/spoof/d": astronaut[::-1],
    }
    for name, image in shown.items():
        path = tmp_path / "films" / f"{name}.avi"
        path.parent.mkdir(parents=True)
        film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, image.shape[1::-1])
        for _ in range(3):
            film.write(np.ascontiguousarray(image))
        film.release()
    films = f"folders={tmp_path / 'films'}"
    code, text = run("check-leakage", "--layout", films)
    assert code == 1 and "1 near-duplicates across splits among 4 images" in text
    assert run("audit", "--layout", films, "--out", tmp_path / "sheets")[0] == 0
    assert (tmp_path / "sheets" / "films.png").exists()
    code, text = run("manifest", "--layout", films, "--out", tmp_path / "made", "--frames", 2)
    assert code == 0 and "without a face left out" in text
    rows = [row for row in records_of_splits(tmp_path / "made" / "manifest.csv") if row.label == LIVE]
    assert [(row.split, row.recording) for row in rows] == [("train", "train-real-a")] * 2 + [("val", "val-real-c")] * 2
    for row in rows:
        assert row.box_xyxy is not None and 150 < row.box_xyxy[0] < row.box_xyxy[2] < 330  # where she is


def test_a_backend_is_not_asked_about_images_without_a_face_box(office: Path, tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    code, text = run("audit", "--layout", f"folders={office}", "--out", sheets, "--liveness", "spoofnet")
    assert code == 1 and "4 of 4 images have no face box" in text and not sheets.exists()


def test_an_error_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    code, text = run("check-leakage", "--layout", f"oulu-npu={tmp_path}")
    assert code == 1 and text.startswith("Error: ") and "Train_files" in text and "Traceback" not in text
    assert run("check-leakage")[0] == 2
    assert run("train", tmp_path / "absent.toml", "--shards", tmp_path, "--out", tmp_path)[0] == 2


def test_training_without_shards_says_what_to_run(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    config = CONFIGS / "reference.toml"
    code, text = run("train", config, "--shards", tmp_path, "--out", tmp_path / "run")
    assert code == 1 and "python -m training prepare" in text


def test_an_export_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "training.release.litert_export", raising=False)
    monkeypatch.setitem(sys.modules, "litert_torch", None)  # as where it is not installed
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    code, text = run("export", weights, "--manifest", weights, "--out", tmp_path / "out")
    assert code == 1 and "pip install -e '.[litert]'" in text and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("in_the_file", "asked", "used"),
    [("", (), "bf16-mixed"), ('precision = "32-true"', (), "32-true"), ("", ("--precision", "32-true"), "32-true")],
)
def test_a_recipe_keeps_its_precision_unless_another_is_asked_for(
    in_the_file: str, asked: tuple[str, ...], used: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = trained_by_command(tmp_path, monkeypatch, in_the_file, *asked)
    assert (seen.precision, seen.phases[0].views) == (used, 800)


def test_a_scale_shortens_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained_by_command(tmp_path, monkeypatch, "", "--scale", 0.1).phases[0].views == 80


def trained_by_command(folder: Path, monkeypatch: pytest.MonkeyPatch, head: str, *options: object) -> Recipe:
    """The recipe that ``train`` hands on; nothing is trained."""
    pytest.importorskip("torch", exc_type=ImportError)
    pytest.importorskip("lightning_fabric")
    file = folder / "recipe.toml"
    file.write_text(f'name = "recipe"\n{head}\n[[phases]]\nsize = 32\nviews = 800\nbatch_size = 4\nlr = 1e-3\n')
    seen: list[Recipe] = []
    monkeypatch.setattr("training.data.shards.load_folder", lambda _: None)
    monkeypatch.setattr("training.train.loop.train", lambda recipe, *_, **__: seen.append(recipe))
    assert run("train", file, "--shards", folder, "--out", folder / "run", *options)[0] == 0
    return seen[0]


def test_reproduce_hands_the_shipped_recipe_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    pytest.importorskip("lightning_fabric")
    given: list[object] = []
    monkeypatch.setattr(
        "training.release.reproduction.reproduce", lambda *arguments, **options: given.extend([*arguments, options])
    )
    (tmp_path / "file").touch()
    folders = ("--portraits", tmp_path, "--teachers", tmp_path, "--run", tmp_path / "run")
    files = ("--manifest", tmp_path / "file", "--terms", tmp_path / "file")
    assert run("reproduce", *folders, *files, "--scale", 0.01, "--precision", "32-true")[0] == 0
    inputs, recipe, folder, options = given
    assert recipe == load_recipe(CONFIGS / "spoofnet.toml").computed_in("32-true")
    assert folder == tmp_path / "run" and options["scale"] == 0.01  # type: ignore[index]
    assert inputs.portraits == (tmp_path,)  # type: ignore[attr-defined]
