r"""NUAA Photograph Imposter Database (Tan et al., 2010), its ``raw`` folder; opens no image.

Layout: ``ClientRaw/`` and ``ImposterRaw/`` with the lists ``{client,imposter}_{train,test}_raw.txt``, each line
``0001\0001_00_00_01_0.jpg``: person, glasses, place, session, number. Checked against the set's own readme; not run on
the set. One webcam, photo prints: one domain.
"""

from pathlib import Path

from training.data.manifests import LIVE, SPOOF, Record
from training.data.readers.published import folders_in, not_of_layout

DOMAIN = "nuaa"


def read(root: Path) -> list[Record]:
    """Records of the official train and test lists; a person's session is the recording.

    Raises:
        UsageError: a folder or a list is missing, or a line is not of the layout.
    """
    clients, imposters = folders_in(root, ("ClientRaw", "ImposterRaw"))
    records = []
    for split in ("train", "test"):
        records += _list(root / f"client_{split}_raw.txt", clients, LIVE, split)
        records += _list(root / f"imposter_{split}_raw.txt", imposters, SPOOF, split)
    return records


def _list(path: Path, folder: Path, label: int, split: str) -> list[Record]:
    if not path.is_file():
        raise not_of_layout(path, "client_train_raw.txt and its three siblings beside ClientRaw/")
    names = [line.strip().replace("\\", "/") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [_record(folder / name, label, split) for name in names]


def _record(image: Path, label: int, split: str) -> Record:
    facts = image.stem.split("_")
    if len(facts) != 5:
        raise not_of_layout(image, "PERSON_GLASSES_PLACE_SESSION_NUMBER.jpg")
    species = "none" if label == LIVE else "print"
    recording = f"{image.parent.parent.name}-{facts[0]}-{facts[3]}"
    return Record(image, label, species, DOMAIN, split, recording=recording)
