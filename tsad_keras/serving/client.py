"""A client of this server and of TensorFlow Serving, made of the standard library and NumPy."""

from __future__ import annotations

import http.client
import io
import json
import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import ArrayLike

Values = ArrayLike  # a DataFrame, too

_IDLE_SECONDS = 4.0  # an older connection may just be closed from the other side


class ServingError(Exception):
    """A server's refusal, or no answer at all.

    Args:
        status: The HTTP status code; 0 if there was no answer.
        message: What the server said.

    Attributes:
        status: See there.
        message: See there.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.message = message


class ServingClient:
    """Asks a server for scores. One connection is kept open; threads take turns on it.

    Args:
        url: Such as `"http://127.0.0.1:8501"`.
        model_name: As the server calls it.
        version: Which version; default the latest.
        token: Sent as bearer token; default none.
        timeout: Seconds for connecting and for each read.
        binary: Whether to send float32 in NumPy's format, which this project's server reads several
            times as fast as JSON and TensorFlow Serving does not know.

    Raises:
        ValueError: If the URL is not one of http or https.

    Example:
        >>> client = ServingClient("http://127.0.0.1:8501", "mine")
        >>> client.path(":predict")
        '/v1/models/mine:predict'
    """

    def __init__(
        self,
        url: str,
        model_name: str,
        *,
        version: int | None = None,
        token: str | None = None,
        timeout: float = 60.0,
        binary: bool = False,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the URL is {url!r}, expected http://HOST:PORT or https://HOST:PORT")
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else (http.client.HTTPConnection)
        )
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._address = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._model = f"/v1/models/{quote(model_name, safe='')}"
        self._version = "" if version is None else f"/versions/{int(version)}"
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._binary = binary
        self._lock = threading.Lock()
        self._last_used = 0.0

    # --- TensorFlow Serving's --------------------------------------------------------------------

    def status(self) -> list[dict[str, Any]]:
        """Versions and their states."""
        return self._ask("GET", self.path(""))["model_version_status"]

    def metadata(self) -> dict[str, Any]:
        """The signatures, as the server describes them."""
        return self._ask("GET", self.path("/metadata"))

    def predict(self, values: Values, signature_name: str) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
            values: Its input, NaN where missing.
            signature_name: Which.

        Returns:
            Its outputs by name.

        Raises:
            ServingError: If the server refuses or does not answer.
        """
        if self._binary:
            path = self.path(f":predict?signature_name={quote(signature_name, safe='')}")
            outputs = self._ask("POST", path, to_npy(np.asarray(values)))["outputs"]
        else:
            array = np.asarray(values, np.float64)
            body = {"signature_name": signature_name, "inputs": array.tolist()}
            outputs = self._ask("POST", self.path(":predict"), body)["outputs"]
        return {name: _as_array(value) for name, value in outputs.items()}

    def score_windows(self, windows: Values) -> dict[str, np.ndarray]:
        """Scores windows, each a series of its own.

        Args:
            windows: `(batch_size, window_size, num_features)` raw values, NaN where missing.

        Returns:
            `anomaly_score` and `is_anomaly`, `(batch_size, window_size)`.
        """
        return self.predict(windows, "score_windows")

    def score_series(self, series: Values) -> dict[str, np.ndarray]:
        """Scores one series.

        Args:
            series: `(num_timesteps, num_features)` raw values, NaN where missing.

        Returns:
            `anomaly_score` and `is_anomaly` `(num_timesteps,)`, `contribution`
            `(num_timesteps, num_features)`.
        """
        return self.predict(series, "score_series")

    def score_batch(self, batch: Values) -> dict[str, np.ndarray]:
        """Scores several series of one length.

        Args:
            batch: `(batch_size, num_timesteps, num_features)` raw values, NaN where missing.

        Returns:
            `anomaly_score` and `is_anomaly`, `(batch_size, num_timesteps)`.
        """
        return self.predict(batch, "score_batch")

    def reconstruct(self, windows: Values) -> dict[str, np.ndarray]:
        """What the networks make of windows.

        Args:
            windows: `(batch_size, window_size, num_features)` raw values, NaN where missing.

        Returns:
            `reconstruction` and `squared_error` `(batch_size, window_size, num_features)`,
            `realism` `(batch_size,)` and `embedding` `(batch_size, hidden_dim)`.
        """
        return self.predict(windows, "reconstruct")

    # --- only this project's server --------------------------------------------------------------

    def append(
        self, stream_id: str, rows: Values, timestamps: Sequence[Any] | None = None
    ) -> dict[str, Any]:
        """Appends rows to a stream.

        Args:
            stream_id: Which; a new one begins with its first rows.
            rows: `(num_rows, num_features)` raw values, NaN where missing.
            timestamps: A number, time or ISO 8601 text for each row, always or never.

        Returns:
            `anomaly_score`, `is_anomaly` and `rows`, `(num_kept,)` each: rows with a late or
            doubled time are dropped, `rows` has the numbers of those kept. Also `first_row`,
            `num_rows`, `model_version`, `events` that have ended, and `counts`.
        """
        body: dict[str, Any] = {"rows": np.asarray(rows, np.float64).tolist()}
        if timestamps is not None:
            body["timestamps"] = [_as_json_time(time) for time in timestamps]
        answer = self._ask("POST", f"{self._stream(stream_id)}:append", body)
        arrays = {"anomaly_score", "is_anomaly", "rows"}
        return {name: _as_array(v) if name in arrays else v for name, v in answer.items()}

    def stream_status(self, stream_id: str) -> dict[str, Any]:
        """What a stream has come to."""
        return self._ask("GET", self._stream(stream_id))

    def delete_stream(self, stream_id: str) -> None:
        """Drops a stream."""
        self._ask("DELETE", self._stream(stream_id))

    def info(self) -> dict[str, Any]:
        """What the export says of itself: feature names, window size, thresholds."""
        return self._ask("GET", self.path("/info"))

    # --- inside ----------------------------------------------------------------------------------

    def path(self, ending: str) -> str:
        """The path of the model and version with an ending such as `:predict`."""
        return f"{self._prefix}{self._model}{self._version}{ending}"

    def close(self) -> None:
        """Closes the connection; the next call opens it again."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> ServingClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stream(self, stream_id: str) -> str:
        return f"{self._prefix}{self._model}/streams/{quote(stream_id, safe='')}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = dict(self._headers)
        data = body
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/x-npy"
        elif body is not None:
            data = json.dumps(body).encode()
        with self._lock:
            status, reason, text = self._exchange(method, path, data, headers)
        try:
            answer = json.loads(text)
        except ValueError:
            line = " ".join(text[:200].decode("utf-8", "replace").split())
            raise ServingError(status, f"no JSON came from {self._address}: {line}") from None
        if status != 200:
            message = answer.get("error", reason) if isinstance(answer, dict) else reason
            raise ServingError(status, str(message))
        return answer

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str, bytes]:
        """Sends once: rows that were appended twice would be two rows."""
        if time.monotonic() - self._last_used > _IDLE_SECONDS:
            self._connection.close()
        try:
            self._connection.request(method, path, body=data, headers=headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise ServingError(0, f"no answer from {self._address}: {reason}") from error
        self._last_used = time.monotonic()
        return response.status, response.reason, text


def to_npy(values: np.ndarray) -> bytes:
    """The bytes of a `.npy` file with float32, in C order."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(values, np.float32), allow_pickle=False)
    return file.getvalue()


def _as_array(value: Any) -> np.ndarray:
    """float64, int64 or bool; null, which stands for NaN, becomes NaN again."""
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype == object else array


def _as_json_time(time_: Any) -> Any:
    if isinstance(time_, str):
        return time_
    if isinstance(time_, (int, float, np.integer, np.floating)):
        return time_.item() if isinstance(time_, np.generic) else time_
    return time_.isoformat() if hasattr(time_, "isoformat") else str(time_)
