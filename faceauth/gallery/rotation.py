"""The rotation of a gallery: a secret turn of the embedding space, one a model.

Templates are kept turned. Cosines between them stay as they are, but a template or an index that leaks matches nothing
outside of this gallery. The turn itself is sealed like a template.
"""

import secrets

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from faceauth.gallery import tables
from faceauth.gallery.data_keys import DataKeys, Facts
from faceauth.results import Template

Matrix = npt.NDArray[np.float32]


def rotation_for(connection: Connection, keys: DataKeys, model_id: str) -> Matrix | None:
    """The rotation of this model, float32, D x D; None where nobody was enrolled with it.

    Raises:
        GalleryTampered: it was changed.
    """
    row = connection.execute(select(tables.rotations).where(tables.rotations.c.model_id == model_id)).one_or_none()
    if row is None:
        return None
    flat = np.frombuffer(keys.unseal(connection, row.key_id, row.sealed, facts_of(model_id)), "<f4")
    side = round(len(flat) ** 0.5)
    return flat.reshape(side, side)


def create_rotation(connection: Connection, keys: DataKeys, model_id: str, dimensions: int) -> Matrix:
    """A new rotation, uniform over all rotations and reflections.

    The Q of a matrix of normal numbers, with the signs of R's diagonal: Mezzadri, "How to generate random matrices from
    the classical compact groups", Notices of the AMS 54 (2007). The matrix is kept, not its seed: another version of
    numpy may draw other numbers.
    """
    normal = np.random.default_rng(secrets.randbits(256)).normal(size=(dimensions, dimensions))
    q, r = np.linalg.qr(normal)
    matrix: Matrix = np.asarray(q * np.sign(np.diag(r)), "<f4")
    key_id, sealed = keys.seal(connection, matrix.tobytes(), facts_of(model_id))
    connection.execute(insert(tables.rotations).values(model_id=model_id, key_id=key_id, sealed=sealed))
    return matrix


def turned(template: Template, rotation: Matrix) -> npt.NDArray[np.float32]:
    """The vector as the gallery keeps it: float32, D."""
    return np.asarray(rotation.astype(np.float64) @ np.asarray(template.vector), np.float32)


def turned_back(vector: npt.NDArray[np.float32], rotation: Matrix, model_id: str) -> Template:
    """The template that :func:`turned` was given."""
    back = rotation.T.astype(np.float64) @ vector.astype(np.float64)
    return Template(model_id=model_id, vector=tuple((back / np.linalg.norm(back)).tolist()))


def facts_of(model_id: str) -> Facts:
    """What a rotation is sealed with."""
    return ("rotation", model_id)
