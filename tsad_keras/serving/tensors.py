"""JSON to arrays, quickly for what is right and exactly for what is wrong.

Numbers are nearly all of a request. simdjson parses them into one flat buffer without a Python
object for each. What it cannot read (NaN tokens aside) and bodies that look odd go the slow way:
Python's own parser and a walk over every value, which finds the place of a fault.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tsad_keras.serving.answers import RequestError, bad_request, shorten

try:
    import simdjson
except ImportError:  # no wheel for this machine: correct all the same, only slower
    simdjson = None

# JSON has no NaN, but Python's json and TensorFlow Serving write and read the bare word. Where a
# value may stand, this number may stand in its place; a body that holds it goes the slow way.
_STAND_IN = b"-1.7976931348623157e308"
_MISSING = float(_STAND_IN)
_TYPE_NAMES = {bool: "a boolean", str: "a string", type(None): "null", dict: "an object"}


class Document:
    """A parsed body: a JSON object.

    Args:
        body: The bytes.
        max_rows: Time steps that a request may hold.

    Attributes:
        members: The object's members; lists and objects inside may be simdjson's.

    Raises:
        RequestError: 400 if it is no JSON object, 413 if it has far more lists than rows may come.
    """

    def __init__(self, body: bytes, max_rows: int) -> None:
        self._num_lists = _count(body, "[")
        self._max_rows = max_rows
        self._check_number(self._num_lists)
        self._num_read = 0
        self._has_missing = False
        parsed = self._parse(body)
        if not is_object(parsed):
            raise bad_request(f"JSON Value: {describe(parsed)} Is not object")
        self.members: Mapping[str, Any] = parsed

    def _parse(self, body: bytes) -> Any:
        if simdjson is not None:
            try:
                return simdjson.Parser().parse(body)
            except (ValueError, RuntimeError, UnicodeDecodeError):
                pass
            if b"NaN" in body and _STAND_IN not in body:
                try:
                    parsed = simdjson.Parser().parse(body.replace(b"NaN", _STAND_IN))
                    self._has_missing = True
                    return parsed
                except (ValueError, RuntimeError, UnicodeDecodeError):
                    pass
        self._check_number(self._num_lists + _count(body, "{"))
        return parse_slowly(body)

    def _check_number(self, num_lists: int) -> None:
        """Refuses what cannot be rows any more, before memory is taken for it."""
        if num_lists > 3 * self._max_rows + 100:
            raise too_many_rows(f"{num_lists} lists", self._max_rows)

    def array(self, value: Any, name: str, dtype: type = np.float32) -> np.ndarray:
        """Converts a nested list of numbers.

        Args:
            value: A member or a part of one.
            name: How to call it in messages.
            dtype: Of the result; what does not fit is infinite in it.

        Returns:
            An array of as many dimensions as there are levels of lists; missing values are NaN.

        Raises:
            RequestError: 400, if lists are ragged or a value is no number.
        """
        flat, shape, num_lists = _flat_buffer(value)
        if flat is None:
            flat, shape = collect(value, name)
            num_lists = _count_lists(shape)
        self._num_read += num_lists
        if self._has_missing:
            flat = np.where(flat == _MISSING, np.nan, flat)
        with np.errstate(over="ignore"):
            return flat.astype(dtype).reshape(shape)

    def texts_or_numbers(self, value: Any, name: str) -> list[Any]:
        """Converts a flat list that holds numbers only or texts only, such as times.

        Raises:
            RequestError: 400 for anything else.
        """
        if not is_list(value):
            raise bad_request(f"{name} is {describe(value)}, expected a list")
        items = list(value)
        kinds = {str if isinstance(item, str) else float for item in items}
        for index, item in enumerate(items):
            if isinstance(item, bool) or not isinstance(item, (int, float, str)):
                raise bad_request(f"{name}[{index}] is {describe(item)}, expected a number or text")
        if len(kinds) > 1:
            raise bad_request(f"{name} holds numbers and texts, expected one kind")
        self.count_list()
        if self._has_missing:
            return [math.nan if item == _MISSING else item for item in items]
        return items

    def count_list(self) -> None:
        """Says that one more list was read, by the caller."""
        self._num_read += 1

    def check_read(self, values: Mapping[str, Any]) -> None:
        """Makes sure that the quick conversions overlooked no list inside a row.

        Rows of the right length whose values are lists themselves may hold as many numbers as
        are expected. Then there are more lists in the body than were counted.

        Args:
            values: What was converted, by name.

        Raises:
            RequestError: 400, if there is one.
        """
        if self._num_lists != self._num_read:  # or there is a bracket in a text
            for name, value in values.items():
                collect(value, name)


def parse_slowly(body: bytes) -> Any:
    """Python's parser, which takes NaN and Infinity and says where a fault is.

    Raises:
        RequestError: 400 with the place.
    """
    if not body.strip():
        raise bad_request("JSON Parse error: The document is empty")
    try:
        return json.loads(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        message = f"JSON Parse error: not UTF-8 at offset: {error.start}"
    except json.JSONDecodeError as error:
        message = f"JSON Parse error: {error.msg} at offset: {error.pos}"
    except RecursionError:
        message = "JSON Parse error: nested too deeply"
    except ValueError as error:  # an integer of thousands of digits
        message = f"JSON Parse error: {error}"
    raise bad_request(message)


def _count(body: bytes, character: str) -> int:
    """`bytes.count`, several times as fast."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(character)))


