"""What Prometheus reads: verdicts, times, and how much is under way. No name, no score."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from faceauth.server.replies import ResultReply

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Counters:
    """The counters of one service.

    Args:
        queue_length: pieces of work that were accepted and are not done.
        sessions: that have no result yet.
    """

    def __init__(self, *, queue_length: Callable[[], int], sessions: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._results = Counter(
            "faceauth_results_total", "Results by kind.", ("kind", "verdict", "reason"), registry=self._registry
        )
        self._requests = Histogram(
            "faceauth_request_seconds",
            "Time from the headers of a request to the end of its answer.",
            ("route", "method", "status"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        queue = Gauge("faceauth_queue_length", "Work that is not done.", registry=self._registry)
        queue.set_function(queue_length)
        running = Gauge("faceauth_sessions_running", "Sessions without a result.", registry=self._registry)
        running.set_function(sessions)

    def note_result(self, kind: str, result: ResultReply) -> None:
        """Count a result: of a kind of session, or of ``verify`` or ``identify``."""
        self._results.labels(kind, result.verdict, result.reason).inc()

    def note_request(self, route: str, method: str, status: int, elapsed_s: float) -> None:
        """Count a request; ``route`` is a path with its parameters unfilled."""
        self._requests.labels(route, method, status).observe(elapsed_s)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus 0.0.4."""
        return generate_latest(self._registry)
