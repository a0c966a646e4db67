"""Draws ``docs/images/pipeline.svg`` and ``docs/images/spoofnet.svg``: ``python docs/draw_pictures.py``.

What stands in them comes from the code: a reason that no stage shows, or a network of another size, is an error. Words
stand in filled boxes or in a grey that can be read on white and on black.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from faceauth.results import VERDICT_OF, Reason, Verdict

FOLDER = Path(__file__).parent / "images"

INK, GREY, STAGE, STAGE_EDGE = "#10202f", "#7a828c", "#dbe9f6", "#3b76a8"
FILL = {Verdict.ACCEPT: "#c9ecd2", Verdict.UNCERTAIN: "#fbe7b2", Verdict.REJECT: "#f8cfcb"}
EDGE = {Verdict.ACCEPT: "#2c8a4b", Verdict.UNCERTAIN: "#b07d10", Verdict.REJECT: "#c0392b"}


@dataclass
class Drawing:
    """SVG elements on a canvas of that many pixels."""

    width: int
    height: int
    elements: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: int = 13,
        bold: bool = False,
        ink: str = INK,
        anchor: str = "middle",
    ) -> None:
        """One line that starts, ends or has its middle at ``x``, standing on ``y``."""
        weight = ' font-weight="600"' if bold else ""
        self.elements.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}"{weight} fill="{ink}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )

    def circle(self, x: float, y: float, *, ink: str) -> None:
        """A dot."""
        self.elements.append(f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{ink}"/>')

    def line(self, x0: float, y0: float, x1: float, y1: float, *, ink: str, width: float) -> None:
        """From the first point to the second, without a tip."""
        self.elements.append(
            f'<line x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}" stroke="{ink}" stroke-width="{width:g}"/>'
        )

    def box(self, x: float, y: float, width: float, height: float, *, fill: str, edge: str) -> None:
        """A rounded rectangle from its upper left corner."""
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="{edge}" '
            'stroke-width="1.5"/>'
        )

    def polygon(self, points: Sequence[tuple[float, float]], *, fill: str, edge: str) -> None:
        """A closed outline."""
        listed = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.elements.append(f'<polygon points="{listed}" fill="{fill}" stroke="{edge}" stroke-linejoin="round"/>')

    def arrow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """From the first point to the second."""
        self.elements.append(
            f'<line x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}" stroke="{GREY}" stroke-width="2" '
            'marker-end="url(#tip)"/>'
        )

    def svg(self, title: str) -> str:
        """The document."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, '
            'Arial, sans-serif">'
        )
        tip = (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
            f'orient="auto"><path d="M0 0 8 4 0 8z" fill="{GREY}"/></marker></defs>'
        )
        return "\n".join([head, f"<title>{escape(title)}</title>", tip, *self.elements, "</svg>"]) + "\n"


# The way from a photo to a verdict.


@dataclass(frozen=True)
class Step:
    """A stage, what it does in two lines, and the reasons that can end a presentation there."""

    name: str
    lines: tuple[str, str]
    reasons: tuple[Reason, ...] = ()


STEPS = (
    Step("decode", ("upright BGR,", "within limits"), (Reason.IMAGE_UNUSABLE,)),
    Step("detect", ("YuNet: box,", "five landmarks"), (Reason.NO_FACE, Reason.SEVERAL_FACES)),
    Step(
        "gate",
        ("can this face", "be judged?"),
        (
            Reason.FACE_TOO_SMALL,
            Reason.FACE_OUTSIDE_FRAME,
            Reason.FACE_TURNED_AWAY,
            Reason.TOO_DARK,
            Reason.TOO_BRIGHT,
            Reason.TOO_BLURRED,
            Reason.NO_COLOR,
        ),
    ),
    Step("liveness", ("square crops,", "SpoofNet: P(live)"), (Reason.ATTACK_SUSPECTED, Reason.LIVENESS_UNCERTAIN)),
    Step(
        "track",
        ("in video: one face in", "frames that differ"),
        (
            Reason.TRACK_BROKEN,
            Reason.FROZEN_STREAM,
            Reason.LOOPED_STREAM,
            Reason.FRAMES_OUT_OF_ORDER,
            Reason.STREAM_ENDED,
            Reason.CAMERA_LOST,
            Reason.TIMED_OUT,
        ),
    ),
    Step(
        "challenge",
        ("if asked for:", "an answer in time"),
        (Reason.CHALLENGE_FAILED, Reason.CHALLENGE_UNCLEAR, Reason.CHALLENGE_EXPIRED),
    ),
    Step("match", ("if asked for: SFace,", "cosine similarity"), (Reason.NOT_MATCHED, Reason.REFERENCE_UNUSABLE)),
    Step("decide", ("every threshold", "is reached"), (Reason.LIVE, Reason.MATCHED, Reason.LIVE_AND_MATCHED)),
)
ANYWHERE = Reason.STAGE_FAILED

