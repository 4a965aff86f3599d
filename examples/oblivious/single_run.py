"""The training function once: python examples/oblivious/single_run.py --framework keras --engine spark"""

from choice import FRAMEWORKS, chosen
from training import tables

from maggy import lagom
from maggy.config import BaseConfig


def main(framework="torch", engine="local"):
    train, model = FRAMEWORKS[framework]
    train_set, test_set = tables()
    config = BaseConfig(
        name=f"{framework}-single-run",
        model=model,
        train_set=train_set,
        test_set=test_set,
        hparams={"learning_rate": 0.01, "width": 32},
        seed=1,
    )
    return lagom(train, config, engine=engine)


if __name__ == "__main__":
    print("accuracy", main(**chosen(__doc__))["test result"])
