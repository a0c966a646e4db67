"""A challenge session before a camera, from its opening to its one result."""

from collections.abc import Iterator

from faceauth.challenge.challenge_session import ChallengeSession, ChallengeStatus
from faceauth.errors import UsageError
from faceauth.video.camera import Camera
from faceauth.video.streams import Stream
from faceauth.video.watching import follow


def follow_challenge(session: ChallengeSession, stream: Stream) -> Iterator[ChallengeStatus]:
    """Open a session and feed it until it ends; the last status holds the one result.

    Raises:
        UsageError: the stream is no camera: what was recorded cannot answer, and comes at another speed than it shows.
    """
    if not isinstance(stream, Camera):
        raise UsageError("A challenge needs a camera: a file, a folder or frames of one's own cannot answer it.")
    session.open(session.nonce)
    yield from follow(session, stream)