def too_many_rows(what: str, max_rows: int) -> RequestError:
    return RequestError(
        413, f"{what} came, expected at most {max_rows} time steps in a request; send fewer at once"
    )


def is_list(value: Any) -> bool:
    return isinstance(value, list) or (simdjson is not None and isinstance(value, simdjson.Array))


def is_object(value: Any) -> bool:
    return isinstance(value, dict) or (simdjson is not None and isinstance(value, simdjson.Object))


def _flat_buffer(value: Any) -> tuple[np.ndarray | None, tuple[int, ...], int]:
    """The numbers of simdjson's nested lists, their shape and the number of lists.

    The shape is that of the first item at each level, and all lists of the outer levels have been
    compared with it. None if something does not fit: `collect` then tells what.
    """
    if simdjson is None or not isinstance(value, simdjson.Array):
        return None, (), 0
    shape, lists, first = [len(value)], [value], value
    while len(first) and isinstance(first[0], simdjson.Array):
        if len(shape) > 1:
            lists = [item for outer in lists for item in outer]
        sizes: set[int] = set()
        try:
            for outer in lists:
                sizes.update(map(len, outer))
        except TypeError:  # a number among lists
            return None, (), 0
        if len(sizes) != 1 or len(shape) == 3:
            return None, (), 0
        shape.append(sizes.pop())
        first = first[0]
    try:
        flat = np.frombuffer(value.as_buffer(of_type="d"))
    except (TypeError, ValueError, RuntimeError):
        return None, (), 0
    if flat.size != math.prod(shape):
        return None, (), 0
    return flat, tuple(shape), _count_lists(tuple(shape))


def _count_lists(shape: tuple[int, ...]) -> int:
    """How many lists make an array of a shape: (2, 3, 4) is 1 + 2 + 6."""
    return sum(math.prod(shape[:level]) for level in range(len(shape)))


def collect(value: Any, name: str) -> tuple[np.ndarray, tuple[int, ...]]:
    """Walks over every value of nested lists.

    Args:
        value: Lists of Python or simdjson, or a number.
        name: How to call it in messages.

    Returns:
        The numbers, flat, float64, and their shape.

    Raises:
        RequestError: 400 at the first value that is no number or list that is ragged.
    """
    shape: list[int] = []
    first = value
    while is_list(first) and len(shape) < 4:
        shape.append(len(first))
        if not len(first):
            break
        first = first[0]
    numbers: list[float] = []
    _collect_level(value, name, shape, 0, numbers)
    return np.array(numbers, np.float64), tuple(shape)


def _collect_level(
    value: Any, place: str, shape: Sequence[int], level: int, numbers: list[float]
) -> None:
    if level == len(shape):
        numbers.append(_number(value, place))
        return
    if not is_list(value):
        raise bad_request(f"{place} is {describe(value)}, expected a list of {shape[level]}")
    if len(value) != shape[level]:
        raise bad_request(
            f"{place} has {len(value)} values, expected {shape[level]} as in the first such list; "
            "all lists of a level must have one length"
        )
    for index, item in enumerate(value):
        _collect_level(item, f"{place}[{index}]", shape, level + 1, numbers)


def _number(value: Any, place: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    raise bad_request(f"{place} is {describe(value)}, expected a number, or NaN where missing")


def describe(value: Any) -> str:
    """A parsed value in a few words, for messages."""
    if is_list(value):
        return "a list"
    if is_object(value):
        return "an object"
    name = _TYPE_NAMES.get(type(value), "a number")
    if isinstance(value, str):
        value = value.replace(_STAND_IN.decode(), "NaN")
    elif value == _MISSING:
        value = math.nan
    return f"{name} ({shorten(json.dumps(value), 40)})" if isinstance(value, (str, float)) else name
