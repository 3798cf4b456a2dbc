"""scikit-learn's interface: the same parameter names, attributes and results, on every engine."""

from triptych.estimators.classifier import MLPClassifier
from triptych.estimators.cnn import CNNClassifier
from triptych.estimators.regressor import MLPRegressor
from triptych.estimators.rnn import RNNClassifier

__all__ = ["CNNClassifier", "MLPClassifier", "MLPRegressor", "RNNClassifier"]