LEFT, PITCH, BOX_WIDTH, TOP, BOX_HEIGHT, EXIT_HEIGHT = 84, 158, 138, 20, 76, 25


def pipeline_picture() -> str:
    """The stages in a row, under each the reasons to stop there, coloured by their verdict."""
    shown = [*(reason for step in STEPS for reason in step.reasons), ANYWHERE]
    if sorted(shown) != sorted(Reason):
        raise ValueError(f"The picture and faceauth.results.Reason differ by {set(shown) ^ set(Reason)}.")
    deepest = max(len(step.reasons) for step in STEPS)
    bottom = TOP + BOX_HEIGHT + 30 + (EXIT_HEIGHT + 5) * deepest
    drawing = Drawing(LEFT + PITCH * len(STEPS), bottom + 66)
    drawing.text(30, TOP + BOX_HEIGHT / 2 + 5, "photo", size=15, bold=True, ink=GREY)
    for number, step in enumerate(STEPS):
        _draw_step(drawing, step, LEFT + PITCH * number)
    drawing.box(LEFT, bottom, PITCH * len(STEPS) - 20, 28, fill=FILL[Verdict.REJECT], edge=EDGE[Verdict.REJECT])
    middle = LEFT + PITCH * len(STEPS) / 2 - 10
    words = f"{ANYWHERE}: an exception, an answer out of its range or a time-out in any stage rejects"
    drawing.text(middle, bottom + 19, words)
    for number, verdict in enumerate((Verdict.ACCEPT, Verdict.UNCERTAIN, Verdict.REJECT)):
        x = LEFT + 250 + 150 * number
        drawing.box(x, bottom + 42, 14, 14, fill=FILL[verdict], edge=EDGE[verdict])
        drawing.text(x + 54, bottom + 54, verdict, ink=GREY)
    return drawing.svg("From a photo to a verdict: every stage can end a presentation, only the last accepts")


def _draw_step(drawing: Drawing, step: Step, x: float) -> None:
    middle = x + BOX_WIDTH / 2
    drawing.arrow(x - 20, TOP + BOX_HEIGHT / 2, x - 2, TOP + BOX_HEIGHT / 2)
    drawing.box(x, TOP, BOX_WIDTH, BOX_HEIGHT, fill=STAGE, edge=STAGE_EDGE)
    drawing.text(middle, TOP + 25, step.name, size=16, bold=True)
    drawing.text(middle, TOP + 46, step.lines[0])
    drawing.text(middle, TOP + 63, step.lines[1])
    drawing.arrow(middle, TOP + BOX_HEIGHT + 2, middle, TOP + BOX_HEIGHT + 22)
    for number, reason in enumerate(step.reasons):
        verdict, y = VERDICT_OF[reason], TOP + BOX_HEIGHT + 26 + (EXIT_HEIGHT + 5) * number
        drawing.box(x, y, BOX_WIDTH, EXIT_HEIGHT, fill=FILL[verdict], edge=EDGE[verdict])
        drawing.text(middle, y + 17, reason)


# The layers of SpoofNet.

CHANNELS = (32, 64, 128, 256, 512)
HIDDEN = (256, 128)
SIDE = 224
PARAMETERS = 4_881_442
SHADES = ("#eaf3fb", "#d3e6f6", "#b5d4ee", "#93bfe4", "#6fa8d8")


def block_parameters(inputs: int, outputs: int) -> int:
    """Two 3 x 3 convolutions with a batch normalisation each."""
    return (9 * inputs * outputs + outputs + 2 * outputs) + (9 * outputs * outputs + outputs + 2 * outputs)


