"""What the site answers when it does not do what was asked: RFC 9457 problems, made here or passed on."""

from fastapi import Request
from fastapi.responses import JSONResponse

from faceauth.errors import FaceAuthError


class SiteRefusal(FaceAuthError):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        reason: for machines.
        detail: one sentence for people, which says what to do.
        retry_after: seconds as the service wrote them; None where waiting does not help.
    """

    def __init__(self, status: int, reason: str, detail: str, *, retry_after: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail, self.retry_after = status, reason, detail, retry_after


async def problem(request: Request, refusal: Exception) -> JSONResponse:
    """The answer to a refused request."""
    assert isinstance(refusal, SiteRefusal)  # registered for it alone
    return JSONResponse(
        {"title": "Refused", "status": refusal.status, "detail": refusal.detail, "reason": refusal.reason},
        status_code=refusal.status,
        headers={} if refusal.retry_after is None else {"Retry-After": refusal.retry_after},
        media_type="application/problem+json",
    )
