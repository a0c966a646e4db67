"""Does one thing to copies of a gallery, killed by SIGKILL at its first write, its second, and so on to the end.

``python killing.py FOLDER OPERATION``: FOLDER holds ``start/`` with a gallery and the file ``key``; of each kill a copy
is left as ``1/``, ``2/``, ... In it ``judged`` says that a face was judged, ``answer`` what was answered.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import event

from faceauth.gallery import (
    Gallery,
    Index,
    LocalKey,
    accept_restored,
    add_subject,
    change_master_key,
    delete_subject,
    enroll,
    login,
    rekey,
)
from faceauth.testing import FakeEmbedder
from faceauth.testing import brightness_pattern as embedded
from tests.pipelines import fake_pipeline, noise_image


def log_in(gallery: Gallery, folder: Path, seed: int) -> str:
    def judge(crops: object) -> object:
        (folder / "judged").touch()
        return embedded(crops)  # type: ignore[arg-type]

    pipeline = fake_pipeline(embedder=FakeEmbedder(judge))
    return str(login(gallery, pipeline, "ada", noise_image(seed), client="c").reason)


def enrol(gallery: Gallery, name: str, seed: int, *, replace: bool = False) -> str:
    add_subject(gallery, name, enroll(fake_pipeline(), [noise_image(seed)]), consent="form 1", replace=replace)
    return "enrolled"


OPERATIONS: dict[str, Callable[[Gallery, Path], object]] = {
    "stranger": lambda gallery, folder: log_in(gallery, folder, 2),
    "ada": lambda gallery, folder: log_in(gallery, folder, 1),
    "enrol": lambda gallery, folder: enrol(gallery, "eve", 3),
    "replace": lambda gallery, folder: enrol(gallery, "ada", 3, replace=True),
    "delete": lambda gallery, folder: delete_subject(gallery, "ada"),
    "rekey": lambda gallery, folder: rekey(gallery),
    "master": lambda gallery, folder: change_master_key(gallery, LocalKey(b"n" * 32)),
    "index": lambda gallery, folder: Index(gallery, "fake").refresh(),
    "restored": lambda gallery, folder: accept_restored(gallery),
}


class Killer:
    """Kills this process at the n-th call."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, *_: object, **__: object) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., object]) -> Callable[..., object]:
        def killing(*arguments: object, **keywords: object) -> object:
            self()
            answer = function(*arguments, **keywords)
            self()
            return answer

        return killing


def run(folder: Path, operation: str, n: int) -> None:
    """One try in a child: everything up to the n-th write."""
    gallery = Gallery(folder / "gallery.sqlite", LocalKey.from_file(folder / "key"))
    killer = Killer(n)
    event.listen(gallery.database.engine, "after_cursor_execute", killer)
    dialect = gallery.database.engine.dialect
    dialect.do_commit = killer.around(dialect.do_commit)  # type: ignore[method-assign]
    os.write, os.fsync = killer.around(os.write), killer.around(os.fsync)  # type: ignore[assignment]
    answer = OPERATIONS[operation](gallery, folder)
    (folder / "answer").write_text(str(answer))


def main() -> None:
    place, operation = Path(sys.argv[1]), sys.argv[2]
    for n in range(1, 1000):
        folder = place / str(n)
        shutil.copytree(place / "start", folder)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run(folder, operation, n)
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if os.WIFEXITED(ended):
            sys.exit(os.WEXITSTATUS(ended))
    sys.exit("it never came to an end")


if __name__ == "__main__":
    main()
