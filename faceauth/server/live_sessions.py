"""Sessions whose frames arrive in chunks: opened once, fed in order, ended once, and forgotten.

The gallery keeps which sessions were used, so none is used twice, whatever happens to this process. What is here, the
frames that were judged so far, ends with it: an attempt that was under way stays charged.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from faceauth.challenge.face_mesh import FaceMesh
from faceauth.errors import FaceAuthError, UsageError
from faceauth.gallery import Gallery, Session, open_session
from faceauth.gallery.attempts import SESSION_S, begin, settle
from faceauth.pipeline import Pipeline
from faceauth.presentation import MESSAGES
from faceauth.results import VERDICT_OF, Reason, Template
from faceauth.server.presenting import Presenting, first_prompt, new_challenge, present
from faceauth.server.problems import Cause, Problem, logger
from faceauth.server.replies import ChunkReply, Kind, PromptReply, ResultReply, SessionReply, result_reply
from faceauth.server.uploads import TimedFrame, digest_of
from faceauth.server.work_queue import RETRY_AFTER_S, WorkQueue
from faceauth.stages import Challenge
from faceauth.video.decision import PresentationResult

T = TypeVar("T")

MOST_SESSIONS = 2000
"""Sessions in memory, some hundred kilobytes each with the frames that were kept. Chosen, not measured."""

MOST_CHUNKS = 2000
"""Of one session: chosen, not measured; ten a second would need 1,200."""

KEPT_S = 2 * SESSION_S
"""Seconds from the opening for which a result can be asked for."""

SWEEP_EVERY_S = 1.0


@dataclass(eq=False)
class LiveSession:
    """One session, and what is known of it.

    Attributes:
        of_gallery: its nonce, whom it is for, and whose attempt it is.
        key_id: of the API key that opened it; no other sees it.
        opened_s: on the clock of the service.
        chunks: digest and answer of each, in order.
        presenting: None before the first frame, and after the end.
        result: None until the end.
        broken: something failed on the way: nothing more is judged, and the attempt stays charged.
    """

    of_gallery: Session
    key_id: str
    kind: Kind
    opened_s: float
    challenge: Challenge | None
    prompt: PromptReply
    chunks: list[tuple[bytes, ChunkReply]] = field(default_factory=list)
    presenting: Presenting | None = None
    result: ResultReply | None = None
    broken: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def over(self) -> bool:
        """Whether it takes nothing more."""
        return self.broken or self.result is not None


class LiveSessions:
    """All sessions of a running service.

    Args:
        gallery: where attempts are counted.
        pipeline: judges.
        mesh: shared by all challenges.
        queue: on which everything runs that takes time.
        noted: is told of every result, and of which kind of session it is.
        clock: seconds, which never go back.
    """

    def __init__(
        self,
        gallery: Gallery,
        pipeline: Pipeline,
        mesh: FaceMesh,
        queue: WorkQueue,
        *,
        noted: Callable[[str, ResultReply], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gallery, self._pipeline, self._mesh, self._queue = gallery, pipeline, mesh, queue
        self._noted, self.clock = noted, clock
        self._sessions: dict[str, LiveSession] = {}

    @property
    def running(self) -> int:
        """Sessions that have no result yet."""
        return sum(not live.over for live in self._sessions.values())

    async def open(self, kind: Kind, subject: str | None, *, client: str, key_id: str) -> SessionReply:
        """Open a session, which is charged to the client; to the person with the first frame.

        Raises:
            Problem: there are too many sessions.
            FaceAuthError: as :func:`faceauth.gallery.open_session`, and for a challenge that is not allowed.
        """
        if len(self._sessions) >= MOST_SESSIONS:
            raise Problem(503, Cause.BUSY, "Too many sessions are open: try again.", retry_after_s=RETRY_AFTER_S)
        live = await self._queue.run(lambda: self._open(kind, subject, client, key_id))
        self._sessions[live.of_gallery.session_id] = live
        return SessionReply(id=live.of_gallery.session_id, kind=kind, prompt=live.prompt)

    def find(self, session_id: str, key_id: str) -> LiveSession:
        """The session of that nonce, opened with that key.

        Raises:
            Problem: 404, there is none; whether another key has it is not told.
        """
        live = self._sessions.get(session_id)
        if live is None or live.key_id != key_id:
            raise Problem(404, Cause.SESSION_UNKNOWN, "Unknown session. Open a new one.")
        return live

    async def take(self, live: LiveSession, number: int, frames: Sequence[TimedFrame]) -> ChunkReply:
        """Judge a chunk; one that was judged already gets the answer it got.

        Raises:
            Problem: 409, the session takes no more, or this is not the chunk that is due.
            FaceAuthError: as :func:`faceauth.gallery.answer`.
        """
        arrived_s = self.clock()
        return await _to_its_end(self._take(live, number, frames, arrived_s))

    async def _take(self, live: LiveSession, number: int, frames: Sequence[TimedFrame], arrived_s: float) -> ChunkReply:
        digest = digest_of(frames)
        async with live.lock:
            if number < len(live.chunks):
                known, reply = live.chunks[number]
                if known != digest:
                    raise Problem(409, Cause.CHUNK_CHANGED, f"Chunk {number} was sent before, with other frames.")
                return reply
            if live.over or self._is_old(live) or len(live.chunks) >= MOST_CHUNKS:
                raise Problem(409, Cause.SESSION_USED, "The session was used or has expired: open another one.")
            if number > len(live.chunks):
                raise Problem(409, Cause.CHUNK_MISSING, f"Chunk {len(live.chunks)} is due, not {number}.")
            reply = await self._queue.run(lambda: self._judge(live, frames, arrived_s))
            live.chunks.append((digest, reply))
            return reply

    def result(self, live: LiveSession) -> ResultReply:
        """The one result.

        Raises:
            Problem: 409, there is none yet, or there will be none.
        """
        if live.result is not None:
            return live.result
        if live.broken:
            raise Problem(409, Cause.SESSION_USED, "The session failed, and counts as no: open another one.")
        raise Problem(409, Cause.SESSION_RUNNING, "The session has not ended.")

    async def abandon(self, live: LiveSession) -> None:
        """End it without waiting for more, and forget it; what was judged of it counts."""
        await _to_its_end(self._abandon(live))

    async def _abandon(self, live: LiveSession) -> None:
        async with live.lock:
            if not live.over:
                await self._queue.run(lambda: self._end(live, Reason.STREAM_ENDED))
            self._sessions.pop(live.of_gallery.session_id, None)

    async def sweep(self) -> None:
        """End what is too old, and forget what ended long ago."""
        for session_id, live in list(self._sessions.items()):
            if self.clock() - live.opened_s > KEPT_S and not live.lock.locked():
                self._sessions.pop(session_id, None)
            elif self._is_old(live) and not live.over and not live.lock.locked():
                async with live.lock:
                    # where the queue is full, the next sweep tries again; what fails stays charged
                    with suppress(FaceAuthError):
                        await self._queue.run(partial(self._end, live, Reason.TIMED_OUT))

    async def keep_sweeping(self) -> None:
        """Sweep until it is cancelled. A bug in one session must not keep the others for ever."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except Exception as error:
                logger.error("a sweep failed", exc_info=error)

    async def close(self) -> None:
        """End every session, so that whoever showed no face is not charged."""
        for live in list(self._sessions.values()):
            async with live.lock:
                if not live.over:
                    with suppress(FaceAuthError):  # it stays charged
                        await asyncio.to_thread(self._end, live, Reason.STREAM_ENDED)

    def _is_old(self, live: LiveSession) -> bool:
        return self.clock() - live.opened_s > SESSION_S

    # On a thread of the queue; once it is open, with the session's lock held.

    def _open(self, kind: Kind, subject: str | None, client: str, key_id: str) -> LiveSession:
        challenge = new_challenge(self._pipeline, kind)
        prompt = first_prompt(challenge)
        of_gallery = open_session(self._gallery, subject, client)
        return LiveSession(of_gallery, key_id, kind, self.clock(), challenge, prompt)

    def _judge(self, live: LiveSession, frames: Sequence[TimedFrame], arrived_s: float) -> ChunkReply:
        templates: Sequence[Template] = ()
        if live.presenting is None:
            templates = begin(self._gallery, live.of_gallery, self._pipeline.model_id)
        with _broken_by_errors(live):
            if live.presenting is None:
                live.presenting = present(self._pipeline, live.challenge, templates, self._mesh, arrived_s)
            for frame in frames:
                if live.presenting.result is None:
                    live.presenting.feed(frame.image, frame.time_s, arrived_s)
            live.prompt, found = live.presenting.prompt, live.presenting.result
            if found is not None:
                self._settle(live, found)
        return ChunkReply(state="running" if found is None else "ended", prompt=live.prompt)

    def _end(self, live: LiveSession, reason: Reason) -> None:
        if live.presenting is None:  # nothing was charged to anybody but the client
            live.result = ResultReply(verdict=VERDICT_OF[reason], reason=reason, message=MESSAGES[reason], subject=None)
            self._noted(live.kind, live.result)
            return
        with _broken_by_errors(live):
            live.presenting.close(reason)
            found = live.presenting.result
            assert found is not None  # it was closed
            self._settle(live, found)

    def _settle(self, live: LiveSession, found: PresentationResult) -> None:
        """Write the result down; before that, nobody gets it."""
        subject = live.of_gallery.subject
        expected = Reason.LIVE if subject is None else Reason.LIVE_AND_MATCHED
        if found.accepted and found.reason is not expected:
            raise UsageError(f"Nobody is let in for {found.reason}: this session needs {expected}.")
        settle(self._gallery, live.of_gallery, found)
        live.result, live.presenting = result_reply(found, subject), None
        self._noted(live.kind, live.result)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns, which runs to its end even if nobody waits for it any more.

    Else the session's lock would be free while it is still judged.
    """
    return await asyncio.shield(asyncio.create_task(work))


@contextmanager
def _broken_by_errors(live: LiveSession) -> Iterator[None]:
    """What fails once a session was begun ends it without an answer, and its attempt stays charged."""
    try:
        yield
    except BaseException:
        live.broken = True
        raise
