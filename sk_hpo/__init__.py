"""Hyperparameter search for scikit-learn: Hyperband, Bayesian optimization and their kin.

Public names only; nothing inside the package imports from here.
"""

from sk_hpo._version import __version__
from sk_hpo.inspection.bracket_display import BracketDisplay
from sk_hpo.inspection.calibration_display import CalibrationOfScoresDisplay
from sk_hpo.inspection.history_display import SearchHistoryDisplay
from sk_hpo.inspection.importance.importance import parameter_importance
from sk_hpo.inspection.importance.result import ParameterImportance
from sk_hpo.inspection.importance_display import ImportanceDisplay
from sk_hpo.inspection.learning_curves_display import LearningCurvesDisplay
from sk_hpo.inspection.parallel_coordinates_display import ParallelCoordinatesDisplay
from sk_hpo.inspection.report import report
from sk_hpo.inspection.slice_display import SliceDisplay
from sk_hpo.inspection.surrogate_display import SurrogateDisplay
from sk_hpo.inspection.timeline_display import TimelineDisplay
from sk_hpo.journal.error import JournalError
from sk_hpo.journal.journal import Journal
from sk_hpo.samplers.gp import GPSampler
from sk_hpo.samplers.tpe import TPESampler
from sk_hpo.search.asha import ASHASearchCV
from sk_hpo.search.bayes import BayesSearchCV
from sk_hpo.search.bohb import BOHBSearchCV
from sk_hpo.search.hyperband import HalvingHyperbandSearchCV
from sk_hpo.search.random import RandomSearchCV
from sk_hpo.search.refine import refine
from sk_hpo.search.writers import CSVWriter, TensorBoardWriter
from sk_hpo.space.adapters.configspace import from_configspace
from sk_hpo.space.adapters.keras_tuner import from_keras_tuner
from sk_hpo.space.adapters.optuna import from_optuna
from sk_hpo.space.adapters.ray import from_ray
from sk_hpo.space.adapters.skopt import from_skopt
from sk_hpo.space.chooser import Chooser
from sk_hpo.space.condition import when
from sk_hpo.space.distribution import lograndint
from sk_hpo.space.space import Space
from sk_hpo.stop import MaxTime, MaxTrials, NoImprovement, TargetScore
from sk_hpo.validation.alarm import LeakageError, LeakageWarning
from sk_hpo.validation.compare_searches import CompareSearchesDisplay, compare_searches
from sk_hpo.validation.nested import nested_cross_validate
from sk_hpo.validation.selection import MostStable, OneStandardError
from sk_hpo.validation.splits import HoldoutValidation, train_validation_test_split
from sk_hpo.validation.test_set import RepeatedTestWarning

__all__ = [
    "ASHASearchCV",
    "BOHBSearchCV",
    "BayesSearchCV",
    "BracketDisplay",
    "CSVWriter",
    "CalibrationOfScoresDisplay",
    "Chooser",
    "CompareSearchesDisplay",
    "GPSampler",
    "HalvingHyperbandSearchCV",
    "HoldoutValidation",
    "ImportanceDisplay",
    "Journal",
    "JournalError",
    "LeakageError",
    "LeakageWarning",
    "LearningCurvesDisplay",
    "MaxTime",
    "MaxTrials",
    "MostStable",
    "NoImprovement",
    "OneStandardError",
    "ParallelCoordinatesDisplay",
    "ParameterImportance",
    "RandomSearchCV",
    "RepeatedTestWarning",
    "SearchHistoryDisplay",
    "SliceDisplay",
    "Space",
    "SurrogateDisplay",
    "TPESampler",
    "TargetScore",
    "TensorBoardWriter",
    "TimelineDisplay",
    "__version__",
    "compare_searches",
    "from_configspace",
    "from_keras_tuner",
    "from_optuna",
    "from_ray",
    "from_skopt",
    "lograndint",
    "nested_cross_validate",
    "parameter_importance",
    "refine",
    "report",
    "train_validation_test_split",
    "when",
]
