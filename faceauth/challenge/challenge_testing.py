"""For tests of challenges: meshes and frames without a camera, a challenge that does as it is told, and the rules.

An author inherits :class:`ChallengeConformance` and supplies a fixture named ``make``::

    class TestMyChallenge(ChallengeConformance):
        @pytest.fixture
        def make(self):
            return MyChallenge

``check_challenge`` reports the same rules as a list. A challenge that keeps all of them may still be a bad one.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from faceauth.backends.conformance import Broken, Finding, keeps_its_contract, run_rules
from faceauth.challenge.challenge_session import LIFETIME_S
from faceauth.challenge.face_mesh import N_POINTS
from faceauth.challenge.mesh_pose import SIDES, UPRIGHT
from faceauth.results import VERDICT_OF, Verdict
from faceauth.stages import API_VERSION, Challenge, ChallengeFrame, ChallengeState, MeshPoints, Prompt
from faceauth.testing import face_in

RATE = 10.0
"""Frames a second that the rules are tried with."""

MakeChallenge = Callable[[], Challenge]


def head_mesh(*, yaw_deg: float = 0.0, pitch_deg: float = 0.0, eye_distance_px: float = 80.0) -> MeshPoints:
    """A mesh whose pose is exactly that; points that no pose is read from lie in its middle."""
    points = np.zeros((N_POINTS, 3))
    for number, pair in enumerate(SIDES):
        points[list(pair)] = [(side * 0.5, number / len(SIDES) - 0.4, 0.1) for side in (-1, 1)]
    for number, pair in enumerate(UPRIGHT):
        points[list(pair)] = [(0, side * (0.9 - number / 10), 0.1) for side in (-1, 1)]
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    turn = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]])
    mesh: MeshPoints = eye_distance_px * points @ (nod @ turn).T + (160, 160, 0)
    return mesh


def frame_at(time_s: float, mesh_px: MeshPoints | None = None) -> ChallengeFrame:
    """A grey frame with that mesh, by default of a face at rest."""
    image = np.full((320, 320, 3), 128, np.uint8)
    return ChallengeFrame(time_s, image, face_in(image), head_mesh() if mesh_px is None else mesh_px)


class FakeChallenge:
    """Ends in the states that it is told, one a frame, and stays in the last.

    Attributes:
        seen: the frames it was given.
    """

    api_version = API_VERSION
    weights_sha256: Mapping[str, str] = MappingProxyType({})

    def __init__(self, states: Sequence[ChallengeState] = (ChallengeState(passed=True),)) -> None:
        self.seen: list[ChallengeFrame] = []
        self._states = (ChallengeState(), *states)

    @property
    def state(self) -> ChallengeState:
        """As it was told."""
        return self._states[min(len(self.seen), len(self._states) - 1)]

    def prompt(self) -> Prompt:
        """Always the same."""
        return Prompt("wait", "Wait.")

    def feed(self, frame: ChallengeFrame) -> None:
        """Note the frame."""
        self.seen.append(frame)


def check_challenge(make: MakeChallenge) -> list[Finding]:
    """Whether challenges that ``make`` constructs keep the promises of :class:`faceauth.stages.Challenge`."""
    return run_rules(RULES, make)


def has_the_attributes(make: MakeChallenge) -> None:
    """The attributes are those of the stage; loading it checks the same."""
    keeps_its_contract("challenge", make())


def asks_from_the_start(make: MakeChallenge) -> None:
    """It has a prompt, and is not ended, before the first frame."""
    challenge = make()
    prompt: object = challenge.prompt()
    if not isinstance(prompt, Prompt) or not prompt.action or not prompt.message:
        raise Broken(f"prompt() is {prompt!r} at first, not a faceauth.stages.Prompt with an action and a message")
    if challenge.state.ended:
        raise Broken(f"state is {challenge.state} before the first frame: expected neither passed nor a reason")


def passes_no_face_at_rest(make: MakeChallenge) -> None:
    """A face that does nothing never passes, and the challenge ends before its session does."""
    state = _last_state(make(), (frame_at(time_s) for time_s in _times(LIFETIME_S)))
    if state.passed:
        raise Broken("a face that did nothing at all passed")
    if state.reason is None:
        raise Broken(f"did not end within {LIFETIME_S:g} s, in which nothing was answered")
    if VERDICT_OF[state.reason] is Verdict.ACCEPT:
        raise Broken(f"ended for the reason {state.reason}, which accepts")


def passes_no_noise(make: MakeChallenge) -> None:
    """A face that is somewhere else in every frame never passes."""
    rng = np.random.default_rng(0)

    def frames() -> Iterator[ChallengeFrame]:
        for time_s in _times(LIFETIME_S):
            yaw, pitch, size = rng.uniform((-40, -30, 50), (40, 30, 150))
            yield frame_at(time_s, head_mesh(yaw_deg=yaw, pitch_deg=pitch, eye_distance_px=size))

    if _last_state(make(), frames()).passed:
        raise Broken("a face that was somewhere else in every frame passed")


def stays_ended(make: MakeChallenge) -> None:
    """What comes after the end changes nothing."""
    challenge = make()
    state = _last_state(challenge, (frame_at(time_s) for time_s in _times(LIFETIME_S)))
    for number in range(60):
        challenge.feed(frame_at(LIFETIME_S + number / RATE, head_mesh(yaw_deg=30 * math.sin(number / 10))))
    if challenge.state != state:
        raise Broken(f"had ended with {state}, and then changed to {challenge.state}")


def leaves_frames_alone(make: MakeChallenge) -> None:
    """The image and the mesh are not written to."""
    frame = frame_at(0.0)
    image, mesh_px = frame.image.copy(), frame.mesh_px.copy()
    make().feed(frame)
    if not (np.array_equal(frame.image, image) and np.array_equal(frame.mesh_px, mesh_px)):
        raise Broken("wrote into a frame that it was given")


RULES: Mapping[str, Callable[[MakeChallenge], None]] = MappingProxyType(
    {
        "keeps the contract of its stage": has_the_attributes,
        "asks from the start": asks_from_the_start,
        "passes no face at rest, and ends": passes_no_face_at_rest,
        "passes no noise": passes_no_noise,
        "stays as it ended": stays_ended,
        "does not write into its input": leaves_frames_alone,
    }
)


class ChallengeConformance:
    """Inherit, and supply a fixture ``make`` that returns what constructs your challenge."""

    def test_keeps_the_contract_of_its_stage(self, make: MakeChallenge) -> None:
        """Attributes, checked as at load."""
        has_the_attributes(make)

    def test_asks_from_the_start(self, make: MakeChallenge) -> None:
        """Before the first frame."""
        asks_from_the_start(make)

    def test_passes_no_face_at_rest_and_ends(self, make: MakeChallenge) -> None:
        """Within the life of a session."""
        passes_no_face_at_rest(make)

    def test_passes_no_noise(self, make: MakeChallenge) -> None:
        """Somewhere else in every frame."""
        passes_no_noise(make)

    def test_stays_as_it_ended(self, make: MakeChallenge) -> None:
        """Whatever comes then."""
        stays_ended(make)

    def test_does_not_write_into_its_input(self, make: MakeChallenge) -> None:
        """Neither image nor mesh."""
        leaves_frames_alone(make)


def _last_state(challenge: Challenge, frames: Iterator[ChallengeFrame]) -> ChallengeState:
    for frame in frames:
        challenge.feed(frame)
        if challenge.state.ended:
            break
    return challenge.state


def _times(seconds: float) -> list[float]:
    return [number / RATE for number in range(round(seconds * RATE))]
