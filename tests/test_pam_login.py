"""`examples/pam_login`, through PAM: in is who sits there, live, asked for it and is enrolled; everything else is out.

pamtester runs in a mount namespace, where PAM has the folder and the passwords of the test: the machine's own PAM is
never touched. What PAM is told is the block in the README.
"""

import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from faceauth import Pipeline
from faceauth.errors import UsageError
from faceauth.imaging.decoding import load_image
from faceauth.testing import FakeDetector
from faceauth.trusted_files import writable_by_others
from faceauth.video.streams import own_frames

from .pipelines import fake_pipeline, noise_image
from .video.clips import SIZE_WH, clip

pytest.importorskip("sqlalchemy", reason="needs the extra login")
from faceauth.gallery import Gallery, LocalKey, add_subject, enroll, find_subject, login

ROOT = Path(__file__).parents[1]
HELPER = ROOT / "examples" / "pam_login" / "pam_login.py"
PHOTOS = ROOT / "examples"
USER, STRANGER_ID = "eileen", 12345
PASSWORD = "correct-horse"
SHADOW = "$6$abcdefgh$Y8X4fK8dzckng/fIjIaMbhSI.0pb8jFFSN/J/PpH0DRCfCv16PIDicIrPVJ7EyzvvLxpGoKT/B4/my3gDKmFj0"
SERVICE = "faceauth-test"

pytestmark = pytest.mark.slow

LAUNCHER = """
import runpy, sys
sys.path.insert(0, {root!r})  # the package of this very tree, and not an installed one
sys.argv = sys.argv[1:]
{patch}
runpy.run_path(sys.argv[0], run_name="__main__")
"""

NAMESPACE = """
set -e
mount --bind "$1/pam.d" /etc/pam.d
for name in passwd shadow; do mount --bind "$1/$name" "/etc/$name"; done
shift
exec pamtester "$@"
"""


