"""General tuning, as in Fugue-Tune: any objective, any space, any engine.

>>> from maggy.tune import Space, Grid, Rand, suggest_for_noniterative_objective
>>> space = Space(a=Grid(1, 2), b=Rand(0, 1)).sample(3, seed=0)
>>> best = suggest_for_noniterative_objective(lambda a, b: a * b, space)[0]
"""

from maggy.searchspace import (
    Choice,
    FuncParam,
    Grid,
    NormalRand,
    NormalRandInt,
    Rand,
    RandInt,
    Space,
    TransitionChoice,
)
from maggy.tune.dataset import TuneDataset, TuneDatasetBuilder
from maggy.tune.iterative import IterativeObjectiveFunc, validate_iterative_objective
from maggy.tune.judging import RungHeap
from maggy.tune.local_optimizer import (
    HyperoptLocalOptimizer,
    NonIterativeObjectiveLocalOptimizer,
    OptunaLocalOptimizer,
    SamplerLocalOptimizer,
    validate_noniterative_objective,
)
from maggy.tune.monitor import Monitor
from maggy.tune.monitors import NotebookSimpleHist, NotebookSimpleRungs, NotebookSimpleTimeSeries, PrintBest
from maggy.tune.objective import NonIterativeObjectiveFunc, noniterative_objective, to_noniterative_objective
from maggy.tune.optimize import (
    optimize_by_continuous_asha,
    optimize_by_hyperband,
    optimize_by_sha,
    optimize_noniterative,
)
from maggy.tune.stopper import (
    NonIterativeStopper,
    SimpleNonIterativeStopper,
    n_samples,
    n_updates,
    no_update_period,
    small_improvement,
)
from maggy.tune.study import StudyResult, TrialReports
from maggy.tune.suggest import (
    suggest_by_continuous_asha,
    suggest_by_hyperband,
    suggest_by_sha,
    suggest_for_noniterative_objective,
)
from maggy.tune.temp import TUNE_OBJECT_FACTORY
from maggy.tune.template import TuningParametersTemplate, to_template
from maggy.tune.trial import Trial, TrialDecision, TrialReport

__all__ = [
    "TUNE_OBJECT_FACTORY",
    "Choice",
    "FuncParam",
    "Grid",
    "HyperoptLocalOptimizer",
    "IterativeObjectiveFunc",
    "Monitor",
    "NonIterativeObjectiveFunc",
    "NonIterativeObjectiveLocalOptimizer",
    "NonIterativeStopper",
    "NormalRand",
    "NormalRandInt",
    "NotebookSimpleHist",
    "NotebookSimpleRungs",
    "NotebookSimpleTimeSeries",
    "OptunaLocalOptimizer",
    "PrintBest",
    "Rand",
    "RandInt",
    "RungHeap",
    "SamplerLocalOptimizer",
    "SimpleNonIterativeStopper",
    "Space",
    "StudyResult",
    "TransitionChoice",
    "Trial",
    "TrialDecision",
    "TrialReport",
    "TrialReports",
    "TuneDataset",
    "TuneDatasetBuilder",
    "TuningParametersTemplate",
    "n_samples",
    "n_updates",
    "no_update_period",
    "noniterative_objective",
    "optimize_by_continuous_asha",
    "optimize_by_hyperband",
    "optimize_by_sha",
    "optimize_noniterative",
    "small_improvement",
    "suggest_by_continuous_asha",
    "suggest_by_hyperband",
    "suggest_by_sha",
    "suggest_for_noniterative_objective",
    "to_noniterative_objective",
    "to_template",
    "validate_iterative_objective",
    "validate_noniterative_objective",
]
