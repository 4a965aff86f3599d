"""What a trial costs beside its training: ours on every engine, the peers, and pools that keep nothing.

Each contestant is a module that is run in a fresh process of its own environment and prints one line of JSON:

    python -m benchmarks.overhead.<ours|peers|floors>.<module> [VARIANT] --noop N --gap N --spread N

import_s                     of what a user imports
start_s, warm_start_s        from what comes after that (the call, the session, the cluster) to the first line of the
                             first objective; the same again in the same process
noop_per_s                   random search whose objective returns at once, trials a second once it has started
gap_ms, busy_pct             trials of 45 to 55 ms: every gap between the end of a trial and the start of the next on
                             the same worker, and what of the workers' time was spent in trials
spread_wall_s, spread_bound_s  trials of very different durations, and the least that their order allows
report_us                    one intermediate report, as the training loop pays it; null where there are none
judged_us                    the same where each waits for the verdict of a stopping rule; null, or left out, likewise
memory_kib_per_trial         growth of the driving process over the no-op trials; null where it cannot be seen
memory_mib, memory_all_mib   the driving process at the end; with its helpers, but without those that train
versions, notes              of the packages that matter; what is to be known

Contestants share `work` alone, which needs nothing but the standard library. There are two workers everywhere, one
where everything happens in one process.
"""
