"""No fault of any stage is ever accepted: every stage times every kind of fault."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from faceauth.gate import GatePolicy
from faceauth.pipeline import Pipeline
from faceauth.results import Face, Reason, Verdict, Verification
from faceauth.stages import Crops, CropSpec, Image
from faceauth.testing import FakeDetector, FakeEmbedder, FakeLiveness, face_in
from tests.pipelines import fake_pipeline, noise_image


def raising(error: BaseException) -> Callable[..., object]:
    def answer(*_: object) -> object:
        raise error

    return answer


def unchecked_face(**changes: object) -> Face:
    """A face past its own validation, as careless plugin code can make one with ``model_construct``."""
    good = face_in(noise_image())
    fields = {"box_xyxy": good.box_xyxy, "score": good.score, "landmarks_px": good.landmarks_px}
    return Face.model_construct(**{**fields, **changes})


def with_landmark(x: float) -> Face:
    return unchecked_face(landmarks_px=((x, 1.0), *face_in(noise_image()).landmarks_px[1:]))


def vectors(n: int, *, d: int = 16, dtype: type = np.float32, value: float = 0.25) -> np.ndarray:
    return np.full((n, d), value, dtype)


class HidingArray(np.ndarray):
    """An array whose comparisons always hold."""

    def __ge__(self, other: object) -> Any:
        return np.ones(self.shape, bool)

    __le__ = __ge__


DETECTION: dict[str, Callable[[Image], object]] = {
    "raises": raising(RuntimeError("broken")),
    "exits": raising(SystemExit(0)),
    "out of memory": raising(MemoryError()),
    "none": lambda _: None,
    "true": lambda _: True,
    "tuple": lambda image: (face_in(image),),
    "dictionaries": lambda _: [{"box_xyxy": (0, 0, 9, 9), "score": 1.0}],
    "array": lambda _: np.ones((1, 15), np.float32),
    "nan in the box": lambda _: [unchecked_face(box_xyxy=(np.nan, 60.0, 200.0, 180.0))],
    "infinite box": lambda _: [unchecked_face(box_xyxy=(-np.inf, -np.inf, np.inf, np.inf))],
    "inside-out box": lambda _: [unchecked_face(box_xyxy=(200.0, 180.0, 100.0, 60.0))],
    "empty box": lambda _: [unchecked_face(box_xyxy=(100.0, 60.0, 100.0, 60.0))],
    "box outside the picture": lambda _: [unchecked_face(box_xyxy=(900.0, 900.0, 1100.0, 1100.0))],
    "three corners": lambda _: [unchecked_face(box_xyxy=(1.0, 2.0, 3.0))],
    "text for a box": lambda _: [unchecked_face(box_xyxy="left")],
    "nan score": lambda _: [unchecked_face(score=np.nan)],
    "score above one": lambda _: [unchecked_face(score=7.0)],
    "nan landmark": lambda _: [with_landmark(np.nan)],
    "landmarks whose mean is not a number": lambda _: [
        unchecked_face(landmarks_px=((1.7e308, 1.0), (1.7e308, 1.0), (-1.7e308, 1.0), (-1.7e308, 1.0), (1.0, 1.0)))
    ],
    "landmarks of another face": lambda image: [
        face_in(image).model_copy(update={"landmarks_px": tuple((x - 130, y) for x, y in face_in(image).landmarks_px)})
    ],
    "four landmarks": lambda _: [unchecked_face(landmarks_px=face_in(noise_image()).landmarks_px[:4])],
}

LIVENESS: dict[str, Callable[[Sequence[Crops]], object]] = {
    "raises": raising(RuntimeError("broken")),
    "exits": raising(SystemExit(0)),
    "none": lambda _: None,
    "true": lambda _: True,
    "list": lambda crops: [0.9] * len(crops[0]),
    "scalar": lambda _: np.float32(0.9),
    "nan": lambda crops: np.full(len(crops[0]), np.nan, np.float32),
    "infinity": lambda crops: np.full(len(crops[0]), np.inf, np.float32),
    "above one": lambda crops: np.full(len(crops[0]), 1.0001, np.float32),
    "below zero": lambda crops: np.full(len(crops[0]), -0.1, np.float32),
    "logits": lambda crops: np.full(len(crops[0]), 5.0, np.float32),
    "float64": lambda crops: np.full(len(crops[0]), 0.9, np.float64),
    "integers": lambda crops: np.ones(len(crops[0]), np.int64),
    "booleans": lambda crops: np.ones(len(crops[0]), bool),
    "objects": lambda crops: np.full(len(crops[0]), 0.9, object),
    "column": lambda crops: np.full((len(crops[0]), 1), 0.9, np.float32),
    "both classes": lambda crops: np.full((len(crops[0]), 2), 0.5, np.float32),
    "one too many": lambda crops: np.full(len(crops[0]) + 1, 0.9, np.float32),
    "one too few": lambda crops: np.full(len(crops[0]) - 1, 0.9, np.float32),
    "an array that hides": lambda crops: np.full(len(crops[0]), np.nan, np.float32).view(HidingArray),
}

EMBEDDING: dict[str, Callable[[np.ndarray], object]] = {
    "raises": raising(RuntimeError("broken")),
    "exits": raising(SystemExit(0)),
    "none": lambda _: None,
    "list": lambda crops: vectors(len(crops)).tolist(),
    "nan": lambda crops: vectors(len(crops), value=np.nan),
    "infinity": lambda crops: vectors(len(crops), value=np.inf),
    "all zero": lambda crops: vectors(len(crops), value=0.0),
    "not unit length": lambda crops: vectors(len(crops), value=1.0),
    "no numbers": lambda crops: vectors(len(crops), d=0),
    "float64": lambda crops: vectors(len(crops), dtype=np.float64),
    "one row for all": lambda _: vectors(1)[0],
    "one too many": lambda crops: vectors(len(crops) + 1),
    "one too few": lambda crops: vectors(len(crops) - 1),
    "an array that hides": lambda crops: vectors(len(crops), value=np.nan).view(HidingArray),
}


def spoilt(stage: str, fault: Callable[..., object]) -> dict[str, Any]:
    """Stages of which one has the fault."""
    stages: dict[str, Any] = {"detector": FakeDetector(), "liveness": FakeLiveness(0.9), "embedder": FakeEmbedder()}
    replaced = {
        "detection": lambda: {"detector": FakeDetector(fault)},
        "liveness": lambda: {"liveness": FakeLiveness(fault)},
        "embedding": lambda: {"embedder": FakeEmbedder(fault)},
    }
    return {**stages, **replaced[stage]()}


def pipeline(stages: dict[str, Any], *, stage_timeout_s: float = 5.0) -> Pipeline:
    return fake_pipeline(**stages, match_threshold=-1.0, stage_timeout_s=stage_timeout_s)


FAULTS = [
    pytest.param(stage, fault, id=f"{stage}: {name}")
    for stage, faults in (("detection", DETECTION), ("liveness", LIVENESS), ("embedding", EMBEDDING))
    for name, fault in faults.items()
]


def assert_denied(result: Verification) -> None:
    assert not result.accepted
    assert (result.verdict, result.reason) == (Verdict.REJECT, Reason.STAGE_FAILED)
    assert result.failed is not None
    assert "stage" in result.message


def test_the_stages_without_a_fault_are_accepted() -> None:
    """Or the tests below would prove nothing."""
    assert pipeline(spoilt("detection", lambda image: [face_in(image)])).verify(noise_image(), noise_image()).accepted


@pytest.mark.parametrize(("stage", "fault"), FAULTS)
def test_a_fault_denies(stage: str, fault: Callable[..., object]) -> None:
    assert_denied(pipeline(spoilt(stage, fault)).verify(noise_image(), noise_image()))


@pytest.mark.parametrize(("stage", "fault"), FAULTS)
def test_a_fault_does_not_stop_the_stream(stage: str, fault: Callable[..., object]) -> None:
    results = list(pipeline(spoilt(stage, fault)).verify_many([noise_image()] * 2, noise_image()))
    assert len(results) == 2
    for result in results:
        assert_denied(result)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    answer=arrays(
        st.sampled_from(["float32", "float64", "float16", "int8", "bool", "complex64", "U2", "datetime64[s]"]),
        array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
    | arrays("float32", array_shapes(max_dims=2, max_side=2), elements=st.floats(-1, 2, width=32))
)
def test_only_one_float32_probability_a_face_is_accepted(answer: np.ndarray) -> None:
    valid = answer.dtype == np.float32 and answer.shape == (1,) and 0.5 <= answer[0] <= 1
    assert pipeline(spoilt("liveness", lambda _: answer)).verify(noise_image()).accepted == valid


@pytest.mark.parametrize("stage", ["detection", "liveness", "embedding"])
def test_a_stage_that_misses_the_limit_denies(stage: str) -> None:
    release = threading.Event()
    good = {"detection": FakeDetector(), "liveness": FakeLiveness(0.9), "embedding": FakeEmbedder()}
    method = {"detection": "detect", "liveness": "score", "embedding": "embed"}[stage]

    def late(argument: Any) -> object:
        release.wait(10)
        return getattr(good[stage], method)(argument)

    try:
        result = pipeline(spoilt(stage, late), stage_timeout_s=0.05).verify(noise_image(), noise_image())
        assert_denied(result)
        assert "did not answer within 0.05 s" in result.message
    finally:
        release.set()


def test_a_long_exception_becomes_one_line_of_the_message() -> None:
    result = pipeline(spoilt("liveness", raising(RuntimeError("line\n" * 1000)))).verify(noise_image())
    assert "\n" not in result.message and len(result.message) < 400


def test_numpy_numbers_in_a_face_become_plain_ones() -> None:
    box = tuple(np.float64(side) for side in face_in(noise_image()).box_xyxy)
    stages = spoilt("detection", lambda _: [unchecked_face(box_xyxy=box)])
    result = pipeline(stages).verify(noise_image(), noise_image())
    assert result.accepted and Verification.model_validate_json(result.model_dump_json()) == result


def test_landmarks_in_one_point_deny() -> None:
    degenerate = FakeDetector(lambda _: [unchecked_face(landmarks_px=((160.0, 120.0),) * 5)])
    aligned = CropSpec(size_wh=(112, 112), scale=1.0, kind="arcface", color="bgr")
    stages = {"detector": degenerate, "liveness": FakeLiveness(crops=(aligned,)), "embedder": FakeEmbedder()}
    turned = GatePolicy(max_yaw_deg=180, max_pitch_deg=180, max_roll_deg=180)
    result = fake_pipeline(**stages, gate=turned).verify(noise_image())
    assert_denied(result)
    assert result.failed == "cropping" and "apart from each other" in result.message


def test_a_fault_names_stage_and_backend_and_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    stages = spoilt("liveness", raising(ZeroDivisionError("by zero")))
    with caplog.at_level(logging.ERROR, logger="faceauth"):
        result = pipeline(stages).verify(noise_image())
    assert result.message == "The liveness stage (FakeLiveness) failed: ZeroDivisionError: by zero"
    assert result.failed == "liveness" and "liveness" not in result.skipped
    assert caplog.records[0].name == "faceauth" and "Traceback" in caplog.text and "raise error" in caplog.text


def test_a_fault_on_the_reference_denies_and_says_so() -> None:
    reference = noise_image(1)

    def fails_on_the_reference(image: Image) -> object:
        return None if np.array_equal(image, reference) else [face_in(image)]

    result = pipeline(spoilt("detection", fails_on_the_reference)).verify(noise_image(), reference)
    assert_denied(result)
    assert result.failed == "reference" and result.message.startswith("The reference cannot be used")


def test_a_keyboard_interrupt_in_a_stage_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        pipeline(spoilt("liveness", raising(KeyboardInterrupt()))).verify(noise_image())


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_while_a_stage_hangs_ends_the_wait() -> None:
    release = threading.Event()

    def interrupted(_: object) -> object:
        time.sleep(0.3)  # until the caller waits
        os.kill(os.getpid(), signal.SIGINT)
        return release.wait(10)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            pipeline(spoilt("liveness", interrupted), stage_timeout_s=10).verify(noise_image())
        assert time.monotonic() - start < 5
    finally:
        signal.signal(signal.SIGINT, before)
        release.set()
