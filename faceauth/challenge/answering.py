"""A challenge session in front of a camera, from its opening to its result."""

from collections.abc import Iterator

from faceauth.challenge.challenge_session import ChallengeSession, ChallengeStatus
from faceauth.errors import UsageError
from faceauth.video.camera import Camera
from faceauth.video.streams import Stream
from faceauth.video.watching import follow


def follow_challenge(session: ChallengeSession, stream: Stream) -> Iterator[ChallengeStatus]:
    """Open a session and feed it until it ends; the last status holds the one result.

    Raises:
        UsageError: the stream is not a camera: a recording cannot answer, and does not come at the speed that it shows.
    """
    if not isinstance(stream, Camera):
        raise UsageError("A challenge needs a camera: a file, a folder or your own frames cannot answer it.")
    session.open(session.nonce)
    yield from follow(session, stream)
