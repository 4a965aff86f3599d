"""One training function for PyTorch and one for Keras. Neither knows where it runs: the scripts beside this file run
both, once, on several workers, as a search and as an ablation study, and change nothing here.

The data is a table of measurements of breast tumours, which comes with scikit-learn.
"""

LABEL = "benign"


def tables():
    """The table in two parts: to train on, and to test on. Features are standardised."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    frame = load_breast_cancer(as_frame=True).frame.rename(columns={"target": LABEL})
    train_set, test_set = train_test_split(frame, test_size=0.3, stratify=frame[LABEL], random_state=0)
    features = [name for name in frame if name != LABEL]
    mean, deviation = train_set[features].mean(), train_set[features].std()
    for part in (train_set, test_set):
        part[features] = (part[features] - mean) / deviation
    return train_set, test_set


def torch_model(inputs, width=32, dropout=0.2):
    """What `train_torch` calls as `model`."""
    from collections import OrderedDict

    from torch import nn

    layers = OrderedDict(  # with names, so that a study can say what to leave out
        first=nn.Linear(inputs, width),
        first_relu=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        second=nn.Linear(width, width),
        second_relu=nn.ReLU(),
        output=nn.Linear(width, 2),
    )
    return nn.Sequential(layers)


def train_torch(
    model, train_set, test_set, context, reporter, seed=0, width=32, dropout=0.2, learning_rate=0.01, epochs=8
):
    """Train a PyTorch model, and return its accuracy on `test_set`."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    train_arrays, test_arrays = (
        (
            torch.tensor(part.drop(columns=LABEL).to_numpy("float32"), device=context.device),
            torch.tensor(part[LABEL].to_numpy(), device=context.device),
        )
        for part in (train_set, test_set)
    )
    train_batches = context.loader(train_arrays, batch_size=64, shuffle=True)
    test_batches = context.loader(test_arrays, batch_size=64)
    net = model(train_set.shape[1] - 1, width, dropout).to(context.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    accuracy = 0.0
    for epoch in range(epochs):
        net.train()
        for x, y in train_batches:
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
        net.eval()
        correct = count = 0
        with torch.no_grad():
            for x, y in test_batches:
                correct += (net(x).argmax(1) == y).sum().item()
                count += len(y)
        accuracy = context.mean(correct, count)
        reporter.broadcast(accuracy, step=epoch)
    return accuracy


def keras_model(inputs, width=32, dropout=0.2):
    """What `train_keras` calls as `model`."""
    import keras

    x = given = keras.Input((inputs,))
    x = keras.layers.Dense(width, activation="relu", name="first")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(width, activation="relu", name="second")(x)
    return keras.Model(given, keras.layers.Dense(2, activation="softmax", name="output")(x))


def train_keras(model, train_set, test_set, reporter, seed=0, width=32, dropout=0.2, learning_rate=0.01, epochs=8):
    """Train a Keras model, and return its accuracy on `test_set`."""
    import keras

    from maggy import KerasEpochEnd

    keras.utils.set_random_seed(seed)
    (x, y), test = (
        (part.drop(columns=LABEL).to_numpy("float32"), part[LABEL].to_numpy()) for part in (train_set, test_set)
    )
    net = model(x.shape[1], width, dropout)
    net.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = net.fit(
        x,
        y,
        batch_size=64,
        epochs=epochs,
        validation_data=test,
        callbacks=[KerasEpochEnd(reporter, metric="val_accuracy")],
        verbose=0,
    )
    return history.history["val_accuracy"][-1]
