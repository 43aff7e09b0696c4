"""The figure of the architecture: true numbers, text inside its boxes, a small file."""

from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from tsad_keras.config import Config
from tsad_keras.detector.networks import build_networks


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("architecture")


@pytest.fixture(scope="module")
def drawn(script):
    return script.draw(Config())


def test_parts_add_up_to_the_networks(script):
    facts = script.read_facts(Config())
    networks = build_networks(Config(), script.NUM_FEATURES)
    count = {name: fact["count"] for name, fact in facts.items()}
    encoder = count["embedding"] + count["encoder"] + count["decoder"]
    discriminator = count["patches"] + count["pooled"] + count["features"] + count["logits"]
    assert encoder == count["autoencoder"] == networks.autoencoder.count_params()
    assert discriminator == count["discriminator"] == networks.discriminator.count_params()
    assert count["projection"] == count["projection_head"]


def test_numbers_follow_the_settings(script):
    config = Config(window_size=60, patch_size=6, hidden_dim=32, num_layers=2, batch_size=8)
    _, boxes = script.draw(config)
    words = script.words(boxes)
    assert "(2B, 10, 32)" in words
    assert "2 blocks" in words
    assert "(B, 60, 38)" in words


def test_every_text_lies_inside_its_box(drawn):
    figure, boxes = drawn
    renderer = FigureCanvasAgg(figure).get_renderer()
    to_units = figure.axes[0].transData.inverted()
    for box, texts in boxes:
        for text in texts:
            extent = text.get_window_extent(renderer).transformed(to_units)
            assert box.x < extent.x0 and extent.x1 < box.x + box.width, text.get_text()
            assert box.y < extent.y0 and extent.y1 < box.y + box.height, text.get_text()


def test_no_two_boxes_overlap(drawn):
    boxes = [box for box, _ in drawn[1]]
    for index, a in enumerate(boxes):
        for b in boxes[index + 1 :]:
            apart_x = a.x + a.width <= b.x or b.x + b.width <= a.x
            apart_y = a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart_x or apart_y, (a.title, b.title)


def test_the_file_is_small(script, tmp_path, capsys):
    path = tmp_path / "docs" / "architecture.png"
    assert script.main(["--output", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 200_000
    assert str(path) in capsys.readouterr().out


def test_the_figure_in_docs_is_of_today_s_defaults(script, drawn):
    path = Path(script.__file__).resolve().parents[1] / "docs" / "architecture.png"
    with Image.open(path) as image:
        stored = image.text["words"]
    assert stored == script.words(drawn[1]), "run python benchmarks/architecture.py again"
