"""A Bayesian mixture of learning curves, in closed form.

Each component of the mixture says that a curve y, seen at the steps t_1 ... t_n, goes on as

    y(t) = a + b f(t) + r(t) + e,

where f is one of a few shapes that settle, scaled so that it is 1 at t_n and 0 at the horizon. So a is where the curve
ends, and b is what it still gains. r is a random walk in log t, and e is noise. The components differ in the shape, in
the size of the noise, and in the size of the walk. All of these are fixed numbers on a grid, so that a and b have a
normal posterior, the end of the curve a normal prediction, and each component an evidence, which becomes its weight.

The prior of a and b is what the finished curves were like: where they ended, and what they gained after t_n. Early on
it decides; later the curve itself does.

After Domhan, Springenberg and Hutter, "Speeding up automatic hyperparameter optimization of deep neural networks by
extrapolation of learning curves", IJCAI 2015, who sample the parameters of such shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from maggy.earlystop.population import Prior

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float64]]

NOISES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Standard deviations of the noise, in units of `Units.scale`."""

WALKS = (0.1, 3.0, 100.0, 1000.0)
"""Variances of the walk between the first step and the horizon, in units of that of the noise."""


@dataclass(frozen=True, eq=False)
class Design:
    """What the mixture needs to know of the steps alone. Axes: w a walk, s a shape, n a point; 2 for a and b.

    regressors  [s, 2, n]  1 and f
    inverse     [w, n, n]  of the covariance of walk and noise, in units of the variance of the noise
    log_det     [w]        of that covariance
    gram        [w, s, 2, 2]
    pull        [w, n]     how residuals at the points move the walk at the horizon
    rest        [w]        variance at the horizon that remains, noise included
    lever       [w, s, 2]  how a and b move the prediction
    log_share   [s]        prior weights; each family of shapes has the same
    """

    regressors: Array
    inverse: Array
    log_det: Array
    gram: Array
    pull: Array
    rest: Array
    lever: Array
    log_share: Array


@lru_cache(maxsize=256)
def design(steps: tuple[int, ...], horizon: int) -> Design:
    """Trials that report at the same steps share one."""
    import numpy as np

    n = len(steps)
    time = np.array([*steps, horizon], dtype=float) + 1
    shapes, log_share = _shapes(time)
    log_time = np.log(time / time[0]) / np.log(time[-1] / time[0])
    walks = np.array(WALKS)
    covariance = np.minimum.outer(log_time, log_time)
    inverse = np.linalg.inv(np.eye(n) + walks[:, None, None] * covariance[:n, :n])
    regressors = np.stack([np.ones_like(shapes), shapes], axis=1)[:, :, :n]
    ahead = walks[:, None] * covariance[:n, n]
    pull = np.einsum("wnm,wm->wn", inverse, ahead)
    return Design(
        regressors=regressors,
        inverse=inverse,
        log_det=-np.linalg.slogdet(inverse)[1],
        gram=np.einsum("sin,wnm,sjm->wsij", regressors, inverse, regressors, optimize=True),
        pull=pull,
        rest=1 + walks * covariance[n, n] - np.einsum("wn,wn->w", pull, ahead),
        lever=np.array([1.0, 0.0]) - np.einsum("wn,sin->wsi", pull, regressors),
        log_share=log_share,
    )


def _shapes(time: Array) -> tuple[Array, Array]:
    """Shapes that settle, at these times, of which the last is the horizon; and the logarithms of their shares."""
    import numpy as np

    u = time / time[-1]
    families = [
        [u**-power for power in (0.3, 0.6, 1.0, 1.6, 2.5)],
        [np.exp(-u / scale) for scale in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)],
        [1 / (1 + (u / start) ** power) for start in (0.05, 0.15, 0.4, 0.8) for power in (2, 5)],
    ]
    shapes = np.array([shape for family in families for shape in family])
    shares = np.array([1 / len(family) for family in families for _ in family])
    ahead = shapes[:, -2] - shapes[:, -1]
    moves = np.abs(shapes[:, 0] - shapes[:, -1]) < 1e9 * ahead  # the others have settled: they say what a power says
    shapes, ahead = shapes[moves], ahead[moves]
    return (shapes - shapes[:, -1:]) / ahead[:, None], np.log(shares[moves] / shares[moves].sum())


def mixture(design: Design, losses: Array, prior: Prior) -> tuple[Array, Array, Array]:
    """Weights, means and standard deviations of the loss at the horizon, for every noise, walk and shape."""
    import numpy as np

    precision = np.linalg.inv(prior.covariance)
    noise = 1 / np.square(NOISES)[:, None, None]  # axes from here on: noise, walk, shape
    weighted = design.inverse @ losses
    posterior = precision + design.gram * noise[..., None, None]
    towards = precision @ prior.mean + np.einsum("sin,wn->wsi", design.regressors, weighted) * noise[..., None]
    p, q, r = posterior[..., 0, 0], posterior[..., 0, 1], posterior[..., 1, 1]
    det = p * r - q * q
    a = (r * towards[..., 0] - q * towards[..., 1]) / det
    b = (p * towards[..., 1] - q * towards[..., 0]) / det
    misfit = (weighted @ losses)[:, None] * noise - a * towards[..., 0] - b * towards[..., 1]
    evidence = (len(losses) * np.log(noise) - design.log_det[:, None] - np.log(det) - misfit) / 2 + design.log_share
    weights = np.exp(evidence - evidence.max())
    to_a, to_b = design.lever[..., 0], design.lever[..., 1]
    means = (design.pull @ losses)[:, None] + to_a * a + to_b * b
    variances = design.rest[:, None] / noise + (r * to_a**2 - 2 * q * to_a * to_b + p * to_b**2) / det
    return (weights / weights.sum()).ravel(), means.ravel(), np.sqrt(variances).ravel()
