"""The benchmarks: pinned workloads, side by side straight, through pgbouncer and through the gateway."""
