"""The same training function as an ablation study: python examples/oblivious/ablation.py --framework keras"""

from choice import FRAMEWORKS, chosen
from training import LABEL, tables

from maggy import lagom
from maggy.ablation import AblationStudy
from maggy.config import AblationConfig


def main(framework="torch", engine="local", repeats=3):
    train, model = FRAMEWORKS[framework]
    train_set, test_set = tables()
    inputs = train_set.shape[1] - 1

    study = AblationStudy("breast_cancer", 1, LABEL)
    study.features.include_groups(prefix="mean ")
    study.features.include_groups(prefix="worst ")
    study.model.layers.include("second", "dropout")
    study.model.set_sample(lambda: batch(framework, inputs), inputs=inputs)
    study.components.include("learning_rate", off=0.001)

    config = AblationConfig(
        study,
        name=f"{framework}-ablation",
        model=model,
        train_set=train_set,
        test_set=test_set,
        repeats=repeats,
        seed=1,
    )
    return lagom(train, config, engine=engine)


def batch(framework, inputs):
    """Something to try the model on before anything starts, to see that it works without each layer."""
    import numpy as np

    numbers = np.zeros((2, inputs), "float32")
    if framework == "keras":
        return numbers
    import torch

    return torch.from_numpy(numbers)


if __name__ == "__main__":
    main(**chosen(__doc__))
