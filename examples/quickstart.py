"""The first search: three hyperparameters, fifteen trials, on every core of this machine."""

from maggy import Searchspace, experiment

# The search space can be made with its hyperparameters, or they are added one by one.
sp = Searchspace(kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]))
sp.add("dropout", ("DOUBLE", [0.01, 0.99]))


# The training function names the hyperparameters it wants, and `reporter` if it has something to report.
def mnist(kernel, pool, dropout, reporter):
    accuracy = 0.0
    for _ in range(10):
        accuracy += (1 - accuracy) * (1 - dropout) * kernel / (8 + pool)  # stands for an epoch of your training
        reporter.broadcast(metric=accuracy)  # a trial that is stopped early ends here
    return accuracy


# No `if __name__ == "__main__":` is needed. Workers are fresh processes that never import this script.
result = experiment.lagom(
    map_fun=mnist,
    searchspace=sp,
    optimizer="randomsearch",
    direction="max",
    num_trials=15,
    name="MNIST",
)
print("best configuration:", result["best_hp"])
print("its accuracy:      ", result["best_val"])
