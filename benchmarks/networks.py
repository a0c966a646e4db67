"""Clocks the networks of a pipeline, so that the rest of ``verify``, the library's own share, can be told apart."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from faceauth.weights.onnx_session import Session


@dataclass(frozen=True)
class Call:
    """One call: seconds of wall time, and of those the seconds inside onnxruntime."""

    wall_s: float
    networks_s: float

    @property
    def outside(self) -> float:
        """Share of the wall time that no network used."""
        return 1 - self.networks_s / self.wall_s


class TimedSession:
    """A session that adds up how long it ran."""

    def __init__(self, session: Session) -> None:
        self.elapsed_s = 0.0
        self._session = session

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        """As the session's own ``run``."""
        start = time.perf_counter()
        outputs = self._session.run(output_names, input_feed)
        self.elapsed_s += time.perf_counter() - start
        return outputs


def timed(*backends: Any) -> list[TimedSession]:
    """Put a ``TimedSession`` before the session of each built-in backend.

    Every built-in backend keeps its session as ``_session``. There is no public way to it: only a benchmark looks
    inside, and one without it fails here.
    """
    sessions = [TimedSession(backend._session) for backend in backends]
    for backend, session in zip(backends, sessions, strict=True):
        backend._session = session
    return sessions


def watch(call: Callable[[], object], sessions: Sequence[TimedSession], *, calls: int) -> list[Call]:
    """Wall and network time of each of ``calls`` calls, after three that do not count."""
    watched = []
    for _ in range(3 + calls):
        before = sum(session.elapsed_s for session in sessions)
        start = time.perf_counter()
        call()
        wall_s = time.perf_counter() - start
        watched.append(Call(wall_s, sum(session.elapsed_s for session in sessions) - before))
    return watched[3:]


def median_outside(calls: Sequence[Call]) -> float:
    """Median share of the wall time outside the networks."""
    return float(np.median([call.outside for call in calls]))
