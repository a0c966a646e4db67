"""The OpenAPI document is true: schemathesis finds nothing against it."""

from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

from hypothesis import HealthCheck, Phase, settings

from faceauth.gallery import attempts

from .conftest import Running, Serve

EXAMPLES = 6
"""Of each operation; the document has 14."""


def test_the_document_is_openapi_3_1_and_every_error_in_it_is_a_problem(running: Running) -> None:
    document = running.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert set(response["content"]) == {"application/problem+json"}, (path, method, status)
            if path.startswith("/v1/"):
                assert {"401", "403", "422", "500", "503"} <= set(operation["responses"])


@pytest.mark.slow
def test_schemathesis_finds_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "CLIENT_ATTEMPTS", 10**6)  # or almost every answer would be 429
    running = serve()
    running.enrol("ada", 1)
    config = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}})
    schema = schemathesis.openapi.from_asgi("/openapi.json", running.http.app, config=config)
    seen: set[int] = set()
    operations = [one.ok() for one in schema.get_all_operations()]
    assert len(operations) == 14
    for operation in operations:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
        def check(case: Any) -> None:
            headers = {"Authorization": f"Bearer {running.keys['all']}"}
            seen.add(case.call_and_validate(headers=headers).status_code)

        for mode in schemathesis.GenerationMode:
            operation.schema.config.generation.mode = mode
        schemathesis_given(operation)(check)()
    assert {200, 404, 422} <= seen


ACCEPTED = ["2xx", "4xx"]
"""Photos are bytes to a schema: most of what it allows shows nobody."""


def schemathesis_given(operation: Any) -> Any:
    from hypothesis import given

    strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )
    return given(case=strategy)
