"""``faceauth calibrate``: operating points, or a camera profile, measured on your own images."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from faceauth import __version__
from faceauth.backends.loading import Backends, Instances, Liveness
from faceauth.cli import output
from faceauth.cli.labelled_images import LabelledImages, boxed_records, labelled_images_options
from faceauth.cli.options import chosen_config, pipeline_options, refuse_given
from faceauth.config import PipelineConfig
from faceauth.errors import UsageError
from faceauth.metrics.formatting import count, rate, readable, score

if TYPE_CHECKING:
    from faceauth.evaluation.records import Record
    from faceauth.evaluation.scoring import Scored
    from faceauth.thresholds import OperatingPoints

MADE_BY = f"faceauth calibrate {__version__}"


@click.command(name="calibrate", short_help="Measure operating points on your own images.")
@labelled_images_options
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
@click.option("--camera", metavar="NAME", default="camera", show_default=True, help="The camera's name in its profile.")
@click.option(
    "--may-lower",
    is_flag=True,
    help="Let a camera profile lower the threshold too. It has seen no attack, so more of them may get in.",
)
@pipeline_options
def command(
    manifest: Path | None,
    *,
    live: Path | None,
    attacks: Path | None,
    splits: tuple[str, ...],
    out: Path,
    camera: str,
    may_lower: bool,
) -> None:
    """Measure a liveness backend, or a mean of several, on your own images, and write a file for --points.

    Give a MANIFEST as for `faceauth evaluate`, or two folders. With live images alone the file is a camera profile for
    --camera-profile: 5 to 50 photos of live people, taken with one camera, move the threshold to its level. They say
    nothing about attacks.
    """
    for name in ("points", "camera_profile"):
        refuse_given(name, why="this command makes such files")
    output.check_writable(out, b"faceauth calibrate")
    config = chosen_config()
    if config.combine in ("all", "deny_only"):
        raise UsageError(f"combine = {config.combine!r} uses a threshold for each backend: calibrate them separately.")
    liveness = Backends(config, Instances()).liveness
    if liveness is None:
        raise UsageError("The configuration switches liveness off: there is nothing to calibrate.")
    images = LabelledImages(manifest, live, attacks, splits)
    given = images.records()
    live_alone = all(record.is_live for record in given)  # of what was given: attacks without a face are attacks still
    if may_lower and not live_alone:
        raise UsageError("--may-lower only applies to a camera profile: give live images alone.")
    records = [record for record in boxed_records(given, config) if record.box_xyxy is not None]
    if len(records) < len(given):
        output.note(f"{count(len(given) - len(records))} of {count(len(given))} images show no face and do not count.")
    scored = {name: _score(records, name, liveness, config) for name in liveness.combination.names}
    if live_alone:
        content = _profile(scored, liveness, camera=camera, may_lower=may_lower)
    else:
        content = _points(scored, records, liveness, config, images.name())
    output.write(out, content, mark=b"faceauth calibrate")


def _score(records: "list[Record]", name: str, liveness: Liveness, config: PipelineConfig) -> "list[Scored]":
    from faceauth.evaluation.scoring import score_records

    (backend,) = (stage.backend for stage in liveness.members if stage.provenance.name == name)
    with output.progress(f"Scoring with {name}", len(records)) as advance:
        return score_records(records, backend, config=config, progress=lambda done, _: advance(done))


def _p_live(scored: "Mapping[str, list[Scored]]") -> dict[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    return {name: np.array([one.p_live for one in found], np.float64) for name, found in scored.items()}


def _weights(liveness: Liveness) -> dict[str, Mapping[str, str]]:
    return {stage.provenance.name: stage.facts.weights_sha256 for stage in liveness.members}


def _points(
    scored: "Mapping[str, list[Scored]]",
    records: "list[Record]",
    liveness: Liveness,
    config: PipelineConfig,
    data: str,
) -> bytes:
    from faceauth.calibration.fitting import fit_points

    try:
        points = fit_points(
            _p_live(scored),
            np.array([record.label for record in records]),
            np.array([record.species for record in records]),
            np.array([record.domain for record in records]),
            weights_sha256=_weights(liveness),
            measured_on=f"{data}, on which it was chosen",
            made_by=MADE_BY,
            mean_weights=config.combine_weights,
        )
    except ValueError as error:
        raise UsageError(f"These images give no operating points: {error}") from error
    _show_points(points.operating_points)
    return points.model_dump_json(indent=1).encode() + b"\n"


def _show_points(points: "OperatingPoints") -> None:
    from faceauth.cli.summary import facts

    offered = dict(points.offered())
    for name in ("convenience", "balanced", "strict"):
        if name not in offered:
            output.line(f"{name}: not offered: no useful threshold reaches its error rates")
            continue
        point = offered[name]
        output.line(f"{name}: live from P(live) {score(point.threshold)}")
        rows = [(f"  {readable(species)} accepted", rate(found)) for species, found in point.apcer.items()]
        output.show(facts([*rows, ("  live people refused", rate(point.bpcer))]))


def _profile(scored: "Mapping[str, list[Scored]]", liveness: Liveness, *, camera: str, may_lower: bool) -> bytes:
    from faceauth.calibration.camera_profile import ENOUGH_IMAGES, fit_profile
    from faceauth.calibration.points_file import mean_p_live

    p_live = _p_live(scored)
    members = list(liveness.combination.calibrations.values())
    one_score = mean_p_live(members, p_live) if members else next(iter(p_live.values()))
    profile = fit_profile(
        one_score,
        camera=camera,
        weights_sha256=_weights(liveness),
        made_by=MADE_BY,
        may_lower=may_lower,
    )
    output.line(f"{profile.camera}: {count(profile.n)} live images, own threshold P(live) {score(profile.threshold)}")
    refused = int((one_score < profile.threshold).sum())
    output.line(f"It would refuse {refused} of these {profile.n}. Live images cannot show how many attacks get in.")
    if profile.n < ENOUGH_IMAGES:
        output.note(f"Few images: {ENOUGH_IMAGES} or more, of several people, give a steadier profile.")
    if not may_lower:
        output.note("It only raises thresholds. --may-lower lets it lower them too.")
    return profile.model_dump_json(indent=1).encode() + b"\n"
