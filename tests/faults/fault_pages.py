"""Kills while a study goes on, its page is drawn and written, and it is exported.

The page is the real one, drawn with time standing still. What is exported goes beside the study:
its events for TensorBoard, and the network of a run as a model's file and as ONNX.
"""

from __future__ import annotations

import random
from pathlib import Path

import fault_trials
from fault_trials import Outcome, Trial

from triptych.records import StudyFolder
from triptych.runner import StudyResult, read_result
from triptych.runner.inputs import load_for
from triptych.saved.making import model_of_run
from triptych.tracking import event_files, export_tensorboard, figures

_STUDY = "mlp-numpy"
_DRAW = StudyResult.to_html


def pages(count: int, seed: str = "0") -> Outcome:
    """Kill a study, its page and its exports at random times, `count` times in all."""
    trial = Trial(_STUDY, make=make_all)
    trial.outcome.study = "page"
    draw = random.Random(seed)
    while trial.outcome.trials < count:
        trial.kill_until_done(draw)
    return trial.close()


def make_all(text: str, folder: Path) -> None:
    """Run a study to its end, with its real page, and export it in every way."""
    StudyResult.to_html = _DRAW
    for module in (event_files, figures):  # else the time at which a result was written
        module.ended = lambda *_: 0.0
    fault_trials.make(text, folder)
    result, out = read_result(folder), folder.parent
    export_tensorboard(result.record, result.verdicts, out / "tensorboard")
    arm = result.record.study.arms["a"]
    run = StudyFolder(folder).run("a", 0)
    model = model_of_run(arm, load_for(arm, 0, None), run.weights())
    model.save(out / "model.safetensors")
    model.to_onnx(out / "model.onnx")
