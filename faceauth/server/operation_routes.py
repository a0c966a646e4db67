"""``/healthz``, ``/readyz`` and ``/metrics``: without a key, for whoever runs the service."""

import asyncio

from fastapi import APIRouter, Response

from faceauth.errors import FaceAuthError
from faceauth.server.problems import Cause, Problem, documented, logger
from faceauth.server.replies import HealthReply
from faceauth.server.service import Service

READY_S = 5.0


def operation_router(service: Service) -> APIRouter:
    """The routes of one service."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz")
    async def healthz() -> HealthReply:
        """The process answers."""
        return HealthReply()

    @router.get("/readyz", responses=documented(503))
    async def readyz() -> HealthReply:
        """People can log in: the backends are loaded, the gallery opens, the keys can be read."""
        try:
            await asyncio.wait_for(asyncio.to_thread(service.check_ready), READY_S)
        except (FaceAuthError, TimeoutError) as error:
            logger.error("not ready", exc_info=error)
            raise Problem(503, Cause.UNAVAILABLE, "Not ready: the log says why.", retry_after_s=READY_S) from None
        return HealthReply()

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.counters.text(), media_type="text/plain; version=0.0.4")

    return router
