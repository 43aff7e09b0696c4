"""The files for TensorFlow Serving: they name one another, and the server's schema reads them."""

import re
from pathlib import Path

import pytest

import tsad_keras

DEPLOY = Path(tsad_keras.__file__).parents[1] / "deploy"


def test_every_file_that_the_containers_are_given_exists():
    text = (DEPLOY / "docker-compose.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"=/config/(\S+)", text))
    assert named == {"models.config", "batching_parameters.txt", "monitoring.config"}
    assert all((DEPLOY / name).is_file() for name in named)
    assert "\t" not in text


def test_ports_are_bound_to_this_machine_and_models_are_read_only():
    text = (DEPLOY / "docker-compose.yml").read_text(encoding="utf-8")
    ports = re.findall(r'- "(\S+):(\d+):(\d+)"', text)
    assert [inside for _, _, inside in ports] == ["8500", "8501"] * 2
    assert {address for address, _, _ in ports} == {"127.0.0.1"}
    assert re.search(r"- \$\{MODEL_DIR:-\.\./saved_models\}:/models:ro\n", text)


def test_only_the_second_server_batches():
    text = (DEPLOY / "docker-compose.yml").read_text(encoding="utf-8")
    first, second = text.split("  serving-batching:")
    assert "--enable_batching" not in first and "--enable_batching" in second


def test_the_servers_schema_reads_the_list_of_models():
    schema = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    text = (DEPLOY / "models.config").read_text(encoding="utf-8")
    (model,) = text_format.Parse(text, schema.ModelServerConfig()).model_config_list.config
    assert model.base_path == f"/models/{model.name}"
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 2


@pytest.mark.parametrize("name", ["batching_parameters.txt", "monitoring.config"])
def test_other_settings_are_fields_with_values(name):
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    fields = "\n".join(line.partition("#")[0].rstrip() for line in lines)
    assert re.fullmatch(r"(\s*\w+ \{ value: \d+ \}\s*|\s*\w+ \{(\s*\w+: \S+\s*)+\}\s*)+", fields)
