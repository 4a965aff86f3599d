"""The training function on two workers at once: python examples/oblivious/distributed.py --framework keras"""

from choice import FRAMEWORKS, chosen
from training import tables

from maggy import lagom
from maggy.config import KerasDistributedConfig, TorchDistributedConfig

CONFIGS = {"torch": TorchDistributedConfig, "keras": KerasDistributedConfig}


def main(framework="torch", engine="local", num_workers=2):
    train, model = FRAMEWORKS[framework]
    train_set, test_set = tables()
    config = CONFIGS[framework](
        name=f"{framework}-distributed",
        model=model,
        train_set=train_set,
        test_set=test_set,
        hparams={"learning_rate": 0.01, "width": 32},
        num_workers=num_workers,
        seed=1,
    )
    return lagom(train, config, engine=engine)


if __name__ == "__main__":
    arguments = chosen(__doc__, engines=["local", "spark"], num_workers=2)
    print("accuracy", main(**arguments)["test result"])
