"""Opens onnxruntime sessions for checked weights, if their inputs and outputs are the expected ones.

onnxruntime is imported when the first session is opened, not before. Nothing falls back:
a provider that was asked for runs, or the session is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from faceauth.errors import ProviderUnavailable, UsageError, WeightsMismatch
from faceauth.weights.external_data import refers_to_other_files
from faceauth.weights.interruptible import InterruptibleSession
from faceauth.weights.store import Weights

CPU = ("CPUExecutionProvider",)

MOST_THREADS = 64
"""Threads of one session: chosen, not measured; no network here gains from more, and 100,000 exhaust the machine."""

TensorType = tuple[str, tuple[int | None, ...]]
"""Element type as onnxruntime names it ("uint8", "float") and shape; None is a dimension the graph leaves open."""


class Session(Protocol):
    """What the backends use of ``onnxruntime.InferenceSession``."""

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        """Outputs in the order of ``output_names``, or of the graph for None."""
        ...


@dataclass(frozen=True)
class Signature:
    """Names, types and shapes of a network's inputs and outputs; other outputs may exist beside them."""

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]


def open_session(
    weights: Weights,
    *,
    signature: Signature,
    threads: int = 1,
    providers: Sequence[str] = CPU,
    weight_only: bool = False,
) -> Session:
    """Read, check and load a network.

    Args:
        weights: the file; its digest is checked on the very bytes that are loaded.
        signature: what the network has to look like.
        threads: threads inside an operator, from 1 to ``MOST_THREADS``.
        providers: onnxruntime execution providers, in order of preference, all of which have to be there.
        weight_only: the file stores weights as int8 and computes in float. onnxruntime then unpacks them once at load
            instead of at every call. Wrong for a network quantised in its activations: it would run in float.

    Raises:
        WeightsMissing, WeightsMismatch: the file does not exist, is not the pinned one or not such a network, or keeps
            tensors in other files.
        ProviderUnavailable: a provider is not installed or does not start.
        UsageError: ``threads`` is out of its range or no provider is named.
    """
    options = session_options(threads, providers)
    if weight_only:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = _load(weights, options, list(providers))
    refuse_absent(providers, session.get_providers())
    _check_signature(weights, "input", signature.inputs, session.get_inputs(), exact=True)
    _check_signature(weights, "output", signature.outputs, session.get_outputs(), exact=False)
    return InterruptibleSession(session)


def session_options(threads: int, providers: Sequence[str]) -> Any:
    """``onnxruntime.SessionOptions`` as every session here has them.

    With more than one thread, idle threads sleep instead of spinning: on a busy machine spinning doubled the time.

    Raises:
        ProviderUnavailable: a provider is not installed.
        UsageError: ``threads`` is out of its range or no provider is named.
    """
    import onnxruntime

    if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"threads is {threads!r}, expected a whole number from 1 to {MOST_THREADS}.")
    if not providers:
        raise UsageError("No execution provider is named: leave the option out, or name at least one.")
    refuse_absent(providers, onnxruntime.get_available_providers())
    options = exact_options()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if threads > 1:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def exact_options() -> Any:
    """``onnxruntime.SessionOptions`` with which an int8 network gives the same answers on every x86-64 processor.

    Without VNNI instructions onnxruntime multiplies unsigned by signed bytes with VPMADDUBSW, whose 16-bit sums
    overflow where weights use all eight bits. With this option it takes exact sums for such weights, on every
    processor, at more than twice the time; SpoofNet's have seven bits (``training/release/onnx_export.py``) and need
    none.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _load(weights: Weights, options: Any, providers: list[str]) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    refusals = (native.Fail, native.InvalidArgument, native.InvalidGraph, native.InvalidProtobuf, native.NotImplemented)
    content = weights.read()
    refuse_external_data(content, weights.path)
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the one format that was just looked through
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers, enable_fallback=0)
    except refusals as error:
        raise WeightsMismatch(
            f"onnxruntime {onnxruntime.__version__} does not load {weights.path}: {error}. The digest is the pinned "
            "one, so the file is not an ONNX network, or one that needs a newer onnxruntime.",
            path=weights.path,
            found=str(error),
            expected="an ONNX network",
        ) from error


def refuse_external_data(content: bytes, path: Path) -> None:
    """Raise ``WeightsMismatch`` for a model that keeps tensors in other files: no digest covers those."""
    try:
        elsewhere = refers_to_other_files(content)
    except ValueError as error:
        raise WeightsMismatch(
            f"{path} does not read as an ONNX network: {error}. Name another file.",
            path=path,
            found=str(error),
            expected="an ONNX network",
        ) from None
    if elsewhere:
        raise WeightsMismatch(
            f"{path} keeps tensors in other files, which its digest does not cover. Save it as one file: "
            "`onnx.save(onnx.load(PATH), NEW_PATH)`, and pin that.",
            path=path,
            found="external data",
            expected="one file",
        )


def refuse_absent(providers: Sequence[str], there: Sequence[str]) -> None:
    """Raise ``ProviderUnavailable`` for the first of ``providers`` that is not ``there``; none is replaced."""
    for provider in providers:
        if provider not in there:
            raise ProviderUnavailable(
                f"The execution provider {provider} is not available; there are: {', '.join(there)}. Install the "
                "onnxruntime package that brings it and its drivers, or name another provider.",
                provider=provider,
                available=tuple(there),
            )


def _check_signature(
    weights: Weights, side: str, expected: Mapping[str, TensorType], found: Sequence[Any], *, exact: bool
) -> None:
    tensors = {tensor.name: (tensor.type, tensor.shape) for tensor in found}
    fits = all(name in tensors and _fits(wanted, *tensors[name]) for name, wanted in expected.items())
    if fits and not (exact and len(tensors) > len(expected)):
        return
    described = {name: f"{kind}{list(shape)}" for name, (kind, shape) in tensors.items()}
    wanted_text = {name: f"tensor({kind}){list(shape)}" for name, (kind, shape) in expected.items()}
    raise WeightsMismatch(
        f"{weights.path} is not the expected network: its {side}s are {described}, expected {wanted_text} "
        "(None is an open dimension). Use the file that belongs to this backend.",
        path=weights.path,
        found=str(described),
        expected=str(wanted_text),
    )


def _fits(wanted: TensorType, kind: str, shape: Sequence[int | str | None]) -> bool:
    element, sizes = wanted
    opened = tuple(size if isinstance(size, int) else None for size in shape)  # open dimensions have a name or None
    return kind == f"tensor({element})" and opened == sizes
