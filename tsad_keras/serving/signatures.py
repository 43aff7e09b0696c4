"""What a signature takes and gives, the tensors of a request for it, and its answers."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tsad_keras.serving.answers import bad_request, shorten
from tsad_keras.serving.npy import from_npy
from tsad_keras.serving.tensors import Document, describe, is_list, is_object, too_many_rows

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class Signature:
    """The contract of one signature with a single input.

    Attributes:
        name: Its name.
        input_name: Name of the input tensor.
        shape: Sizes of the input's axes; None = any.
        window_size: Least number of time steps of a series, where that may vary.
        output_names: Names of the outputs.
    """

    name: str
    input_name: str
    shape: tuple[int | None, ...]
    window_size: int
    output_names: tuple[str, ...]

    @property
    def is_series(self) -> bool:
        """Whether the first axis is time, so that two requests cannot share a pass."""
        return len(self.shape) == 2

    def check(self, values: np.ndarray, key: str, max_rows: int) -> None:
        """Raises `RequestError` unless an input can be handed to the model.

        Args:
            values: The input, float32.
            key: Where it stood in the request.
            max_rows: Time steps that a request may hold.
        """
        fits = values.ndim == len(self.shape) and all(
            wanted in (None, came) for wanted, came in zip(self.shape, values.shape, strict=True)
        )
        if not fits or not values.size:
            raise bad_request(
                f"{key} has shape {list(values.shape)}, expected {self._wanted()} for signature "
                f"{self.name!r}"
            )
        num_timesteps = values.shape[-2]
        if num_timesteps < self.window_size:
            raise bad_request(
                f"{key} has {num_timesteps} time steps, expected at least window_size "
                f"({self.window_size}); pass a longer series"
            )
        num_rows = math.prod(values.shape[:-1])
        if num_rows > max_rows:
            raise too_many_rows(f"{num_rows} time steps", max_rows)
        if np.isinf(values).any():
            place = "".join(f"[{index}]" for index in np.argwhere(np.isinf(values))[0])
            raise bad_request(
                f"{key}{place} is infinite or beyond float32, expected a finite number, or NaN "
                "where missing"
            )

    def _wanted(self) -> str:
        axes = ["any" if size is None else str(size) for size in self.shape]
        if self.shape[-2] is None:
            axes[-2] = f"at least {self.window_size}"
        return f"[{', '.join(axes)}]"


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """A checked request.

    Attributes:
        signature: What it asks for.
        values: The input, float32.
        by_row: Whether it came as `instances`, so that the answer has one object an item.
    """

    signature: Signature
    values: np.ndarray
    by_row: bool

    @property
    def num_rows(self) -> int:
        """Time steps in all."""
        return math.prod(self.values.shape[:-1])


def read_predict(body: bytes, signatures: dict[str, Signature], max_rows: int) -> PredictRequest:
    """Reads the body of `:predict`.

    Args:
        body: As it came.
        signatures: Those of the model, by name.
        max_rows: Time steps that a request may hold.

    Raises:
        RequestError: 400 or 413, with what is wrong and where.
    """
    document = Document(body, max_rows)
    members = document.members
    signature = _signature(members, signatures)
    by_row = "instances" in members
    if by_row == ("inputs" in members):
        if by_row:
            raise bad_request(
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to "
                "exist"
            )
        raise bad_request("Missing 'inputs' or 'instances' key")
    key = "instances" if by_row else "inputs"
    given = members[key]
    if by_row and not is_list(given):
        raise bad_request(f"'instances' is {describe(given)}, expected to be a list/array")
    if by_row and not len(given):
        raise bad_request("No values in 'instances' array")
    if by_row and is_object(given[0]):
        values = _stacked(document, given, signature)
    else:
        parts = {key: given}
        if is_object(given):
            parts = {f"inputs.{signature.input_name}": _named(given, signature)}
        ((name, value),) = parts.items()
        values = document.array(value, name)
        document.check_read(parts)
        key = name
    signature.check(values, key, max_rows)
    return PredictRequest(signature, values, by_row)


def read_array(
    body: bytes, name: str, signatures: dict[str, Signature], max_rows: int
) -> PredictRequest:
    """Reads a body in NumPy's format, which is answered as `inputs` are.

    Args:
        body: As it came.
        name: Of the signature.
        signatures: Those of the model, by name.
        max_rows: Time steps that a request may hold.

    Raises:
        RequestError: 400 or 413, with what is wrong and where.
    """
    signature = _find(name, signatures)
    values = from_npy(body)
    signature.check(values, "the array", max_rows)
    return PredictRequest(signature, values, by_row=False)


def _signature(members: Any, signatures: dict[str, Signature]) -> Signature:
    name = members.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise bad_request(
            f"'signature_name' is {describe(name)}; 'signature_name' key must be a string value"
        )
    return _find(name, signatures)


def _find(name: str, signatures: dict[str, Signature]) -> Signature:
    name = name or DEFAULT_SIGNATURE
    if name not in signatures:
        raise bad_request(f'Serving signature name: "{shorten(name)}" not found in signature def')
    return signatures[name]


def _named(given: Any, signature: Signature) -> Any:
    if signature.input_name not in given:
        raise bad_request(f"Missing named input: {signature.input_name} in 'inputs' object.")
    return given[signature.input_name]


def _stacked(document: Document, items: Any, signature: Signature) -> np.ndarray:
    """The inputs of `instances` that are objects, along a new first axis."""
    parts: dict[str, Any] = {}
    arrays: list[np.ndarray] = []
    for index, item in enumerate(items):
        if not is_object(item):
            raise bad_request(
                f"Expecting object but got {describe(item)} at item {index} of input list"
            )
        keys = list(item.keys())
        if keys != [signature.input_name]:
            raise bad_request(
                f"Failed to process element: {index} of 'instances' list. JSON object: has keys "
                f"{shorten(keys)}, keys must be equal to: {signature.input_name}"
            )
        name = f"instances[{index}].{signature.input_name}"
        parts[name] = item[signature.input_name]
        arrays.append(document.array(parts[name], name))
        if arrays[-1].shape != arrays[0].shape:
            raise bad_request(
                f"Failed to process element: {index} of 'instances' list. Expecting shape "
                f"{list(arrays[0].shape)} but got: {list(arrays[-1].shape)}"
            )
    document.count_list()  # `instances` itself
    document.check_read(parts)
    return np.stack(arrays)


def answer(request: PredictRequest, outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """The content of a response, for orjson.

    Args:
        request: What was asked.
        outputs: By name; the first axis is the items'.
    """
    outputs = {name: np.ascontiguousarray(value) for name, value in outputs.items()}
    if not request.by_row:
        # A single output stands for itself, as with TensorFlow Serving.
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    columns = [list(value) for value in outputs.values()]
    if len(columns) == 1:
        return {"predictions": columns[0]}
    names = list(outputs)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return {"predictions": rows}
