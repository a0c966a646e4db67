"""A tensor in another file is found wherever a model can hold one."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, SparseTensorProto, TensorProto, TrainingInfoProto, helper, numpy_helper

from faceauth.weights.external_data import refers_to_other_files
from faceauth.weights.store import pinned_weights


def tensor(*, external: bool) -> TensorProto:
    made = numpy_helper.from_array(np.ones(3, np.float32), "w")
    if external:
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value="elsewhere.bin")
    return made


def model(**parts: Any) -> ModelProto:
    made = helper.make_model(helper.make_graph([], "g", [], []))
    made.graph.MergeFrom(helper.make_graph(parts.pop("nodes", []), "g", [], [], **parts))
    return made


def sparse(held: TensorProto) -> SparseTensorProto:
    return SparseTensorProto(values=held, indices=tensor(external=False), dims=[3])


def subgraph(held: TensorProto) -> Any:
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=held)], "inner", [], [])
    return helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=helper.make_graph([], "no", [], []))


def with_function(held: TensorProto) -> ModelProto:
    made = model()
    node = helper.make_node("Constant", [], ["c"], value=held)
    made.functions.append(helper.make_function("d", "f", [], ["c"], [node], [helper.make_opsetid("", 17)]))
    return made


def with_training(held: TensorProto) -> ModelProto:
    made = model()
    made.training_info.append(TrainingInfoProto(initialization=helper.make_graph([], "t", [], [], [held])))
    return made


PLACES = {
    "initializer": lambda held: model(initializer=[held]),
    "sparse initializer": lambda held: model(sparse_initializer=[sparse(held)]),
    "constant": lambda held: model(nodes=[helper.make_node("Constant", [], ["c"], value=held)]),
    "list of tensors": lambda held: model(nodes=[helper.make_node("Op", [], ["c"], domain="d", several=[held])]),
    "sparse constant": lambda held: model(nodes=[helper.make_node("Constant", [], ["c"], sparse_value=sparse(held))]),
    "subgraph": lambda held: model(nodes=[subgraph(held)]),
    "function": with_function,
    "training": with_training,
}


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_in_another_file_is_found_in_every_place(place: str) -> None:
    assert refers_to_other_files(PLACES[place](tensor(external=True)).SerializeToString())
    assert not refers_to_other_files(PLACES[place](tensor(external=False)).SerializeToString())


def test_where_the_other_file_is_counts_without_the_mark_that_there_is_one() -> None:
    held = tensor(external=True)
    held.ClearField("data_location")
    assert refers_to_other_files(model(initializer=[held]).SerializeToString())


def test_the_files_of_the_package_keep_everything_inside() -> None:
    assert not any(
        refers_to_other_files(weights.read()) for weights in pinned_weights() if weights.name.endswith(".onnx")
    )


@pytest.mark.parametrize("content", [b"no network at all", b"\xff" * 20, b"\x3a\x7f", b"\x0b", b"\x08"])
def test_bytes_that_are_no_protobuf_are_an_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        refers_to_other_files(content)


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer_or_a_value_error(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert refers_to_other_files(content) in (True, False)


def test_names_of_files_are_not_mistaken_for_other_files(tmp_path: Path) -> None:
    made = model(initializer=[tensor(external=False)])
    made.doc_string = "location elsewhere.bin EXTERNAL"
    assert not refers_to_other_files(made.SerializeToString())
