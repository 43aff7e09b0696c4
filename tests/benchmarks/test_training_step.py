"""FLOPs by hand are those of the graph, and PyTorch's model is of the same size."""

import keras
import pytest


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("training_step")


@pytest.fixture(scope="module")
def step_and_batch(script):
    return script.make_step_and_batch(script.RECONSTRUCTION)


def test_flops_by_hand_are_those_of_the_graph(script, step_and_batch):
    step, batch = step_and_batch
    counted = script.graph_flops(step.train_step.get_concrete_function(batch))
    # What is no matrix product (norms, softmax, optimizer) is the rest.
    assert script.flops_by_hand() == pytest.approx(counted, rel=0.03)


def test_the_networks_see_64_windows_of_the_stated_shape(script, step_and_batch):
    _, batch = step_and_batch
    assert batch["view_a"].shape == (script.BATCH // 2, script.WINDOW_SIZE, script.NUM_FEATURES)
    assert batch["mask_b"].dtype.name == "bool"


@pytest.mark.slow
def test_pytorch_has_as_many_weights(script):
    pytest.importorskip("torch")
    step, score, _ = script._torch_cases()
    network = next(c.cell_contents for c in step.__closure__ if hasattr(c.cell_contents, "norms"))
    theirs = sum(p.numel() for p in network.parameters() if p.requires_grad)
    ours, _ = script.make_step_and_batch(script.RECONSTRUCTION)
    autoencoder = next(v for v in vars(ours).values() if isinstance(v, keras.Model))
    assert theirs == autoencoder.count_params()
    assert score().shape == (script.BATCH, script.WINDOW_SIZE, script.NUM_FEATURES)


@pytest.mark.slow
def test_the_table_has_ratios_within_rounds(script, capsys):
    seconds = {"reconstruction only": [0.1, 0.2], "PyTorch": [0.2, 0.4]}
    rows = script._table(seconds, 64, "windows", peak=1e12, flops=script.flops_by_hand())
    assert rows["reconstruction only"]["of_torch"] == 2.0
    assert rows["PyTorch"]["of_first"] == 0.5
    share = script.flops_by_hand() / 0.15 / 1e12
    assert rows["reconstruction only"]["share_of_peak"] == pytest.approx(share)
    assert "PyTorch" in capsys.readouterr().out
