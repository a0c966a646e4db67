"""Export to LiteRT: ``.tflite`` files with the input and output of the ONNX files.

Needs the extra ``litert``, which nothing else imports.
"""

from pathlib import Path
from typing import cast

import litert_torch
import torch
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.calibrator import Calibrator
from ai_edge_quantizer.qtyping import TFLOperationName
from ai_edge_quantizer.quantizer import Quantizer
from ai_edge_quantizer.recipe_manager import RecipeManager
from ai_edge_quantizer.utils.qsv_utils import min_max_update
from torch import Tensor, nn

from faceauth.liveness.spoofnet import INPUT, OUTPUT
from faceauth.stages import Crops
from training.release.onnx_export import Exported
from training.train.folding import fold
from training.train.network import INPUT_SIZE, SpoofNet

SIGNATURE = "serving_default"
QUANTISED = (TFLOperationName.CONV_2D, TFLOperationName.MAX_POOL_2D, TFLOperationName.TRANSPOSE)
"""Nearly all of the time. The normalisation before and the head after them stay in float: logits in 256 steps cost
another tenth of a point of ACER on val (training/README.md, LiteRT)."""

FIRST = r".*Sequential_0/.*Conv2d_0;1"
"""The first convolution stays in float too. Pixels have 256 values, and rounding the normalised ones to 256 others was
half of all that int8 did to a logit (training/README.md, LiteRT)."""


class _Named(nn.Module):
    """The exported graph with a name for its output."""

    def __init__(self, exported: Exported) -> None:
        super().__init__()
        self.exported = exported

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        return {OUTPUT: cast(Tensor, self.exported(crops))}


def export_litert_fp32(network: SpoofNet, path: Path) -> None:
    """Write ``network`` as LiteRT: ``crops`` uint8 (1, 224, 224, 3) RGB -> ``logits`` float32 (1, 2)."""
    example = torch.zeros(1, INPUT_SIZE, INPUT_SIZE, 3, dtype=torch.uint8)
    litert_torch.convert(_Named(Exported(fold(network))).eval(), sample_kwargs={INPUT: example}).export(str(path))


def export_litert_int8(fp32: Path, path: Path, crops: Crops) -> None:
    """Quantise ``fp32`` statically (per channel), calibrated on ``crops`` (uint8, N x 224 x 224 x 3, RGB).

    Input and output are those of ``fp32``: who runs the file quantises nothing.
    """
    recipe = RecipeManager()
    for operation in QUANTISED:
        recipe.add_static_config(".*", operation, activation_num_bits=8, weight_num_bits=8)
    recipe.add_quantization_config(FIRST, TFLOperationName.CONV_2D, algorithm_key=AlgorithmName.NO_QUANTIZE)
    # The quantiser's own moving average over the ranges of single crops clips what the last ones do not hold: the macro
    # AUC on val lost 0.019 with it (training/README.md, LiteRT).
    calibrator = Calibrator(str(fp32), num_threads=torch.get_num_threads(), qsv_update_func=min_max_update)
    calibrator.calibrate({SIGNATURE: [{INPUT: crop[None]} for crop in crops]}, recipe)
    quantiser = Quantizer(fp32, recipe.get_quantization_recipe())
    quantised = quantiser.quantize(calibrator.get_model_qsvs(), enable_progress_report=False)
    quantised.export_model(path, overwrite=True)