def missing() -> str | None:
    """What a test through PAM lacks here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux: PAM's folder is replaced in a mount namespace"
    for program in ("pamtester", "unshare"):
        if shutil.which(program) is None:
            return f"needs {program}: apt-get install {'pamtester' if program == 'pamtester' else 'util-linux'}"
    if subprocess.run(["unshare", "-m", "mount", "--bind", "/tmp", "/etc/pam.d"], capture_output=True).returncode:
        return "needs the right to make a mount namespace (CAP_SYS_ADMIN)"
    others = next(filter(None, map(writable_by_others, (ROOT, Path(sys.executable)))), None)
    return None if others is None else f"needs {others} to be root's alone, as the helper does"


MISSING = missing()
pam_only = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


def fill(folder: Path) -> None:
    """A gallery of Eileen Collins and a clip of everybody, made once."""
    key = LocalKey.create_file(folder / "master.key")
    gallery = Gallery(folder / "gallery.sqlite", key, audit_log=folder / "audit.jsonl", create=True)
    add_subject(gallery, USER, enroll(Pipeline(), [PHOTOS / "collins_enrolled.jpg"]), consent="public domain")
    for name in ("collins", "hopper", "collins_on_a_phone", "collins_on_paper"):
        writer = cv2.VideoWriter(str(folder / f"{name}.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, SIZE_WH)
        for _, image in clip(load_image(PHOTOS / f"{name}.jpg"), 3.0):
            writer.write(image)
        writer.release()


@pytest.fixture(scope="module")
def filled() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="faceauth-pam-") as name:
        fill(Path(name))
        yield Path(name)


class Machine:
    """A machine whose PAM asks the helper, and then for the password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.helper, self.launcher = folder / "pam.toml", folder / "pam_login.py", folder / "launcher.py"
        self.command = f"{sys.executable} -I {self.launcher} {self.helper} {self.config}"
        (folder / "pam.d").mkdir()
        self.patch("")
        self.budget(240.0)  # seconds, where the time is not what is tested: a busy machine is slow
        self.configure()
        self.stack(password=False)
        user = f"{USER}:x:{STRANGER_ID}:{STRANGER_ID}::/:/bin/sh\n"
        (folder / "passwd").write_text(f"root:x:0:0:root:/root:/bin/sh\n{user}")
        (folder / "shadow").write_text(f"root:*:19000:0:99999:7:::\n{USER}:{SHADOW}:19000:0:99999:7:::\n")

    def configure(self, *, camera: str = "collins.avi", more: str = "") -> None:
        """Write the configuration; ``camera`` is a clip of the folder."""
        places = {
            "gallery": self.folder / "gallery.sqlite",
            "master_key": self.folder / "master.key",
            "audit_log": self.folder / "audit.jsonl",
            "camera": self.folder / camera,
        }
        self.config.write_text("".join(f'{name} = "{place}"\n' for name, place in places.items()) + more)

    def patch(self, code: str) -> None:
        """Run ``code`` before the helper."""
        self.launcher.write_text(LAUNCHER.format(root=str(ROOT), patch=code))

    def budget(self, seconds: float) -> None:
        """Copy the helper with another limit of time."""
        text, times = re.subn(r"^BUDGET_S = 5\.0$", f"BUDGET_S = {seconds}", HELPER.read_text(), flags=re.MULTILINE)
        assert times == 1
        self.helper.write_text(text)

    def stack(self, *, password: bool, command: str | None = None) -> None:
        """The lines of the README with the paths of this machine; without the password a no is the end."""
        face, below = pam_lines()
        options, _, _ = face.partition("/opt")
        assert below == "@include common-auth"
        then = "auth required pam_unix.so" if password else "auth required pam_deny.so"
        lines = (options + (command or self.command), then, "account required pam_permit.so", "")
        (self.folder / "pam.d" / SERVICE).write_text("\n".join(lines))

    def asks(self, typed: str = "face", *options: str, user: str = USER) -> "subprocess.CompletedProcess[str]":
        """Somebody types at the prompt of a program that asks PAM."""
        words = ["unshare", "-m", "sh", "-c", NAMESPACE, "sh", str(self.folder), *options, SERVICE, user]
        return subprocess.run(
            [*words, "authenticate"], input=f"{typed}\n", capture_output=True, text=True, errors="replace", timeout=300
        )

    def lets_in(self, typed: str = "face", *options: str, user: str = USER) -> bool:
        done = self.asks(typed, *options, user=user)
        assert (done.returncode == 0) == ("successfully authenticated" in done.stdout + done.stderr)
        return done.returncode == 0

    def gallery(self) -> Gallery:
        key = LocalKey.from_file(self.folder / "master.key")
        return Gallery(self.folder / "gallery.sqlite", key, audit_log=self.folder / "audit.jsonl")

    def failures(self) -> int:
        return find_subject(self.gallery(), USER).failures

    def judged(self) -> list[str]:
        """The reasons in the audit log."""
        return [line["reason"] for line in self.gallery().audit.lines() if line["event"] == "judged"]


@pytest.fixture
def machine(filled: Path) -> Iterator[Machine]:
    """In a folder that is root's alone, the way to it included."""
    with tempfile.TemporaryDirectory(prefix="faceauth-pam-") as name:
        folder = Path(shutil.copytree(filled, Path(name) / "machine"))
        yield Machine(folder)


def pam_lines() -> list[str]:
    """What the README puts into a service's file."""
    (block,) = re.findall(r"^```pam\n(.*?)^```$", HELPER.with_name("README.md").read_text(), re.DOTALL | re.MULTILINE)
    return str(block).splitlines()


# Through PAM.


