"""What the numbers of a report mean, in a sentence or two each."""

from __future__ import annotations

POINT_ADJUSTMENT_WARNING = (
    "**PA-F1 proves nothing.** Point adjustment counts a whole event as found when one of its time "
    "steps is alarmed, so long events are found by chance: compare the Random row. It stands here "
    "only because the literature prints it, and with a threshold chosen by the labels (oracle)."
)

METRIC_MEANINGS = (
    "**VUS-PR, VUS-ROC**: area under the precision-recall and the ROC surface, averaged over "
    "tolerances of 0 to 100 time steps around the borders of events; no threshold is involved. "
    "VUS-PR is the number to compare by.",
    "**AP, ROC-AUC**: the same areas without any tolerance. The floor of AP is the share of "
    "anomalous time steps, that of ROC-AUC is 0.5.",
    "**best F1 (oracle)**: point-wise F1 at the threshold that the test labels would choose, hence "
    "out of reach in practice. Its floor is always-alarm.",
    "**precision, recall, F1**: point-wise, no adjustment, at the threshold chosen without "
    "labels: what an operator would have got.",
    "**event F1**: the same decisions counted in events: recall is the share of true events with "
    "at least one alarmed step, precision the share of alarms that touch a true event. A single "
    "endless alarm reaches 1, so read it together with F1.",
    "**affiliation F1**: how near alarms and true events lie to each other in time, compared with "
    "alarms at random; it forgives much, so read it beside the Random and the Always alarm row.",
    POINT_ADJUSTMENT_WARNING,
)

THRESHOLD_RULES = {
    "pot": "peaks over threshold: a generalised Pareto tail fitted to the validation scores",
    "percentile": "the empirical quantile of the validation scores",
    "sigma": "mean plus z standard deviations of the logarithms of the validation scores",
}

STATISTIC_MEANINGS = (
    "Reconstruction error: mean over the features of the squared error, in scaled units (1 = the "
    "train variance). Realism: the discriminator's D, 1 = like training data. Both before "
    "calibration, combination and smoothing. Anomaly score: after them; it is what the "
    "threshold is compared with."
)

STRETCH_MEANING = (
    "Best stretch: of those around a true event, if possible those that begin and end in normal "
    "time, the highest share of alarmed anomalous steps minus share of alarmed normal steps; very "
    "short events count less. Worst stretch: around an event or an alarm, with a quarter of normal "
    "steps if possible, the most wrong decisions, missed or falsely alarmed."
)

GROUP_MEANING = (
    "An alarm is a run of alarmed time steps; alarms with at most half a window between them stand "
    "here as one group, with the features of its highest peak. `results_summary.json` has every "
    "single alarm."
)

EXPLANATION_MEANING = (
    "Contributions that sum to the score are ranked in each true segment, found or not, and "
    "compared with the features that the data's authors list for it. HitRate@100 %: of a segment "
    "with g true features, how many of the first g are true. NDCG@5: how far up the true ones are "
    "among the first five. Means over the segments; by the mean contributions of a segment, and at "
    "the time step where its contributions sum to the most. Squared z-score: by training mean and "
    "standard deviation. Random order: its exact mean."
)

DRIFT_MEANING = (
    "Distance of each feature's mean on test from its mean on train, in train standard deviations; "
    "no labels take part, so anomalies count, too."
)
