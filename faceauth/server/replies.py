"""What the service answers. No score, no similarity and no threshold is among it: they would teach whoever asks."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from faceauth.gallery import Enrolment, Subject
from faceauth.gallery.attempts import SESSION_S
from faceauth.gallery.subjects import LONGEST_NAME
from faceauth.presentation import message_for_anybody
from faceauth.results import Reason, Verdict, Verification
from faceauth.stages import Prompt, Screen
from faceauth.video.decision import PresentationResult


class Kind(StrEnum):
    """What a session asks for: nothing but the face, a turn of the head, or a look at colours."""

    PASSIVE = "passive"
    TURN = "turn"
    LIGHT = "light"


class OpenRequest(BaseModel):
    """Opens a session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Kind = Field(strict=False)
    subject: str | None = Field(
        default=None, min_length=1, max_length=LONGEST_NAME, description="Who it has to be; null for liveness alone."
    )


class Colors(BaseModel):
    """Colours of the screen's halves, as the person sees them: red, green and blue, 0 to 255."""

    left: tuple[int, int, int]
    right: tuple[int, int, int]


class NextColors(Colors):
    """Colours that are due."""

    at_ms: float = Field(description="From this capture time on, on the clock of the frames.")


class PromptReply(BaseModel):
    """What the person has to do now."""

    action: str = Field(
        description="For machines: look, move, done; with turn look_straight, turn_left, turn_right, move; with light "
        "look_at_screen. Left and right are the person's own."
    )
    message: str = Field(description="One sentence for people.")
    obstacle: Reason | None = Field(default=None, description="Why the face cannot be judged, null when it can.")
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    screen: Colors | None = Field(default=None, description="What the screen shows now; null where it does not matter.")
    next_screen: NextColors | None = Field(
        default=None, description="What it shows next; null until that is due within half a second."
    )
    nearer: float | None = Field(default=None, description="How many times as near the face has to be.")


class SessionReply(BaseModel):
    """A session that was opened."""

    id: str = Field(description="Valid once; nobody can guess it.")
    kind: Kind
    expires_in_s: float = Field(default=SESSION_S)
    prompt: PromptReply


class ChunkReply(BaseModel):
    """What came of a chunk of frames."""

    state: Literal["running", "ended"]
    prompt: PromptReply


class ResultReply(BaseModel):
    """The one answer. Let people in on the verdict ``accept`` and on nothing else."""

    verdict: Verdict
    reason: Reason
    message: str = Field(description="One sentence for people.")
    subject: str | None = Field(description="Who was recognised; null unless the verdict is accept.")


class SubjectReply(BaseModel):
    """An enrolled person."""

    name: str
    enrolled: datetime
    consent: str
    consented: datetime
    keep_until: datetime | None = Field(description="When the templates are no longer used; null for no end.")
    templates: dict[str, int] = Field(description="Embedding model and number of templates.")
    failures: int = Field(description="Attempts that failed since the last that succeeded.")


class SubjectsReply(BaseModel):
    """Everybody who is enrolled, by name."""

    subjects: list[SubjectReply]


class RefusedReply(BaseModel):
    """A photo that gave no template."""

    photo: int = Field(ge=0, description="Its place among the photos, counted from 0.")
    reason: Reason | Literal["another_person"]
    message: str


class EnrolledReply(BaseModel):
    """An enrolment."""

    name: str
    templates: int = Field(ge=1)
    refused: list[RefusedReply]


class HealthReply(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


def result_reply(result: Verification | PresentationResult, subject: str | None) -> ResultReply:
    """Of a result and who was recognised."""
    return ResultReply(
        verdict=result.verdict,
        reason=result.reason,
        message=message_for_anybody(result.reason, result.message),
        subject=subject if result.accepted else None,
    )


def subject_reply(subject: Subject) -> SubjectReply:
    """Of a person."""
    return SubjectReply.model_validate(subject.model_dump())


def enrolled_reply(name: str, enrolment: Enrolment) -> EnrolledReply:
    """Of an enrolment."""
    refused = [
        RefusedReply(photo=one.image, reason=one.reason, message=message_for_anybody(one.reason, one.message))
        for one in enrolment.refused
    ]
    return EnrolledReply(name=name, templates=len(enrolment.templates), refused=refused)


def prompt_reply(prompt: Prompt, *, message: str, obstacle: Reason | None, progress: float) -> PromptReply:
    """Of what a challenge asks; capture times in milliseconds, as they came."""
    coming = prompt.next_screen
    return PromptReply(
        action=prompt.action,
        message=message,
        obstacle=obstacle,
        progress=progress,
        screen=None if prompt.screen is None else _colors(prompt.screen),
        next_screen=None
        if coming is None
        else NextColors(at_ms=coming[0] * 1000, left=coming[1].left, right=coming[1].right),
        nearer=prompt.nearer,
    )


def _colors(screen: Screen) -> Colors:
    return Colors(left=screen.left, right=screen.right)
