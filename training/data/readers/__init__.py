"""Readers of the standard collections, a file per layout; they open no image.

The official development part becomes ``val``. A domain is one camera of a collection, so the official parts of most
collections share domains, and a figure on them says nothing about cameras never seen: ``check-leakage`` names them.
No reader takes a face box from a collection: each collection's boxes are of another tightness, and the library will
crop around its own detector's.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from faceauth.errors import UsageError
from training.data.manifests import Record
from training.data.readers import (
    casia_fasd,
    celeba_spoof,
    lcc_fasd,
    msu_mfsd,
    nuaa,
    oulu_npu,
    plain_folders,
    replay_attack,
)

LAYOUTS: Mapping[str, Callable[[Path], list[Record]]] = MappingProxyType(
    {
        "casia-fasd": casia_fasd.read,
        "celeba-spoof": celeba_spoof.read,
        "folders": plain_folders.read,
        "lcc-fasd": lcc_fasd.read,
        "msu-mfsd": msu_mfsd.read,
        "nuaa": nuaa.read,
        "oulu-npu": oulu_npu.read,
        "replay-attack": replay_attack.read,
    }
)


def read_layout(name: str, root: Path) -> list[Record]:
    """Records of the collection in ``root``, laid out as ``name``.

    Raises:
        UsageError: an unknown layout, a folder that is not laid out so, or one without any image.
    """
    if name not in LAYOUTS:
        raise UsageError(f"There is no layout {name!r}; known: {', '.join(LAYOUTS)}.")
    if not root.is_dir():
        raise UsageError(f"There is no folder {root} to read as {name}.")
    records = LAYOUTS[name](root)
    if not records:
        raise UsageError(f"{root} has the folders of {name} but no image or video in them.")
    return records
