"""What tells benign tumours from malignant ones: python examples/demo_ablation.py --engine local|spark|dask|ray"""

from __future__ import annotations

import argparse
from pathlib import Path

from maggy import lagom
from maggy.ablation import AblationStudy
from maggy.config import AblationConfig

LABEL = "benign"
FAMILIES = {
    "size": ("radius", "perimeter", "area"),
    "texture": ("texture",),
    "surface": ("smoothness", "compactness"),
    "dents": ("concavity", "concave points"),
    "shape": ("symmetry", "fractal dimension"),
}
"""What the ten measures of a cell's nucleus are about. Each is in the table three times: mean, error, and worst."""


def model(inputs, width=24, dropout=0.1):
    """A small network, whose layers have names so that a study can leave them out."""
    from collections import OrderedDict

    from torch import nn

    layers = OrderedDict(
        first=nn.Linear(inputs, width),
        first_relu=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        second=nn.Linear(width, width),
        second_relu=nn.ReLU(),
        output=nn.Linear(width, 2),
    )
    return nn.Sequential(layers)


def train(model, train_set, test_set, reporter, seed, weight_decay=0.01, label_smoothing=0.1, epochs=20):
    """Train the network; report and return its loss on `test_set`, which tells more than its accuracy.

    Nothing in here knows of the study: which columns there are, what the model is made of, and what is switched off,
    comes in as arguments.
    """
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    (x, y), (test_x, test_y) = (
        (
            torch.tensor(part.drop(columns=LABEL).to_numpy(), dtype=torch.float32),
            torch.tensor(part[LABEL].to_numpy()),
        )
        for part in (train_set, test_set)
    )
    net = model(x.shape[1])
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=weight_decay)
    loss = float("inf")
    for epoch in range(epochs):
        net.train()
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            cross_entropy(net(x[batch]), y[batch], label_smoothing=label_smoothing).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            loss = cross_entropy(net(test_x), test_y).item()
        reporter.broadcast(loss, step=epoch)
    return loss


def tables():
    """The measurements in two parts, standardised, with a column of pure noise, which no study should find useful."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": LABEL})
    frame["pure noise"] = np.random.default_rng(0).normal(size=len(frame))
    train_set, test_set = train_test_split(frame, test_size=0.35, stratify=frame[LABEL], random_state=0)
    features = [name for name in frame if name != LABEL]
    mean, deviation = train_set[features].mean(), train_set[features].std()
    return tuple(part.assign(**(part[features] - mean) / deviation) for part in (train_set, test_set))


def main() -> None:
    parser = argparse.ArgumentParser(description="An ablation study of a classifier of tumours.")
    engines = ["local", "spark", "dask", "ray", "inline"]
    parser.add_argument("--engine", choices=engines, default="local", help="where trials run")
    parser.add_argument("--repeats", type=int, default=5, help="how often each variant is trained (5)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same study (0)")
    options = parser.parse_args()
    train_set, test_set = tables()

    study = AblationStudy("breast_cancer", 1, LABEL)
    for name, measures in FAMILIES.items():
        columns = [form.format(measure) for measure in measures for form in ("mean {}", "{} error", "worst {}")]
        study.features.include_groups(columns, name=name)
    study.features.include_groups(prefix="worst ", name="worst cells")
    study.features.include("pure noise")
    study.model.layers.include("dropout")
    study.model.layers.include_groups(["second", "second_relu"], name="second layer")
    study.model.layers.include("first", how="freeze")
    study.model.set_sample(lambda: sample(train_set), inputs=train_set.shape[1] - 1)
    study.components.include("weight_decay", "label_smoothing", off=0.0)

    config = AblationConfig(
        study,
        direction="min",
        optimization_key="loss",
        name="tumours",
        model=model,
        train_set=train_set,
        test_set=test_set,
        repeats=options.repeats,
        seed=options.seed,
    )
    result = lagom(train, config, engine=options.engine)
    if result.effects is not None:
        plot = Path(result.experiment_dir) / "effects.html"
        result.effects.plot().write_html(plot)
        print(f"plot      {plot}")


def sample(table):
    """A few rows to try the network on before anything starts, to see that it works without each layer."""
    import torch

    return torch.tensor(table.drop(columns=LABEL).head(2).to_numpy(), dtype=torch.float32)


if __name__ == "__main__":
    main()
