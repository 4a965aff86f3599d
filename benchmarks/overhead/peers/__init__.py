"""Those whom others use for the same, each as its own documentation recommends where it is to be fast.

    optuna_study    in one process; in two on a journal file; in two on SQLite
    ray_tuner       actors reused; as it comes
    spark_trials    Hyperopt, a Spark job for each trial
    syne_tuner      a process for each trial
    fugue_tuner     on Spark; natively, in one process

Each runs in the environment of its own that `benchmarks/environments/` describes, so nothing here imports Maggy, and
`trials`, which those load that train, imports nothing of a peer.
"""
