"""The ablation study of Maggy's first slides, as they wrote it: python examples/titanic_ablation.py

A generator stands in for the feature store, and makes up the passengers, because the table of the Titanic comes with no
package: whether they survive depends on their sex, class and fare, and on nothing else.
"""

from maggy import KerasBatchEnd, experiment
from maggy.ablation import AblationStudy

LABEL = "survived"


def passengers():
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(1912)
    table = pd.DataFrame(
        {
            "pclass": rng.integers(1, 4, 800),
            "sex": rng.integers(0, 2, 800),
            "age": rng.normal(30, 12, 800).clip(0, 80),
            "fare": rng.lognormal(3, 1, 800),
        }
    )
    odds = 2.5 * table.sex - 1.2 * (table.pclass - 2) + 0.6 * np.log(table.fare / 20) - 0.8
    table[LABEL] = (rng.random(800) < 1 / (1 + np.exp(-odds))).astype("float32")
    features = table.drop(columns=LABEL)
    table[features.columns] = (features - features.mean()) / features.std()
    return table


def titanic(epochs, batch_size, ablated_features=()):
    """Batches of passengers for so many epochs, without the features that a trial leaves out."""
    table = passengers().drop(columns=list(ablated_features))
    x, y = table.drop(columns=LABEL).to_numpy("float32"), table[[LABEL]].to_numpy()
    for _ in range(epochs):
        for first in range(0, len(table) - batch_size + 1, batch_size):
            yield x[first : first + batch_size], y[first : first + batch_size]


def base_model_generator():
    import keras

    model = keras.Sequential()
    model.add(keras.layers.Dense(16, activation="relu"))
    model.add(keras.layers.Dense(16, name="my_dense_two", activation="relu"))
    model.add(keras.layers.Dense(16, name="my_dense_three", activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    return model


def training_function(dataset_function, model_function, reporter):
    epochs, batch_size = 5, 25
    tf_dataset = dataset_function(epochs, batch_size)
    model = model_function()
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["acc"])

    cb = [KerasBatchEnd(reporter, metric="acc")]
    history = model.fit(tf_dataset, callbacks=cb, epochs=5, steps_per_epoch=30, verbose=0)

    return float(history.history["acc"][-1])


def main():
    ablation_study = AblationStudy("titanic_train_dataset", training_dataset_version=1, label_name=LABEL)
    ablation_study.features.include("pclass", "fare")
    ablation_study.model.layers.include_groups(prefix="my_dense")
    ablation_study.model.set_base_model_generator(base_model_generator)
    ablation_study.set_dataset_generator(titanic)

    result = experiment.lagom(
        map_fun=training_function,
        experiment_type="ablation",
        ablation_study=ablation_study,
        ablator="loco",
        name="Titanic-LOCO",
        direction="max",
    )
    print(result["best_config"])


if __name__ == "__main__":
    main()
