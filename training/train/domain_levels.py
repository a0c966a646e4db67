"""The teachers' level: by how much they call all of a domain more live, or less, than other domains.

They rank the images of one camera well and are often wrong about where the boundary between them is. A student that
takes half of each target from them takes that over (``experiments/21-recipe-in-full.md``), so it is subtracted: what a
domain is called on average is left to its labels.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from faceauth.cropping.crops import crop_box
from faceauth.stages import CropSpec
from training.data.shards import Shards
from training.train.distillation import Floats
from training.train.recipe import Recipe
from training.train.sampling import trained_on
from training.train.teachers import Teachers

LEVEL_IMAGES = 50  # of each class of a domain, at most: chosen, not measured
FEWEST = 5  # of a class, below which it says nothing of its domain: chosen, not measured
SIZE = 224  # of the view that they are asked about; they shrink it themselves
BATCH = 32


def teacher_levels(content: Shards, recipe: Recipe, teachers: Path) -> Floats:
    """Level of the domain of each image, a live logit: float32, (N,); 0 where no teacher is asked.

    That is how far the mean answer lies above the mean of all domains, for each class by itself, since a domain may
    have one class alone; then the mean of both.

    Args:
        content: the images; those of ``train`` are looked at, in the first view that a release scores a face with.
        recipe: gives that view, and the domains to leave out.
        teachers: folder of their files.
    """
    learnt = trained_on(content, recipe.hold_out) & (content.origin == "real")
    cells = {
        (domain, label): _spread(np.flatnonzero(learnt & (content.domain == domain) & (content.label == label)))
        for domain in np.unique(content.domain[learnt])
        for label in (0, 1)
    }
    cells = {cell: chosen for cell, chosen in cells.items() if len(chosen) >= FEWEST}
    asked, spec = Teachers(teachers), CropSpec(size_wh=(SIZE, SIZE), scale=recipe.scale, kind="square", color="bgr")
    means = {cell: float(np.mean(_answers(content, chosen, spec, asked))) for cell, chosen in cells.items()}
    levels = np.zeros(len(content.label), np.float32)
    for domain, level in levels_of_domains(means).items():
        levels[learnt & (content.domain == domain)] = level
    return levels


def levels_of_domains(means: dict[tuple[str, int], float]) -> dict[str, float]:
    """Level of each domain from the mean answer to each of its classes, by (domain, label)."""
    overall = {
        label: float(np.mean([mean for (_, of), mean in means.items() if of == label]))
        for label in {label for _, label in means}
    }
    return {
        domain: float(np.mean([mean - overall[label] for (of, label), mean in means.items() if of == domain]))
        for domain in sorted({domain for domain, _ in means})
    }


def _spread(images: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most ``LEVEL_IMAGES`` of them, evenly spaced."""
    count = min(len(images), LEVEL_IMAGES)
    return images[np.linspace(0, len(images) - 1, count).round().astype(int)] if count else images


def _answers(content: Shards, chosen: npt.NDArray[np.int64], spec: CropSpec, teachers: Teachers) -> Floats:
    """Mean live logit of the teachers for each image."""
    parts = []
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        views = [crop_box(content.image(int(i)), content.box(int(i)), spec).pixels for i in part]
        parts.append(teachers.live_logits(views).mean(axis=1))
    return np.concatenate(parts)