def head_parameters() -> Iterator[int]:
    """Of the linear layers; the hidden ones have a batch normalisation each."""
    widths = (CHANNELS[-1], *HIDDEN)
    yield from (i * o + o + 2 * o for i, o in zip(widths[:-1], HIDDEN, strict=True))
    yield HIDDEN[-1] * 2 + 2


def spoofnet_picture() -> str:
    """Blocks as slabs: their height follows the side of the feature maps, their depth the number of channels."""
    blocks = [block_parameters(i, o) for i, o in zip((3, *CHANNELS[:-1]), CHANNELS, strict=True)]
    counted = sum(blocks) + sum(head_parameters())
    if counted != PARAMETERS:
        raise ValueError(f"The layers drawn have {counted:,} parameters, SpoofNet has {PARAMETERS:,}.")
    drawing, ground = Drawing(968, 300), 206
    _slab(drawing, 18, ground, SIDE, 3, "#f2f2f2")
    _below(drawing, 60, ground, ("face crop, RGB", f"{SIDE} x {SIDE} x 3", "uint8"))
    x, side = 132.0, SIDE
    for number, (channels, parameters) in enumerate(zip(CHANNELS, blocks, strict=True)):
        side //= 2
        drawing.arrow(x - 20, ground - 24, x - 2, ground - 24)
        right = _slab(drawing, x + 2, ground, side, channels, SHADES[number])
        _below(
            drawing,
            (x + right) / 2,
            ground,
            (f"block {number + 1}", f"{side} x {side} x {channels}", f"{parameters:,}"),
        )
        x = max(right, x + 96) + 24
    _head(drawing, x, ground)
    drawing.text(
        drawing.width / 2,
        24,
        "block = (3 x 3 convolution, batch norm, ReLU) twice, 2 x 2 max pooling, Dropout2d",
        ink=GREY,
    )
    drawing.text(drawing.width / 2, 290, f"{PARAMETERS:,} parameters: the third line says how many of them", ink=GREY)
    return drawing.svg("SpoofNet: five convolution blocks, global average pooling, three linear layers, two logits")


def _slab(drawing: Drawing, x: float, ground: float, side: int, channels: int, fill: str) -> float:
    """A block of feature maps standing on ``ground``; returns its right end."""
    height, depth = 34 + 126 * (side / SIDE) ** 0.5, 6 + channels**0.5 * 2.0
    skew = height * 0.3
    top = ground - height
    back = [(x + skew, top), (x + skew + depth, top), (x + depth, top + skew), (x, top + skew)]
    front = [(x, top + skew), (x + depth, top + skew), (x + depth, ground), (x, ground)]
    flank = [(x + depth, top + skew), (x + depth + skew, top), (x + depth + skew, ground - skew), (x + depth, ground)]
    for points in (back, front, flank):
        drawing.polygon(points, fill=fill, edge=STAGE_EDGE)
    return x + depth + skew


def _head(drawing: Drawing, x: float, ground: float) -> None:
    """Global average pooling and the linear layers, as bars as long as they are wide."""
    shares = ("", *(f"{share:,}" for share in head_parameters()))
    for number, (width, words) in enumerate(
        zip((CHANNELS[-1], *HIDDEN, 2), ("average", "linear", "linear", "logits"), strict=True)
    ):
        height = 16 + width**0.5 * 5
        drawing.arrow(x - 18, ground - 24, x, ground - 24)
        edge, fill = (EDGE[Verdict.ACCEPT], FILL[Verdict.ACCEPT]) if width == 2 else (STAGE_EDGE, STAGE)
        drawing.box(x + 10, ground - height, 16, height, fill=fill, edge=edge)
        _below(drawing, x + 18, ground, (words, str(width), shares[number]))
        x += 62


def _below(drawing: Drawing, x: float, ground: float, lines: Sequence[str]) -> None:
    for number, line in enumerate(lines):
        drawing.text(x, ground + 22 + 18 * number, line, size=12, bold=number == 0, ink=GREY)


PICTURES = {"pipeline.svg": pipeline_picture, "spoofnet.svg": spoofnet_picture}


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