@pam_only
class TestThroughPam:
    def test_who_is_live_enrolled_and_asks_for_it_is_let_in(self, machine: Machine) -> None:
        done = machine.asks()
        assert done.returncode == 0, done.stdout + done.stderr
        assert machine.judged() == ["live_and_matched"] and machine.failures() == 0
        assert machine.gallery().audit.lines()[-1]["client"] == f"pam {SERVICE}"

    @pytest.mark.parametrize("camera", ["collins.avi", "hopper.avi", "collins_on_a_phone.avi"])
    def test_the_person_is_told_what_to_do_and_no_score(self, machine: Machine, camera: str) -> None:
        machine.configure(camera=camera)
        said = machine.asks().stdout.replace(SERVICE, "")
        assert "Look into the camera" in said or "Turn your head" in said, said
        assert re.findall(r"\d", said) == []

    def test_no_plugin_is_loaded_unless_the_configuration_allows_it(self, machine: Machine) -> None:
        machine.patch(
            "import faceauth\nreal = faceauth.Pipeline\n"
            f"note = open({str(machine.folder / 'note')!r}, 'a')\n"
            "faceauth.Pipeline = lambda config: print(config.allowed_plugins, file=note, flush=True) or real(config)"
        )
        machine.lets_in()
        machine.configure(more='[settings]\nallowed_plugins = ["faceauth-other"]\n')
        machine.lets_in()
        assert (machine.folder / "note").read_text() == "()\n('faceauth-other',)\n"

    def test_a_stranger_is_not(self, machine: Machine) -> None:
        machine.configure(camera="hopper.avi")
        assert not machine.lets_in()
        assert machine.judged() == ["not_matched"] and machine.failures() == 1

    @pytest.mark.parametrize("attack", ["collins_on_a_phone.avi", "collins_on_paper.avi"])
    def test_a_photo_is_not(self, machine: Machine, attack: str) -> None:
        machine.configure(camera=attack)
        assert not machine.lets_in()
        assert machine.judged() in (["attack_suspected"], ["liveness_uncertain"]) and machine.failures() == 1

    def test_somebody_else_s_user_name_is_not(self, machine: Machine) -> None:
        assert not machine.lets_in(user="root")
        assert machine.judged() == []

    @pytest.mark.parametrize("typed", ["", "Face", "face ", " face", "faceface", PASSWORD, "\udcff\udcfe"])
    def test_nobody_is_judged_without_the_word(self, machine: Machine, typed: str) -> None:
        done = machine.asks(typed.encode("utf-8", "surrogateescape").decode("latin-1"))
        assert done.returncode != 0
        assert machine.judged() == [] and machine.failures() == 0 and "face" not in done.stdout.replace(SERVICE, "")

    def test_nobody_is_judged_where_pam_does_not_pass_the_word_on(self, machine: Machine) -> None:
        service = machine.folder / "pam.d" / SERVICE
        service.write_text(service.read_text().replace(" expose_authtok", ""))
        assert not machine.lets_in() and machine.judged() == []

    def test_who_comes_over_a_network_is_not_judged(self, machine: Machine) -> None:
        assert not machine.lets_in("face", "-I", "rhost=192.0.2.7") and machine.judged() == []

    def test_a_locked_out_person_is_told_to_wait(self, machine: Machine) -> None:
        gallery, pipeline = machine.gallery(), Pipeline()
        for _ in range(5):
            login(gallery, pipeline, USER, PHOTOS / "hopper.jpg", client="before")
        done = machine.asks()
        assert done.returncode != 0 and "wait" in done.stdout + done.stderr
        assert machine.judged() == ["not_matched"] * 5

    @pytest.mark.parametrize("variable", ["FACEAUTH_THRESHOLD=0.000001", "FACEAUTH_REQUIRE_LIVENESS=false"])
    def test_no_variable_loosens_anything(self, machine: Machine, variable: str) -> None:
        machine.configure(camera="collins_on_a_phone.avi")
        assert not machine.lets_in("face", "-E", variable) and machine.judged() != ["live_and_matched"]

    @pytest.mark.parametrize("variable", ["FACEAUTH_DETECTOR=absent", "PYTHONPATH=/nowhere", "FACEAUTH_GALLERY=/x"])
    def test_no_variable_shuts_anybody_out(self, machine: Machine, variable: str) -> None:
        assert machine.lets_in("face", "-E", variable)


