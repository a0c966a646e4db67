"""The commands say what they do, and do it from the command line."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from faceauth.stages import Image
from training.cli import main
from training.config import load_config
from training.portraits import split_of_portrait
from training.records import LIVE, manifest_records
from training.simulate.simulation import FAMILIES

COMMANDS = tuple(main.commands)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def office(tmp_path: Path, astronaut: Image) -> Path:
    """A collection of plain folders whose val split repeats a picture of train."""
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
    assert "domain office stands in train and val" in text
    assert "a.png" in text and "c.png" in text and "1 near-duplicates across splits among 4 pictures" in text


def test_an_audit_writes_sheets_and_names_a_domain_that_the_scores_contradict(office: Path, tmp_path: Path) -> None:
    scores = office / "scores.csv"
    scores.write_text("path,p_live\ntrain/real/a.png,0.1\ntrain/spoof/b.png,0.9\n")
    code, text = run("audit", "--layout", f"folders={office}", "--out", tmp_path / "sheets", "--scores", scores)
    assert code == 1 and "office: AUC 0.000" in text
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["office.png"]


def test_portraits_are_searched_for_leaks_too(office: Path, tmp_path: Path, astronaut: Image) -> None:
    """A portrait of train repeats a picture of val; its folder stands in two splits by design."""
    (tmp_path / "faces").mkdir()
    for split in ("train", "val"):
        name = next(name for name in "abcdefghijklmnop" if split_of_portrait(Path(name)) == split)
        picture = astronaut[::-1] if split == "train" else astronaut[:, 200:]
        cv2.imwrite(str(tmp_path / "faces" / f"{name}.png"), picture)
    (tmp_path / "faces" / "broken.jpg").write_text("no picture")
    code, text = run("check-leakage", "--layout", f"folders={office}", "--portraits", tmp_path / "faces")
    assert code == 1 and "2 near-duplicates across splits among 6 pictures" in text
    assert "portraits-faces" not in text


def test_an_audit_asks_a_training_about_the_domains_it_left_out_only(tmp_path: Path) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    from training.network import SpoofNet
    from training.weights import save_weights

    fold = tmp_path / "fold1"
    fold.mkdir()
    save_weights(SpoofNet(), fold / "last.safetensors", ["left-out"])
    recipe = load_config(Path(__file__).parents[2] / "training" / "configs" / "reference.toml")
    small = recipe.model_copy(update={"view": recipe.view.model_copy(update={"size": 32})})
    (fold / "recipe.json").write_text(small.model_dump_json(exclude={"epochs"}))
    manifest = boxed_manifest(tmp_path, ("left-out", "trained-on"))
    code, text = run("audit", "--manifest", manifest, "--out", tmp_path / "sheets", "--run", fold)
    assert code in (0, 1) and "of 1 domains contradict the model" in text
    save_weights(SpoofNet(), fold / "last.safetensors")
    code, text = run("audit", "--manifest", manifest, "--out", tmp_path / "sheets", "--run", fold)
    assert code == 1 and "may have learnt from all of these pictures" in " ".join(text.split())
    assert run("audit", "--manifest", manifest, "--out", tmp_path, "--run", fold, "--liveness", "spoofnet")[0] == 2


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
    assert code == 1 and "1 near-duplicates across splits among 4 pictures" in text
    assert run("audit", "--layout", films, "--out", tmp_path / "sheets")[0] == 0
    assert (tmp_path / "sheets" / "films.png").exists()
    code, text = run("manifest", "--layout", films, "--out", tmp_path / "made", "--frames", 2)
    assert code == 0 and "without a face left out" in text
    rows = [row for row in manifest_records(tmp_path / "made" / "manifest.csv") if row.label == LIVE]
    assert [(row.split, row.recording) for row in rows] == [("train", "train-real-a")] * 2 + [("val", "val-real-c")] * 2
    for row in rows:
        assert row.box_xyxy is not None and 150 < row.box_xyxy[0] < row.box_xyxy[2] < 330  # where she is


def test_a_backend_is_not_asked_about_pictures_without_a_face_box(office: Path, tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    code, text = run("audit", "--layout", f"folders={office}", "--out", sheets, "--liveness", "spoofnet")
    assert code == 1 and "4 of 4 pictures have no face box" in text and not sheets.exists()


def test_an_error_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    code, text = run("check-leakage", "--layout", f"oulu-npu={tmp_path}")
    assert code == 1 and text.startswith("Error: ") and "Train_files" in text and "Traceback" not in text
    assert run("check-leakage")[0] == 2
    assert run("train", tmp_path / "absent.toml", "--packs", tmp_path, "--out", tmp_path)[0] == 2


def test_training_without_packs_says_what_to_run(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    config = Path(__file__).parents[2] / "training" / "configs" / "reference.toml"
    code, text = run("train", config, "--packs", tmp_path, "--out", tmp_path / "run")
    assert code == 1 and "python -m training prepare" in text


def test_an_export_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "training.litert", raising=False)
    monkeypatch.setitem(sys.modules, "litert_torch", None)  # as where it is not installed
    weights = tmp_path / "weights.safetensors"
    weights.touch()
    code, text = run("export", weights, "--manifest", weights, "--scale", 2, "--out", tmp_path / "out")
    assert code == 1 and "pip install -e '.[litert]'" in text and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("in_the_file", "asked", "used"),
    [("", (), "bf16-mixed"), ('precision = "32-true"', (), "32-true"), ("", ("--precision", "32-true"), "32-true")],
)
def test_a_recipe_keeps_its_precision_unless_another_is_asked_for(
    in_the_file: str, asked: tuple[str, ...], used: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", exc_type=ImportError)
    pytest.importorskip("lightning_fabric")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'name = "recipe"\nepochs = 1\n{in_the_file}\n')
    seen: list[str] = []
    monkeypatch.setattr("training.packs.load_all", lambda _: None)
    monkeypatch.setattr("training.train.train", lambda config, *_, **__: seen.append(config.precision))
    assert run("train", recipe, "--packs", tmp_path, "--out", tmp_path / "run", *asked)[0] == 0
    assert seen == [used]


GO_ON_FROM_THEIR_BEST = ("full_resolution", "matching", "patches", "levels", "robust")


def test_reproduce_hands_the_weights_of_each_stage_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps themselves are tested on their own; here each only says what it was given."""
    given: list[tuple[str, dict[str, object]]] = []
    for name in ("prepare", "train", "average", "release"):
        step = main.commands[name]
        monkeypatch.setattr(step, "callback", lambda name=name, **arguments: given.append((name, arguments)))
    head, rows = "path,label,attack,domain,split,box_x,box_y,box_w,box_h\n", []
    for split in ("train", "val", "test"):
        for label, attack in (("live", "none"), ("spoof", "print")):
            (tmp_path / f"{split}-{label}.png").touch()
            rows.append(f"{split}-{label}.png,{label},{attack},{split},{split},1,1,9,9\n")
    (tmp_path / "faces").mkdir()
    for person in "abcdefghijklmnop":  # some of them are held out
        (tmp_path / "faces" / f"{person}.png").touch()
    (tmp_path / "manifest.csv").write_text(head + "".join(rows))
    paths = {
        "manifest": tmp_path / "manifest.csv",
        "portraits": tmp_path / "faces",
        "teachers": tmp_path,
        "terms": Path(__file__).parents[2] / "training" / "terms.toml",
        "run": tmp_path / "run",
    }
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]
    assert run("reproduce", *options, "--precision", "32-true")[0] == 0
    groups = (4, 2, 3, 1)
    steps = [name for name, _ in given]
    assert steps == ["prepare", *(step for n in groups for step in (*["train"] * n, "average")), "release"]
    assert {arguments["precision"] for name, arguments in given if name == "train"} == {"32-true"}
    (_, packed), *between, (_, released) = given
    made: list[Path] = []
    for name, step in between:
        assert isinstance(step["out"], Path) and step["packs"] == packed["out"]
        if name == "train":
            assert step["init"] == (made[-1] if made else None)
            last, chosen = step, "best" if step["out"].name in GO_ON_FROM_THEIR_BEST else "last"
            made.append(step["out"] / f"{chosen}.safetensors")
        else:
            assert (step["ingredients"], step["measure"]) == (made[-2:], last["config"])
            made.append(step["out"])
    assert released["weights"] == made[-1]
    recipe = load_config(last["config"])  # type: ignore[arg-type]
    assert (released["scale"], released["mirrored_scale"]) == (recipe.scales[0], recipe.mirrored_scale)

    given.clear()
    made[-1].parent.mkdir()
    made[-1].touch()  # another machine might make it with other last bits, and its next stage would be refused
    assert run("reproduce", *options)[0] == 0
    assert [name for name, _ in given].count("average") == len(groups) - 1

    (tmp_path / "manifest.csv").write_text(head + "".join(rows[:-1]))
    code, text = run("reproduce", *options)
    assert code == 1 and "test has none such" in " ".join(text.split())
    (tmp_path / "manifest.csv").write_text(head + "".join(rows))
    for file in (tmp_path / "faces").glob("[b-p].png"):
        file.unlink()
    code, text = run("reproduce", *options)
    assert code == 1 and "too few people to hold one in five" in " ".join(text.split())
