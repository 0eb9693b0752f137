"""Read-outs: what a network's spikes say about the image that it was shown."""

from __future__ import annotations

from gpurun.readout.assignment import Assignment, assign_labels
from gpurun.readout.ngram import NGram
from gpurun.readout.order import firing_order
from gpurun.readout.pictures import draw_confusions, draw_receptive_fields, weight_matrix
from gpurun.readout.prediction import METHODS, predict, votes
from gpurun.readout.scores import accuracy, confusion_matrix, report

__all__ = [
    "METHODS",
    "Assignment",
    "NGram",
    "accuracy",
    "assign_labels",
    "confusion_matrix",
    "draw_confusions",
    "draw_receptive_fields",
    "firing_order",
    "predict",
    "report",
    "votes",
    "weight_matrix",
]