@pam_only
class TestTheHelperFails:
    def test_a_missing_one_lets_nobody_in(self, machine: Machine) -> None:
        machine.stack(password=False, command="/nowhere/pam_login")
        assert not machine.lets_in()

    def test_one_that_ends_with_garbage_lets_nobody_in(self, machine: Machine) -> None:
        garbage = machine.folder / "garbage"
        garbage.write_text("#!/bin/sh\nhead -c 100000 /dev/urandom; echo ACCEPT successfully; exit 3\n")
        garbage.chmod(0o755)
        machine.stack(password=False, command=str(garbage))
        assert machine.asks().returncode != 0

    @pytest.mark.parametrize("answer", ["None", "'accept'", "b'\\x00\\xff'", "object()", "1"])
    def test_an_answer_that_is_none_lets_nobody_in_and_is_charged(self, machine: Machine, answer: str) -> None:
        machine.patch(
            "import faceauth.video.session as video\n"
            f"video.PresentationSession.result = property(lambda session: {answer})"
        )
        assert not machine.lets_in() and machine.failures() == 1

    def test_one_that_is_killed_lets_nobody_in_and_gives_no_free_try(self, machine: Machine) -> None:
        machine.patch(
            "import os\nimport faceauth.video.watching as video\n"
            "video.follow = lambda session, stream: os.kill(os.getpid(), 9)"
        )
        assert not machine.lets_in() and machine.failures() == 1

    def test_one_that_hangs_is_ended_after_five_seconds_and_gives_no_free_try(self, machine: Machine) -> None:
        machine.budget(5.0)
        machine.patch(
            "import time, signal\n"
            "signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"  # as a program before it may have left it
            "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n"
            "import faceauth.video.watching as video\n"
            "video.follow = lambda session, stream: time.sleep(50)"
        )
        started_s = time.monotonic()
        assert not machine.lets_in()
        assert 4.0 < time.monotonic() - started_s < 20.0
        assert machine.failures() == 1

    def test_a_camera_that_shows_no_face_ends_in_time_and_costs_nothing(self, machine: Machine) -> None:
        machine.budget(12.0)
        machine.patch(
            "import time\nimport numpy as np\nimport faceauth.video.watching as video\n"
            "from faceauth.video.streams import own_frames\n"
            "noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)\n"
            "def dark():\n"
            "    while True:\n"
            "        time.sleep(0.2)\n"
            "        yield 0.001 * time.monotonic(), np.roll(noise, round(time.monotonic() * 1000), 0)\n"
            "video.open_stream = lambda camera: own_frames(dark())"
        )
        assert not machine.lets_in()
        assert machine.judged() == ["timed_out"] and machine.failures() == 0

    def test_a_missing_camera_costs_nothing(self, machine: Machine) -> None:
        machine.configure(camera="absent.avi")
        assert not machine.lets_in() and machine.failures() == 0 and machine.judged() == []


@pam_only
class TestFilesOfOthers:
    @pytest.mark.parametrize("name", ["pam.toml", "master.key", "gallery.sqlite", "audit.jsonl", "collins.avi"])
    def test_a_file_of_another_owner_lets_nobody_in(self, machine: Machine, name: str) -> None:
        os.chown(machine.folder / name, STRANGER_ID, -1)
        assert not machine.lets_in()
        os.chown(machine.folder / name, 0, -1)
        assert machine.judged() == [] and machine.lets_in()

    @pytest.mark.parametrize("name", ["pam.toml", "audit.jsonl", "pam_login.py", "."])
    def test_one_that_others_may_write_lets_nobody_in(self, machine: Machine, name: str) -> None:
        place = machine.folder / name
        mode = stat.S_IMODE(place.stat().st_mode)
        place.chmod(mode | 0o002)
        assert not machine.lets_in()
        place.chmod(mode)
        assert machine.judged() == [] and machine.lets_in()

    @pytest.mark.parametrize("more", ["camera = \n", "other = 1\n", "[settings]\nno_such = 1\n", "\x00", '"a"\n'])
    def test_a_configuration_that_says_something_else_lets_nobody_in(self, machine: Machine, more: str) -> None:
        machine.configure(more=more)
        assert not machine.lets_in() and machine.judged() == []

    def test_a_missing_configuration_lets_nobody_in(self, machine: Machine) -> None:
        machine.config.unlink()
        assert not machine.lets_in() and machine.judged() == []

    def test_settings_of_the_configuration_hold(self, machine: Machine) -> None:
        machine.configure(more="[settings]\nthreshold = 1.0\n")
        assert not machine.lets_in() and machine.judged() != ["live_and_matched"]
        machine.configure(more="[settings]\nthreshold = 0.5\n")
        assert machine.lets_in()


@pam_only
class TestAboveThePassword:
    @pytest.fixture
    def machine(self, machine: Machine) -> Machine:
        machine.stack(password=True)
        return machine

    def test_the_password_still_lets_in_is_asked_for_once_and_costs_no_attempt(self, machine: Machine) -> None:
        assert machine.lets_in(PASSWORD) and machine.judged() == []

    def test_another_password_does_not(self, machine: Machine) -> None:
        assert not machine.lets_in("wrong") and machine.judged() == []

    def test_the_face_lets_in_without_it(self, machine: Machine) -> None:
        assert machine.lets_in("face") and machine.judged() == ["live_and_matched"]

    def test_a_refused_face_needs_it(self, machine: Machine) -> None:
        machine.configure(camera="hopper.avi")
        assert not machine.lets_in("face")
        assert machine.lets_in(PASSWORD)

    def test_a_helper_that_is_gone_leaves_it(self, machine: Machine) -> None:
        machine.helper.unlink()
        assert not machine.lets_in("face") and machine.lets_in(PASSWORD)


