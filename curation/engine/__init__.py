"""The open selection engine: numpy in, numpy out; no Celery, no S3 client of its own."""

import os

# Before numpy is loaded. With a thread for each core, OpenBLAS spends its time on waiting for its
# other threads: to choose 1,000 of 10,000 frames took 4.5 instead of 0.6 CPU-seconds on a busy
# machine with two cores. And one thread adds in one order, whatever the machine has.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
