"""Lets a person in by their face, for ``pam_exec``: exit code 0 is yes; any other, and a kill, is no.

``python -I pam_login.py /etc/faceauth/pam.toml``, as root, with ``expose_authtok``. The README beside it says how.
"""

import os
import signal
import sys
import syslog
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from faceauth import Template
    from faceauth.pipeline import Pipeline
    from faceauth.video.decision import PresentationResult
    from faceauth.video.streams import Stream

YES, NO = 0, 1

BUDGET_S = 5.0
"""Seconds from the start to the answer; then the kernel ends the process, even within native code."""

SPARE_S = 0.5
"""Seconds of it that are left for the answer when the camera has to stop. Chosen, not measured."""

WORD = b"face"
"""What the person types instead of the password. Without ``expose_authtok`` nothing arrives, and nobody is judged."""

LONGEST_TYPED = 1024
"""Bytes: more than ``pam_exec`` passes on."""


class Asked(NamedTuple):
    """Who wants to be let in, and by which service."""

    user: str
    service: str


class Login(NamedTuple):
    """What the configuration says: where the gallery, its key and its audit log are, which camera, which settings."""

    gallery: Path
    master_key: Path
    audit_log: Path
    camera: int | Path
    settings: Mapping[str, Any]


def main() -> NoReturn:
    """The program: whatever fails on the way is a no."""
    code = NO
    try:
        ends_at = time.monotonic() + BUDGET_S
        limit_time()
        asked = asked_for(forget_surroundings(), sys.stdin.buffer.read(LONGEST_TYPED))
        if asked is not None and is_let_in(asked, Path(sys.argv[1]), ends_at):
            code = YES
    except Exception as error:
        explain(error)
    finally:
        os._exit(code)  # a network that still computes in a thread would abort an ordinary end


def limit_time() -> None:
    """Let the kernel end the process after ``BUDGET_S``, whatever the program before left of signals."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.setitimer(signal.ITIMER_REAL, BUDGET_S)


def forget_surroundings() -> dict[str, str]:
    """The environment, which is empty from here on: the user may have set it, and the folder and the mask as well."""
    environ = dict(os.environ)
    os.environ.clear()
    os.chdir("/")
    os.umask(0o077)
    return environ


def asked_for(environ: Mapping[str, str], typed: bytes) -> Asked | None:
    """Who asks to be recognised, by an act of their own; None for a typed password and for anything else."""
    sits_here = not environ.get("PAM_RHOST")  # the camera does not see who comes over a network
    if environ.get("PAM_TYPE") == "auth" and sits_here and typed.rstrip(b"\0") == WORD:
        return Asked(environ["PAM_USER"], environ["PAM_SERVICE"])
    return None


def is_let_in(asked: Asked, config: Path, ends_at: float) -> bool:
    """Whether the camera shows the person live, who is enrolled under their user name."""
    check_code()
    login = read_login(config)
    from faceauth import Pipeline
    from faceauth.config import PipelineConfig, with_settings
    from faceauth.gallery import Gallery, LocalKey, answer, open_session
    from faceauth.presentation import message_for_anybody
    from faceauth.video.watching import open_stream

    gallery = Gallery(login.gallery, LocalKey.from_file(login.master_key), audit_log=login.audit_log)
    pipeline = Pipeline(with_settings(PipelineConfig(), {"allowed_plugins": [], **login.settings}))
    with open_stream(login.camera) as stream:  # first: a camera that is missing costs the person no attempt
        session = open_session(gallery, asked.user, f"pam {asked.service}")
        result = answer(gallery, session, pipeline.model_id, lambda found: watched(pipeline, found, stream, ends_at))
    tell(message_for_anybody(result.reason, result.message))
    return result.accepted


def watched(
    pipeline: "Pipeline", templates: "Sequence[Template]", stream: "Stream", ends_at: float
) -> "PresentationResult":
    """What the camera shows until the time is over, with the person told what to do."""
    from faceauth.results import Reason
    from faceauth.video.session import PresentationSession
    from faceauth.video.watching import follow

    session, said = PresentationSession(pipeline, templates), ""
    for state in follow(session, stream):
        if state.result is None and time.monotonic() > ends_at - SPARE_S:
            state = session.close(Reason.TIMED_OUT)
        if state.result is not None:
            break
        if state.message != said:
            tell(said := state.message)
    return session.result


def read_login(path: Path) -> Login:
    """The configuration, from a file that root alone may change, and so is everything that it names.

    Raises:
        UsageError: this is not root, others may change a file, or a setting is missing or unknown.
    """
    from faceauth.errors import UsageError
    from faceauth.settings.config_file import read_config_file
    from faceauth.trusted_files import refuse_writable_by_others

    if os.geteuid() != 0:
        raise UsageError("The helper runs as root: give pam_exec the option seteuid.")
    found = read_config_file(path)
    names = {"gallery", "master_key", "audit_log", "camera"}
    if found.keys() - {"settings"} != names or not all(isinstance(found[name], str) for name in names):
        raise UsageError(f"{path} has to set {', '.join(sorted(names))} to texts, may have a table settings, no more.")
    camera = int(found["camera"]) if found["camera"].isdecimal() else Path(found["camera"])
    gallery, master_key, audit_log = (Path(found[name]) for name in ("gallery", "master_key", "audit_log"))
    login = Login(gallery, master_key, audit_log, camera, found.get("settings", {}))
    for place in (login.gallery, login.master_key, login.audit_log, camera):
        if isinstance(place, Path) and not place.is_absolute():
            raise UsageError(f"{path} names {place}: write the whole path, from / on.")
        if isinstance(place, Path) and not place.is_char_device():  # a device belongs to the group of its users
            refuse_writable_by_others(place, called="file")
    return login


def check_code() -> None:
    """Refuse to run code that others than root may change, such as an installation in somebody's home.

    Raises:
        UsageError: it is so.
    """
    import faceauth
    from faceauth.trusted_files import refuse_writable_by_others

    for place in (__file__, sys.executable, str(faceauth.__file__)):
        refuse_writable_by_others(Path(place), called="program")


def explain(error: Exception) -> None:
    """Why nobody was let in: whole to the system's log, and to the person what they can act on."""
    syslog.openlog("faceauth", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_ERR, f"{type(error).__name__}: {error}".replace("\0", ""))
    from faceauth.errors import LockedOut

    tell(str(error) if isinstance(error, LockedOut) else "You cannot log in by your face now.")


def tell(message: str) -> None:
    """A line to the person, at once."""
    print(message, flush=True)


if __name__ == "__main__":
    main()
