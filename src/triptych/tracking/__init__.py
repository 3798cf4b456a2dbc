"""Recorded studies for those who track elsewhere: TensorBoard's event files, MLflow's stores.

Both are written from records, so that any study which was ever run can be exported. Neither package
is needed until then.
"""

from triptych.tracking.event_files import export_tensorboard
from triptych.tracking.live_events import LiveEvents
from triptych.tracking.mlflow_store import export_mlflow, require_mlflow

__all__ = ["LiveEvents", "export_mlflow", "export_tensorboard", "require_mlflow"]
