"""A fixed amount of pure Python work.

How much of it is a millisecond differs between machines: the harness measures it
once for each run, and BENCH_UNIT tells all servers of that run.
"""
import os
import time

UNIT = int(os.environ.get("BENCH_UNIT", "20000"))


def spin(count):
    x = 0
    for i in range(count):
        x = (x * 31 + i) & 0xFFFFFF
    return x


def burn(ms):
    return spin(UNIT * ms)


def calibrate(count=100000, attempts=7):
    """Turns of the loop in a millisecond, of the least disturbed attempt."""
    best = None
    for _ in range(attempts):
        begin = time.process_time()
        spin(count)
        spent = time.process_time() - begin
        best = spent if best is None else min(best, spent)
    return int(count / best / 1000)


if __name__ == "__main__":
    print(calibrate())
