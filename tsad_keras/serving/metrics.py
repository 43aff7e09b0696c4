"""Counters of one server, in Prometheus' text form."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Everything that `/metrics` shows, in a registry of its own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "tsad_requests", "Answered requests", ["endpoint", "code"], registry=registry
        )
        self.seconds = Histogram(
            "tsad_request_seconds",
            "Time from the request's head to its answer",
            ["endpoint"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.bodies = Counter("tsad_bodies", "Requests read to their end", registry=registry)
        self.batch_requests = Histogram(
            "tsad_batch_requests", "Requests that shared a pass", buckets=_SIZES, registry=registry
        )
        self.batch_size = Histogram(
            "tsad_batch_size",
            "Items of the first axis in a pass: windows or series",
            buckets=_SIZES,
            registry=registry,
        )
        self.queue_length = Gauge(
            "tsad_queue_length", "Requests that wait for the model", registry=registry
        )
        self.model_seconds = Counter(
            "tsad_model_seconds", "Time spent in the model", registry=registry
        )
        self.rows = Counter("tsad_rows", "Time steps scored", ["kind"], registry=registry)
        self.abandoned = Counter(
            "tsad_abandoned_requests",
            "Requests whose client had gone before the model took them",
            registry=registry,
        )
        self.streams = Gauge("tsad_streams", "Streams that are kept", registry=registry)
        self.expired_streams = Counter(
            "tsad_expired_streams", "Streams dropped for want of rows", registry=registry
        )
        self.version_available = Gauge(
            "tsad_version_available", "1 if it answers", ["version"], registry=registry
        )
        self.loads = Counter(
            "tsad_version_loads", "Attempts to load a version", ["result"], registry=registry
        )
        ProcessCollector(registry=registry)

    def show_versions(self, versions: list[int]) -> None:
        """Sets which versions answer."""
        self.version_available.clear()
        for version in versions:
            self.version_available.labels(str(version)).set(1)

    def text(self) -> bytes:
        return generate_latest(self._registry)
