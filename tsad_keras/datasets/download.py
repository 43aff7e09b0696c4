"""Fetching the published files, checked against their hashes, resumable, never half in place.

`sources.tsv` beside this module lists repository, commit, path and git blob SHA-1 of each file. A
file is fetched into `<name>.part`, checked as a whole, and only then renamed to its name.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from tsad_keras.errors import InputError

logger = logging.getLogger(__name__)

BASE_URL = "https://raw.githubusercontent.com"
NAMES = ("psm", "smd", "smap", "msl", "skab")
MAX_BYTES = 500_000_000
MIN_BYTES_A_SECOND = 100
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Source:
    """One published file: where it is, what it must hash to, and where it goes."""

    datasets: tuple[str, ...]
    repository: str
    commit: str
    path: str
    git_blob_sha1: str
    local_path: str


class _Transient(Exception):
    """A failure after which trying again can help."""


def list_sources(name: str) -> list[Source]:
    """Lists the files of a dataset.

    Args:
        name: One of `NAMES`, or `"all"`.

    Raises:
        InputError: For an unknown name.

    Example:
        >>> [source.local_path for source in list_sources("psm")]
        ['PSM/test.csv', 'PSM/test_label.csv', 'PSM/train.csv']
    """
    if name not in (*NAMES, "all"):
        hint = "; synthetic data need no download" if name == "synthetic" else ""
        raise InputError(
            f"cannot download {name!r}, expected one of: {', '.join(NAMES)}, all{hint}"
        )
    text = resources.files("tsad_keras.datasets").joinpath("sources.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")][1:]
    sources = [Source(tuple(row[0].split(",")), *row[1:]) for row in rows]
    return [source for source in sources if name == "all" or name in source.datasets]


def git_blob_sha1(path: str | os.PathLike[str]) -> str:
    """Returns the hash git gives a file's content.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "empty"
        >>> path.touch()
        >>> git_blob_sha1(path)
        'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    digest = hashlib.sha1(b"blob %d\0" % Path(path).stat().st_size)
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def download(
    name: str,
    data_dir: str | os.PathLike[str] = "data",
    *,
    base_url: str = BASE_URL,
    progress: bool = True,
    timeout: float = 30.0,
    num_attempts: int = 4,
    retry_wait: float = 1.0,
    max_bytes: int = MAX_BYTES,
    sources: list[Source] | None = None,
) -> list[Path]:
    """Fetches the published files of a dataset; files already right are left alone.

    Args:
        name: `"psm"`, `"smd"`, `"smap"`, `"msl"`, `"skab"` or `"all"`.
        data_dir: Folder below which the files go, each under its published folder.
        base_url: Server with paths of the form `/{repository}/{commit}/{path}`; http or https.
        progress: Whether to show a progress bar on the standard error.
        timeout: Seconds without an answer, or at less than 100 bytes a second, that count as
            failed.
        num_attempts: How often each file is tried; a try goes on where the last one stopped.
        retry_wait: Seconds before the second try; doubled before each further one.
        max_bytes: Size above which a file is refused.
        sources: Files to fetch instead of those of `name`.

    Returns:
        Paths of all files of the dataset.

    Raises:
        InputError: If a file cannot be fetched, is not the published one or cannot be written. What
            is complete stays, so the same command goes on from there.
    """
    from tqdm import tqdm

    if urllib.parse.urlsplit(base_url).scheme not in ("http", "https"):
        raise InputError(f"base_url is {base_url!r}, expected a http:// or https:// address")
    sources = list_sources(name) if sources is None else sources
    data_dir = Path(data_dir)
    stand_in = data_dir / "PSM" / "stand_in.json"
    if stand_in.exists() and any("psm" in source.datasets for source in sources):
        raise InputError(
            f"{stand_in} says that the PSM files beside it are a stand-in, expected no such file; "
            "delete that folder or choose another --data-dir"
        )
    paths = []
    with tqdm(sources, desc=f"download {name}", unit="file", disable=not progress) as bar:
        for source in bar:
            target = _safe_target(data_dir, source.local_path)
            path = urllib.parse.quote(f"{source.repository}/{source.commit}/{source.path}")
            fetcher = _Fetcher(
                url=f"{base_url.rstrip('/')}/{path}",
                target=target,
                sha1=source.git_blob_sha1,
                timeout=timeout,
                max_bytes=max_bytes,
                report=lambda size, name=source.local_path: bar.set_postfix_str(
                    f"{name} {size / 1e6:.1f} MB"
                ),
            )
            try:
                fetcher.fetch(num_attempts, retry_wait)
            except OSError as error:
                raise InputError(
                    f"cannot write {target}: {error.strerror or error}; free some space or choose "
                    "a folder you may write to with --data-dir"
                ) from error
            paths.append(target)
    return paths


