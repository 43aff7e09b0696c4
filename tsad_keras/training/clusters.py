"""Where replicas are: devices of this process, or the processes of `TF_CONFIG`."""

from __future__ import annotations

import contextlib
import json
import os

import tensorflow as tf

from tsad_keras.errors import InputError

_SILENT_SECONDS = 60


def mirrored(num_replicas: int | None) -> tf.distribute.MirroredStrategy:
    """Replicas on the GPUs of this machine, or on the CPU, where 2 are made if no number is given.

    Raises:
        InputError: If TensorFlow has computed something before replicas of the CPU were made.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        chosen = gpus[: num_replicas or len(gpus)]
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(len(chosen))])
    count = num_replicas or 2
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or [cpu]) != count:
        try:
            tf.config.set_logical_device_configuration(
                cpu, [tf.config.LogicalDeviceConfiguration()] * count
            )
        except RuntimeError as error:
            raise InputError(
                f"TensorFlow runs already and cannot make {count} replicas of this CPU; make the "
                "Distribution before anything is computed"
            ) from error
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(count)])


def place_in_cluster(num_replicas: int | None) -> tuple[int, int]:
    """The number of this worker, and how many there are, by `TF_CONFIG`."""
    if num_replicas is not None:
        raise InputError(
            "--replicas came with the strategy multi-worker, expected it with mirrored: TF_CONFIG "
            "lists the workers; leave it out"
        )
    task = {"type": "worker", "index": 0}
    example = json.dumps({"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": task})
    text = os.environ.get("TF_CONFIG", "")
    try:
        found = json.loads(text)
        workers = found["cluster"]["worker"]
        task = found["task"]
        index = int(task["index"])
        if task["type"] != "worker" or set(found["cluster"]) != {"worker"}:
            raise ValueError("expected workers only; worker 0 is the chief")
        if not 0 <= index < len(workers):
            raise ValueError(f"index {index} of {len(workers)} workers")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"TF_CONFIG is {text or 'not set'!r} ({type(error).__name__}: {error}), expected one "
            f"such as {example}; set it on every worker, each with its own index"
        ) from error
    return index, len(workers)


def be_patient(num_workers: int) -> None:
    """Lets a worker be silent for longer than TensorFlow's ten seconds before it counts as lost.

    On a loaded machine a start can take so long. There is no public setting; where TensorFlow's
    inside has changed, its own value stays.
    """
    with contextlib.suppress(ImportError, AttributeError, TypeError, ValueError):
        from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
        from tensorflow.python.eager import context

        context.context().configure_coordination_service(
            service_type="standalone",
            service_leader="/job:worker/replica:0/task:0",
            coordinated_jobs=[CoordinatedJob(name="worker", num_tasks=num_workers)],
            heartbeat_timeout_in_ms=_SILENT_SECONDS * 1000,
        )
