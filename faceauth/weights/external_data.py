"""Whether an ONNX file keeps tensors in other files.

What lies in another file is not in the bytes whose digest was checked. The onnx package would tell as well; it is no
dependency, for this one question.
"""

from collections.abc import Iterator

VARINT, FIXED_64, LENGTH, FIXED_32 = 0, 1, 2, 5
"""Wire types of protobuf; the two others, groups, are in no ONNX file."""

EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a TensorProto: where the other file is, and whether there is one."""

CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Message of onnx.proto -> number of each field that can lead to a tensor -> message in that field."""

Field = tuple[int, int | memoryview]
"""Number of a field, and its value: a number, or the bytes of a text, an array or another message."""


def refers_to_other_files(content: bytes) -> bool:
    """Whether any tensor of the model, in a subgraph, a function or an attribute too, lies in another file.

    Raises:
        ValueError: the bytes are not a protobuf message.
    """
    pending = [("model", memoryview(content))]
    while pending:
        message, data = pending.pop()
        for number, value in _fields(data):
            if message == "tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value)):
                return True
            if number in CHILDREN[message] and isinstance(value, memoryview):
                pending.append((CHILDREN[message][number], value))
    return False


def _fields(data: memoryview) -> Iterator[Field]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if wire_type == LENGTH:
            size, place = _varint(data, place)
        elif wire_type in (FIXED_64, FIXED_32):
            size = 8 if wire_type == FIXED_64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {place}")
        if size > len(data) - place:
            raise ValueError(f"a field of {size} bytes at byte {place} of {len(data)}")
        yield number, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place after it."""
    value = 0
    for shift, byte in enumerate(data[place : place + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, place + shift + 1
    raise ValueError(f"a number without an end at byte {place}")
