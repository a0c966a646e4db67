"""Export of trained weights to the ONNX files that the library runs.

The exported graph takes uint8 RGB crops and normalises them itself, so that no consumer can get it wrong.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from faceauth.evaluation.records import Record
from faceauth.liveness.spoofnet import INPUT, OUTPUT
from faceauth.weights.onnx_session import exact_options
from training.train.folding import fold
from training.train.network import INPUT_SIZE, SpoofNet, normalised

OPSET = 17
CALIBRATION_BATCH = 32
INT8_CALIBRATION = 640  # images; on val the logits of int8 are off by 0.039 (sd), with half as many by 0.060


class Exported(nn.Module):
    """SpoofNet with its normalisation: takes uint8 crops (N, 224, 224, 3), RGB, and gives logits (N, 2)."""

    def __init__(self, network: SpoofNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        """Logits of raw crops; 0 = live, 1 = spoof."""
        return cast(Tensor, self.network(normalised(crops)))


def calibration_records(records: Sequence[Record]) -> list[Record]:
    """Training images for int8, spread evenly over the manifest and so over its domains."""
    train = [record for record in records if record.split == "train"]
    return train[:: max(1, len(train) // INT8_CALIBRATION)]


def export_fp32(network: SpoofNet, path: Path) -> None:
    """Write ``network`` as ONNX: ``crops`` uint8 (n, 224, 224, 3) RGB -> ``logits`` float32 (n, 2)."""
    example = torch.zeros(2, INPUT_SIZE, INPUT_SIZE, 3, dtype=torch.uint8)
    torch.onnx.export(
        Exported(fold(network)).eval(),
        (example,),
        path,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
        opset_version=OPSET,
        dynamo=False,  # keeps the layers' names, and needs no further package
    )


def export_int8(fp32: Path, path: Path, crops: npt.NDArray[np.uint8]) -> None:
    """Quantise the convolutions of ``fp32`` statically (QDQ, per channel) and correct what that shifts.

    Activations have eight bits after their ReLU, weights seven: two products then fit into the 16 bits in which
    processors without VNNI instructions add them, and the fast kernels are exact everywhere
    (``faceauth.weights.onnx_session.exact_options``).
    The first convolution stays in float: its pixels already have 256 values, and seven bits cost it the most. So do
    the three linear layers, whose last bias takes off what rounding moves the logits of all images by (bias
    correction, Nagel et al. 2019); that makes the file half a megabyte larger.

    Args:
        fp32: the ONNX file of :func:`export_fp32`.
        path: the file to write.
        crops: to calibrate on: uint8, N x 224 x 224 x 3, RGB.
    """
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(fp32, prepared, skip_symbolic_shape=True)
    first = next(node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv")
    quantize_static(
        prepared,
        path,
        _Crops(crops),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=["Conv", "Relu", "MaxPool"],
        nodes_to_exclude=[first],
    )
    prepared.unlink()
    _move_logits(path, _mean_logits(fp32, crops) - _mean_logits(path, crops))


def _mean_logits(path: Path, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    session = ort.InferenceSession(str(path), exact_options(), providers=["CPUExecutionProvider"])
    logits = [session.run([OUTPUT], batch)[0] for batch in _batches(crops)]
    return np.asarray(np.concatenate(logits).mean(axis=0), np.float32)


def _move_logits(path: Path, by: npt.NDArray[np.float32]) -> None:
    """Add ``by`` (2,) to the logits of the ONNX file at ``path``: to the bias of its last layer."""
    model = onnx.load(path)
    last = next(node for node in model.graph.node if OUTPUT in node.output)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == last.input[2])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + by, bias.name))
    onnx.save(model, path)


def _batches(crops: npt.NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(crops), CALIBRATION_BATCH):
        yield {INPUT: crops[start : start + CALIBRATION_BATCH]}


class _Crops(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, crops: npt.NDArray[np.uint8]) -> None:
        self._left = _batches(crops)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None at the end, as onnxruntime's calibration asks."""
        return next(self._left, None)
