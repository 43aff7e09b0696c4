"""Checks of an export that need neither a server nor the model that it was made of."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tsad_keras.detector import ContrastiveGANDetector
from tsad_keras.errors import InputError
from tsad_keras.export.reference import make_reference
from tsad_keras.export.requests import (
    SIGNATURES,
    TOLERANCE,
    Request,
    bad_requests,
    difference,
    reference_requests,
)
from tsad_keras.export.running import read_signatures, run_worker, shape_of
from tsad_keras.export.tflite import TFLITE_FILE, tflite_difference
from tsad_keras.export.warmup import WARMUP_FILE, read_warmup
from tsad_keras.export.writer import REFERENCE_FILE, hash_files
from tsad_keras.files import read_arrays
from tsad_keras.inference.export_folders import find_version, read_metadata
from tsad_keras.thresholds import series_threshold


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: Of the check.
        passed: Whether all was as it should be.
        detail: The measured difference, or what is wrong; one line.
    """

    name: str
    passed: bool
    detail: str


class _CheckError(Exception):
    """Says what is wrong."""


def verify_export(
    directory: str | os.PathLike[str], detector: ContrastiveGANDetector | None = None
) -> list[CheckResult]:
    """Loads an export as TensorFlow Serving does and compares it with the detector's answers.

    Args:
        directory: A version folder, or the folder above it, of which the highest version is taken.
        detector: The detector that it was made of, if at hand: it answers further questions.

    Returns:
        The checks that were made, in order. If the files themselves are not right, nothing is run.

    Raises:
        InputError: If there is no export in the folder.
    """
    check = _Verification(find_version(directory), detector)
    results = [
        _run("metadata", check.metadata),
        _run("files", check.files),
        _run("signatures", check.signatures),
        _run("reference", check.read_reference),
    ]
    if detector is not None:
        results.append(_run("same model", check.same_model))
    if all(result.passed for result in results):
        results.append(_run("session mode", check.run_session))
    if results[-1].passed and results[-1].name == "session mode":
        results += [_run(name, check.answers_of(name)) for name in SIGNATURES]
        results.append(_run("decisions", check.decisions))
        results.append(_run("wrong requests", check.wrong_requests))
        results.append(_run("warm-up", check.warmup))
        results.append(_run("without Keras", check.without_keras))
        if (check.folder / TFLITE_FILE).exists():
            results.append(_run("TFLite", check.tflite))
    return results


def _run(name: str, check: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, True, check())
    except Exception as error:  # whatever damage brings about is a finding, not a crash
        text = " ".join(str(error).split())[:400]
        known = isinstance(error, (_CheckError, InputError))
        return CheckResult(name, False, text if known else f"{type(error).__name__}: {text}")