# Without PAM.


def test_the_lines_of_the_readme_have_the_password_below_the_face() -> None:
    face, below = pam_lines()
    assert face.split()[:3] == ["auth", "sufficient", "pam_exec.so"] and below == "@include common-auth"
    assert {"seteuid", "expose_authtok"} <= set(face.split()) and " -I " in face


@pytest.fixture
def helper() -> types.SimpleNamespace:
    """The names of the helper; nothing of it runs."""
    pytest.importorskip("syslog", reason="needs POSIX")
    return types.SimpleNamespace(**runpy.run_path(str(HELPER)))


def test_nothing_of_the_environment_and_the_folder_is_left(
    helper: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEAUTH_WEIGHTS", "/evil")
    before, folder, mask = dict(os.environ), Path.cwd(), os.umask(0o022)
    try:
        assert helper.forget_surroundings() == before
        assert dict(os.environ) == {} and Path.cwd() == Path("/") and os.umask(0o022) == 0o077
    finally:
        os.environ.update(before)
        os.chdir(folder)
        os.umask(mask)


def test_only_root_reads_the_configuration(
    helper: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER_ID)
    with pytest.raises(UsageError, match="seteuid"):
        helper.read_login(tmp_path / "pam.toml")


def test_the_configuration_of_the_readme_is_read(
    helper: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", HELPER.with_name("README.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "pam.toml").write_text(block)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("faceauth.trusted_files.writable_by_others", lambda path: None)
    read = helper.read_login(tmp_path / "pam.toml")
    assert read.camera == 0 and read.settings == {"threshold": "balanced", "match_threshold": "strict"}


def test_a_stage_that_fails_is_not_told_to_the_person(
    helper: types.SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def gone(_: object) -> list[object]:
        raise RuntimeError("/secret/path 0.4321")

    pipeline = fake_pipeline(detector=FakeDetector(gone))
    gallery = Gallery(tmp_path / "gallery.sqlite", LocalKey.create_file(tmp_path / "master.key"), create=True)
    add_subject(gallery, USER, enroll(fake_pipeline(), [noise_image(1)]), consent="form 1")
    replaced = helper.is_let_in.__globals__
    monkeypatch.setitem(replaced, "check_code", lambda: None)
    monkeypatch.setitem(
        replaced,
        "read_login",
        lambda path: helper.Login(gallery.database.path, tmp_path / "master.key", gallery.audit.path, 0, {}),
    )
    monkeypatch.setattr("faceauth.Pipeline", lambda config: pipeline)
    frames = [(0.1 * number, noise_image(number)) for number in range(3)]
    monkeypatch.setattr("faceauth.video.watching.open_stream", lambda camera: own_frames(iter(frames)))
    assert not helper.is_let_in(helper.Asked(USER, SERVICE), tmp_path, time.monotonic() + 60)
    said = capsys.readouterr().out
    assert "gave no usable answer" in said and "secret" not in said
    assert find_subject(gallery, USER).failures == 1


@pytest.mark.parametrize("name", ["gallery", "master_key", "audit_log", "camera"])
def test_a_path_that_depends_on_the_folder_is_refused(
    helper: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    settings = dict.fromkeys(("gallery", "master_key", "audit_log", "camera"), "/x") | {name: "relative"}
    (tmp_path / "pam.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("faceauth.trusted_files.writable_by_others", lambda path: None)
    with pytest.raises(UsageError, match="whole path"):
        helper.read_login(tmp_path / "pam.toml")


@pytest.mark.parametrize("refused", ["pam_login.py", "python", "__init__.py"])
def test_code_that_others_may_change_is_not_run(
    helper: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        "faceauth.trusted_files.writable_by_others", lambda path: path if refused in path.name else None
    )
    with pytest.raises(UsageError, match=r"program .* may change"):
        helper.check_code()
