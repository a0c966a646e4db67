"""What all routes share: one pipeline, one gallery, the keys, the queue, and the sessions under way."""

from collections.abc import Sequence

from faceauth.challenge.face_mesh import FaceMesh
from faceauth.errors import UsageError
from faceauth.gallery import Gallery, Index, add_subject, enroll, identify, login
from faceauth.pipeline import Pipeline
from faceauth.server.api_keys import KeyFile, KeyRing
from faceauth.server.counters import Counters
from faceauth.server.live_sessions import LiveSessions
from faceauth.server.repeated_requests import RepeatedRequests
from faceauth.server.replies import EnrolledReply, ResultReply, enrolled_reply, result_reply
from faceauth.server.work_queue import WorkQueue

PROOFS_WAITING = 32
"""Keys that may wait for argon2, which proves one at a time: chosen, not measured."""


class Service:
    """A service that is ready: everything that can be missing is loaded here.

    Args:
        pipeline: requires liveness.
        gallery: of the people who may log in.
        keys: who may call.
        mesh: of the challenges; by default the built-in one.
        queue: on which the pipeline runs; by default one with as many threads as cores.

    Raises:
        UsageError: the pipeline does not require liveness, or the keys cannot be read.
        FaceAuthError: a backend or a weight file is not usable.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        gallery: Gallery,
        keys: KeyFile,
        *,
        mesh: FaceMesh | None = None,
        queue: WorkQueue | None = None,
    ) -> None:
        if not pipeline.config.require_liveness:
            raise UsageError("Nobody logs in without liveness, or a photo would do: set require_liveness to true.")
        self.pipeline, self.gallery = pipeline, gallery
        self.keys = KeyRing(keys)
        self.keys.refresh()
        self.queue = queue or WorkQueue()
        self.proofs = WorkQueue(threads=1, waiting=PROOFS_WAITING)
        self.counters = Counters(queue_length=lambda: self.queue.length, sessions=lambda: self.sessions.running)
        self.sessions = LiveSessions(
            gallery, pipeline, mesh or FaceMesh(pipeline.config.weights), self.queue, noted=self.counters.note_result
        )
        self.enrolments: RepeatedRequests[EnrolledReply] = RepeatedRequests()
        self._index = Index(gallery, pipeline.model_id)

    def check_ready(self) -> None:
        """Whether people can log in now.

        Raises:
            FaceAuthError: they cannot; the gallery does not open, or the keys cannot be read.
        """
        self.keys.refresh()
        with self.gallery.database.transaction() as connection:
            self.gallery.revision(connection)

    def verify(self, name: str, photo: bytes, *, client: str) -> ResultReply:
        """Raises: FaceAuthError: as :func:`faceauth.gallery.login`."""
        result = result_reply(login(self.gallery, self.pipeline, name, photo, client=client), name)
        self.counters.note_result("verify", result)
        return result

    def identify(self, photo: bytes, *, client: str) -> ResultReply:
        """Raises: FaceAuthError: as :func:`faceauth.gallery.identify`."""
        found = identify(self.gallery, self.pipeline, self._index, photo, client=client)
        result = result_reply(found.verification, found.subject)
        self.counters.note_result("identify", result)
        return result

    def enrol(
        self, name: str, photos: Sequence[bytes], *, consent: str, keep_days: float | None, replace: bool
    ) -> EnrolledReply:
        """Raises: FaceAuthError: as :func:`faceauth.gallery.enroll` and :func:`faceauth.gallery.add_subject`."""
        enrolment = enroll(self.pipeline, photos)
        add_subject(self.gallery, name, enrolment, consent=consent, keep_days=keep_days, replace=replace)
        return enrolled_reply(name, enrolment)

    async def close(self) -> None:
        """Finish what was accepted, and end the sessions."""
        await self.queue.close()
        await self.proofs.close()
        await self.sessions.close()
