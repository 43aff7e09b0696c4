"""Which versions lie in the export folder, and which of them answer."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import threading
from pathlib import Path
from typing import Any

from tsad_keras.errors import InputError
from tsad_keras.inference.export_folders import list_versions
from tsad_keras.serving.answers import RequestError
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.models import LoadedModel

logger = logging.getLogger(__name__)

_KEPT_STATES = 20  # of versions that answer no longer

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclasses.dataclass
class _State:
    """What `GET /v1/models/NAME` tells about a version, in TensorFlow Serving's words."""

    state: str
    error_code: str = "OK"
    error_message: str = ""

    def to_dict(self, version: int) -> dict[str, Any]:
        status = {"error_code": self.error_code, "error_message": self.error_message}
        return {"version": str(version), "state": self.state, "status": status}


class VersionManager:
    """Loads the latest versions of a folder and follows what happens to it.

    The set of loaded models is replaced as a whole, so a request sees the old or the new one;
    requests that are under way keep the model they began with.

    Args:
        export_dir: Folder of the versions `1`, `2` ...
        name: Of the model.
        num_versions: The latest so many answer.
        poll_seconds: Between looks at the folder.
        metrics: Where loads are counted.
    """

    def __init__(
        self,
        export_dir: Path,
        name: str,
        *,
        num_versions: int,
        poll_seconds: float,
        metrics: Metrics,
    ) -> None:
        self.name = name
        self._export_dir = export_dir
        self._num_versions = num_versions
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._models: dict[int, LoadedModel] = {}
        self._seen: dict[int, Fingerprint] = {}  # of the latest attempt to load
        self._states: dict[int, _State] = {}
        self._is_untidy = False  # whether a model was dropped since memory was last tidied
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # --- what requests ask -----------------------------------------------------------------------

    @property
    def versions(self) -> list[int]:
        """Numbers of the versions that answer, ascending."""
        return sorted(self._models)

    def get(self, name: str, version: int | None = None) -> LoadedModel:
        """Returns a version, by default the latest.

        Raises:
            RequestError: 404, in TensorFlow Serving's words.
        """
        models = self._models
        if name == self.name and models:
            chosen = max(models) if version is None else version
            if chosen in models:
                return models[chosen]
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise RequestError(404, f"Servable not found for request: {wanted}")

    def status(self, name: str, version: int | None = None) -> dict[str, Any]:
        """The body of `GET /v1/models/NAME`.

        Raises:
            RequestError: 404 for another name or version.
        """
        states = dict(self._states)
        if name != self.name:
            raise RequestError(404, f"Could not find any versions of model {name}")
        if version is not None:
            if version not in states:
                raise RequestError(404, f"Could not find version {version} of model {name}")
            states = {version: states[version]}
        numbers = sorted(states, reverse=True)
        return {"model_version_status": [states[number].to_dict(number) for number in numbers]}

    # --- following the folder --------------------------------------------------------------------

    def start(self) -> None:
        """Loads what is there, then follows the folder in a thread of its own.

        Raises:
            InputError: If no version can be loaded.
        """
        self.poll()
        if not self._models:
            failed = [state.error_message for state in self._states.values() if state.error_message]
            raise InputError(
                failed[-1]
                if failed
                else f"{self._export_dir} holds no exported version, expected a folder 1, 2 ... "
                "with saved_model.pb; run `export` first"
            )
        self._thread = threading.Thread(target=self._follow, name="versions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what is loaded stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def poll(self) -> None:
        """Looks at the folder once: loads, replaces and drops versions."""
        if not self._export_dir.is_dir():
            if self._models:  # a file system that is away for a while
                logger.warning("%s is not there; what is loaded stays", self._export_dir)
            return
        found = list_versions(self._export_dir)
        wanted: dict[int, LoadedModel] = {}
        for version in reversed(found):
            if len(wanted) == self._num_versions:
                break
            model = self._current(version)
            if model is not None:
                wanted[version] = model
        self._replace(wanted, found)

    def _follow(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                if self._is_untidy:  # a look later: nobody is under way with the old model
                    self._is_untidy = False
                    tidy_memory()
                self.poll()
            except Exception as error:  # the server goes on with what it has
                logger.warning("%s cannot be looked at: %s", self._export_dir, error)

    def _current(self, version: int) -> LoadedModel | None:
        """The model of a version as it lies in the folder; None if it cannot be loaded."""
        loaded = self._models.get(version)
        fingerprint = _fingerprint(self._export_dir / str(version))
        if self._seen.get(version) == fingerprint:
            return loaded
        self._seen[version] = fingerprint
        if loaded is None:
            self._states[version] = _State("LOADING")
        try:
            model = LoadedModel(self._export_dir / str(version), version)
            model.warm_up()
        except Exception as error:  # a broken version must not stop the others
            self._metrics.loads.labels("failed").inc()
            message = " ".join(str(error).split())
            logger.warning("version %d is not used: %s", version, message)
            state = "END" if loaded is None else "AVAILABLE"  # its former content still answers
            self._states[version] = _State(state, "FAILED_PRECONDITION", message)
            return loaded
        self._metrics.loads.labels("loaded").inc()
        logger.info("version %d is loaded", version)
        self._states[version] = _State("AVAILABLE")
        return model

    def _replace(self, wanted: dict[int, LoadedModel], found: list[int]) -> None:
        dropped = [version for version in self._models if version not in wanted]
        if wanted.keys() == self._models.keys() and all(
            wanted[version] is self._models[version] for version in wanted
        ):
            return
        before, self._models = self._models, wanted
        for model in before.values():
            model.is_retired = wanted.get(model.version) is not model
            self._is_untidy |= model.is_retired
        for version in dropped:
            self._seen.pop(version, None)
            self._states[version] = _State("END")
            logger.info("version %d answers no longer", version)
        gone = [v for v in sorted(self._states) if v not in wanted and v not in found]
        for version in gone[:-_KEPT_STATES]:
            del self._states[version]
            self._seen.pop(version, None)
        self._metrics.show_versions(self.versions)


def tidy_memory() -> None:
    """Frees unreachable objects, then takes the others out of the collector's sight.

    TensorFlow has a million of them. To look through them for garbage takes 0.1 s and more, in
    which nobody is answered, and they stay anyway.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _fingerprint(folder: Path) -> Fingerprint:
    """Names, sizes and times of all files of a version: it has changed if one of them has."""
    entries = []
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                status = (Path(root) / name).stat()
            except OSError:  # removed meanwhile
                continue
            entries.append((str(Path(root) / name), status.st_size, status.st_mtime_ns))
    return tuple(sorted(entries))
