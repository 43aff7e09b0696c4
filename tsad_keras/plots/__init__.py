"""The figures of a report. Figure objects only: no pyplot, so no global state and no display."""

from tsad_keras.plots.attention import plot_attention
from tsad_keras.plots.comparison import plot_critical_difference, plot_means
from tsad_keras.plots.drawing import save_figure
from tsad_keras.plots.scores import plot_scores, plot_stretch
from tsad_keras.plots.summaries import (
    plot_alarm_features,
    plot_confusion_matrix,
    plot_distributions,
)
from tsad_keras.plots.training import plot_training_curves

__all__ = [
    "plot_alarm_features",
    "plot_attention",
    "plot_confusion_matrix",
    "plot_critical_difference",
    "plot_distributions",
    "plot_means",
    "plot_scores",
    "plot_stretch",
    "plot_training_curves",
    "save_figure",
]