class _Verification:
    """The checks of one version folder; the later ones need what the earlier ones read."""

    def __init__(self, folder: Path, detector: ContrastiveGANDetector | None) -> None:
        self.folder = folder
        self._detector = detector
        self._reference: dict[str, np.ndarray] = {}
        self._requests: dict[str, list[Request]] = {}  # by kind
        self._answers: dict[str, list[tuple[dict[str, Any], dict[str, np.ndarray]]]] = {}

    # --- the files -------------------------------------------------------------------------------

    def metadata(self) -> str:
        self._metadata = read_metadata(self.folder)
        names, width = self._metadata["feature_names"], self._metadata["num_features"]
        config = self._metadata["config"]
        _demand(len(names) == width, f"{len(names)} feature_names, expected {width}")
        size = self._metadata["window_size"]
        _demand(config["window_size"] == size, f"window_size {size} is not that of its config")
        written, used = np.float32(self._metadata["threshold"]), self._graph_threshold()
        _demand(written == used, f"threshold {written}, expected {used} as in the graph")
        _demand(np.isfinite(self._metadata["causal_threshold"]), "no causal_threshold")
        rate = self._metadata["expected_false_alarm_rate"]
        _demand(0 < rate < 1, f"expected_false_alarm_rate {rate}, expected between 0 and 1")
        return f"{width} features, windows of {size}, threshold {used:.6g} as in the graph"

    def _graph_threshold(self) -> np.float32:
        reader = tf.train.load_checkpoint(str(self.folder / "variables" / "variables"))
        return reader.get_tensor("threshold/.ATTRIBUTES/VARIABLE_VALUE")

    def files(self) -> str:
        expected, found = self._metadata["files_sha256"], hash_files(self.folder)
        for name in sorted({*expected, *found}):
            _demand(name in found, f"{name} is missing")
            _demand(name in expected, f"{name} is not of this export")
            _demand(expected[name] == found[name], f"{name} has been changed since the export")
        size = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        return f"{len(found)} hashes match, {size / 1e6:.1f} MB in all"

    def signatures(self) -> str:
        size, width = self._metadata["window_size"], self._metadata["num_features"]
        found = read_signatures(self.folder)
        for name, (argument, rank, outputs) in SIGNATURES.items():
            _demand(name in found, f"there is no signature {name}")
            signature = found[name]
            _demand(
                list(signature.inputs) == [argument], f"{name} has inputs other than {argument}"
            )
            shape = shape_of(signature.inputs[argument])
            lengths = [size] if argument == "windows" else [-1]
            _demand(shape == [-1, *lengths, width][3 - rank :], f"{name} takes {shape}")
            _demand(sorted(signature.outputs) == sorted(outputs), f"{name} has other outputs")
            for output, output_rank in outputs.items():
                info = signature.outputs[output]
                dtype = tf.bool if output == "is_anomaly" else tf.float32
                _demand(info.dtype == dtype.as_datatype_enum, f"{name}: {output} has another type")
                shape = shape_of(info)
                right = len(shape) == output_rank and shape[0] == -1
                _demand(right, f"{name}: {output} has shape {shape}, expected {output_rank} dims")
        return f"{', '.join(SIGNATURES)}: names, types and shapes, no scalar output"

    def read_reference(self) -> str:
        self._reference, _ = read_arrays(self.folder / REFERENCE_FILE)
        self._requests["stored"] = reference_requests(self._reference)
        shape = self._reference["series"].shape
        _demand(shape[1] == self._metadata["num_features"], f"its series has shape {shape}")
        return f"{len(self._requests['stored'])} requests with the detector's answers"

    def same_model(self) -> str:
        written, own = self._metadata["weights_sha256"], self._detector.weights_sha256_
        _demand(written == own, f"weights_sha256 {written[:12]}..., the model's is {own[:12]}...")
        for name in ("threshold", "causal_threshold"):
            value, expected = self._metadata[name], getattr(self._detector, f"{name}_")
            _demand(value == expected, f"{name} is {value}, the model's is {expected}")
        reference = make_reference(self._detector, seed=1, num_windows=5)
        self._requests["live"] = reference_requests(reference)
        return f"weights_sha256 {own[:12]}..., {len(self._requests['live'])} further requests"

    # --- the session -----------------------------------------------------------------------------

    def run_session(self) -> str:
        """Runs every request in one process, which loads as a server does."""
        size, width = self._metadata["window_size"], self._metadata["num_features"]
        self._requests["bad"] = bad_requests(size, width)
        self._requests["warm-up"] = self._warmup_requests()
        found = read_signatures(self.folder)
        header, arrays = [], {}
        for request in (item for items in self._requests.values() for item in items):
            tensor = found[request.signature].inputs[SIGNATURES[request.signature][0]].name
            arrays[str(len(header))] = request.values
            header.append({"signature": request.signature, "tensor": tensor})
        outputs, outcomes = run_worker("session", self.folder, arrays, header)
        grouped: list[dict[str, np.ndarray]] = [{} for _ in outcomes]
        for name, value in outputs.items():
            number, _, output = name.partition("/")
            grouped[int(number)][output] = value
        answered = iter(zip(outcomes, grouped, strict=True))
        for kind, requests in self._requests.items():
            self._answers[kind] = [next(answered) for _ in requests]
        return f"loaded in a process of its own, {len(header)} requests"

    def _warmup_requests(self) -> list[Request]:
        requests = []
        with contextlib.suppress(Exception):  # the check of the warm-up says what is wrong
            for signature, inputs in read_warmup(self.folder / WARMUP_FILE):
                requests.append(Request(signature, inputs[SIGNATURES[signature][0]]))
        return requests

    def _answered(self, *kinds: str) -> Iterator[tuple[Request, dict[str, np.ndarray]]]:
        for kind in kinds:
            requests = self._requests.get(kind, [])
            for request, (outcome, outputs) in zip(
                requests, self._answers.get(kind, ()), strict=True
            ):
                shape = request.values.shape
                _demand(outcome["code"] == 0, f"{request.signature} {shape}: {outcome['message']}")
                yield request, outputs

    def _difference(self, output: str, actual: np.ndarray, expected: np.ndarray) -> float:
        if output == "reconstruction":
            return difference(actual, expected, self._reference["scale"])
        if output == "forecast_error":
            # A forecast misses large values by little, and squares double what rounding leaves.
            with np.errstate(invalid="ignore"):
                return difference(np.sqrt(actual), np.sqrt(expected))
        return difference(actual, expected)

    def answers_of(self, name: str) -> Callable[[], str]:
        """Returns the check of one signature against the detector's answers."""

        def check() -> str:
            largest, shapes = 0.0, []
            for request, outputs in self._answered("stored", "live"):
                if request.signature != name:
                    continue
                shapes.append(
                    "x".join(map(str, request.values.shape[: 3 - (name == "score_series")]))
                )
                for output, expected in request.expected.items():
                    off = self._difference(output, outputs[output], expected)
                    largest = max(largest, off)
                    _demand(
                        off <= TOLERANCE, f"{output} of {request.values.shape} is {off:.2g} off"
                    )
                rows = {len(value) for value in outputs.values()}
                _demand(rows == {len(request.values)}, f"the outputs have {rows} rows")
            return f"largest difference {largest:.1e} over {', '.join(dict.fromkeys(shapes))}"

        return check

    def decisions(self) -> str:
        chosen, count, alarms = np.float32(self._metadata["threshold"]), 0, 0
        for request, outputs in self._answered("stored", "live"):
            if "is_anomaly" not in outputs:
                continue
            whole = request.signature in ("score_series", "score_batch")
            rate = self._metadata["config"].get("max_alarm_rate", 1.0) if whole else 1.0
            names = ("anomaly_score", "is_anomaly")
            for scores, decided in zip(*(np.atleast_2d(outputs[n]) for n in names), strict=True):
                threshold = series_threshold(scores, chosen, rate)
                # The graph's interpolated quantile may be rounded in another way.
                clear = (np.abs(scores - threshold) > TOLERANCE) | (threshold == chosen)
                same = np.array_equal(decided[clear], (scores >= threshold)[clear])
                _demand(same, f"is_anomaly of {request.signature} does not follow the threshold")
                count, alarms = count + scores.size, alarms + int(decided.sum())
        return f"{alarms} alarms in {count} decisions, all at scores >= {chosen:.6g}"

    def wrong_requests(self) -> str:
        for request, (outcome, _) in zip(self._requests["bad"], self._answers["bad"], strict=True):
            code = outcome["code"]
            what = f"{request.signature} of shape {request.values.shape}"
            _demand(code == tf.errors.INVALID_ARGUMENT, f"{what} gets code {code}")
        return f"{len(self._requests['bad'])} of wrong length or width: INVALID_ARGUMENT each"

    def warmup(self) -> str:
        requests = list(read_warmup(self.folder / WARMUP_FILE))
        for signature, inputs in requests:
            argument = SIGNATURES[signature][0]
            _demand(list(inputs) == [argument], f"{signature} is not given {argument} alone")
        missing = set(SIGNATURES) - {signature for signature, _ in requests}
        _demand(not missing, f"no request for {', '.join(sorted(missing))}")
        count = len(list(self._answered("warm-up")))
        _demand(count == len(requests), f"{count} of {len(requests)} requests were run")
        return f"{count} requests replayed"

    # --- other ways to run it --------------------------------------------------------------------

    def without_keras(self) -> str:
        series = {"series": self._reference["series"]}
        outputs, loaded = run_worker("without-keras", self.folder, series, None)
        _demand(not loaded, f"{', '.join(loaded[:3])} was imported")
        off = max(
            difference(
                outputs["anomaly_score"], self._reference[f"scores_{len(series['series'])}"]
            ),
            difference(outputs["contribution"], self._reference["contribution"]),
            difference(outputs["causal_score"], self._reference["causal_scores"]),
        )
        _demand(off <= TOLERANCE, f"the scores of load_export are {off:.2g} off")
        return f"load_export in a process of its own, causal scores too: difference {off:.1e}"

    def tflite(self) -> str:
        content = (self.folder / TFLITE_FILE).read_bytes()
        off = tflite_difference(content, self._reference)
        _demand(off <= TOLERANCE, f"its scores are {off:.2g} off")
        return f"difference {off:.1e}"


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise _CheckError(message)