def _safe_target(data_dir: Path, local_path: str) -> Path:
    """Returns where a file goes; refuses anything that would leave the data folder."""
    parts = PurePosixPath(local_path).parts
    if not parts or local_path.startswith("/") or re.search(r"\\|:|\0", local_path):
        raise InputError(f"unsafe path {local_path!r} in sources.tsv, expected a relative one")
    if ".." in parts or not (data_dir / local_path).resolve().is_relative_to(data_dir.resolve()):
        raise InputError(f"path {local_path!r} leaves {data_dir}, expected one inside it")
    return data_dir / local_path


@dataclass
class _Fetcher:
    """Fetches one file."""

    url: str
    target: Path
    sha1: str
    timeout: float
    max_bytes: int
    report: Callable[[int], object]

    @property
    def part(self) -> Path:
        """Where the bytes go until they are complete."""
        return self.target.with_name(self.target.name + ".part")

    def fetch(self, num_attempts: int, retry_wait: float) -> None:
        """Puts the file in place, trying several times.

        Raises:
            InputError: If it could not be fetched.
            OSError: If it could not be written.
        """
        if self.target.is_dir():
            raise InputError(f"{self.target} is a folder, expected a file; move it away")
        if self.target.exists():
            if git_blob_sha1(self.target) == self.sha1:
                return
            logger.warning("%s is not the published file and is fetched again", self.target)
        self.target.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(num_attempts):
            try:
                self._receive()
                if git_blob_sha1(self.part) == self.sha1:
                    self.part.replace(self.target)
                    return
                self.part.unlink()
                raise _Transient("its content is not what was published (the hash differs)")
            except _Transient as error:
                reason = str(error)
                logger.info("%s: %s (try %d of %d)", self.url, reason, attempt + 1, num_attempts)
                if attempt + 1 < num_attempts:
                    time.sleep(retry_wait * 2**attempt)
        raise self._failed(reason)

    def _failed(self, reason: str) -> InputError:
        return InputError(
            f"cannot fetch {self.url} ({reason}); try again later, or without a network fetch that "
            f"address by another way and put the file at {self.target}, then run the same command"
        )

    def _receive(self) -> None:
        """Adds to the part file until it is as long as the server says."""
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"User-Agent": "tsad-keras", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        request = urllib.request.Request(self.url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                self._store(response, have)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and have:  # nothing is left to send: the hash decides
                    return
            if error.code in (408, 425, 429) or error.code >= 500:
                raise _Transient(f"the server answers {error.code}") from error
            raise self._failed(f"the server answers {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise _Transient(f"no connection: {error.reason}") from error
        except (TimeoutError, socket.timeout, http.client.HTTPException) as error:  # noqa: UP041
            raise _Transient(f"the answer stalled or broke off: {error or 'timeout'}") from error
        except ConnectionError as error:
            raise _Transient(f"the connection broke: {error}") from error

    def _store(self, response: http.client.HTTPResponse, have: int) -> None:
        """Writes the body of one answer behind what is there, or anew."""
        if urllib.parse.urlsplit(response.url).scheme not in ("http", "https"):
            raise self._failed(f"redirected to {response.url}")
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            self.part.unlink(missing_ok=True)
            raise _Transient("the server sent another range than asked for")
        size = have if resumed else 0
        length = response.headers.get("Content-Length", "")
        expected = size + int(length) if length.isdigit() else None
        if (expected or 0) > self.max_bytes:
            raise self._failed(f"{expected} bytes are more than the {self.max_bytes} allowed")
        began, received = time.monotonic(), 0
        with self.part.open("ab" if resumed else "wb") as file:
            while chunk := response.read1(_CHUNK_BYTES):
                file.write(chunk)
                size += len(chunk)
                received += len(chunk)
                self.report(size)
                if size > self.max_bytes:
                    file.truncate(0)
                    raise self._failed(f"more than the {self.max_bytes} bytes allowed")
                if time.monotonic() - began > self.timeout:
                    if received < MIN_BYTES_A_SECOND * self.timeout:
                        raise _Transient("the answer is too slow")
                    began, received = time.monotonic(), 0
        if expected is not None and size < expected:
            raise _Transient(f"the answer was cut off after {size} of {expected} bytes")
