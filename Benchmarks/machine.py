"""The machine that is measured on, and the rate at which it reads memory."""

import functools
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from datetime import date
from multiprocessing import get_context
from pathlib import Path

NOTED_FEATURES = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "bf16", "i8mm", "sve"]
BUFFER_BYTES = 256 << 20


def _processor():
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(re.findall(r"^([^\t:]+?)\s*: (.*)$", text, re.MULTILINE))
    flags = fields.get("flags", fields.get("Features", "")).split()
    name = fields.get("model name", platform.processor() or platform.machine())
    return {"processor": name, "family": fields.get("cpu family", ""), "model": fields.get("model", ""),
            "features": [feature for feature in NOTED_FEATURES if feature in flags]}


def _memory(key):
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE))
    return int(fields[key]) * 1024


def has_memory_for(parameters, is_full):
    """True where a model fits with its gradients and the optimizer's moments, in PyTorch too."""
    return parameters * (24 if is_full else 10) + (2 << 30) < _memory("MemAvailable")


def _read_for(seconds, start):
    """Bytes that a process reads from memory in a second, looking for one that is not there."""
    buffer = b"\x02" * BUFFER_BYTES  # written, so that it has memory of its own
    buffer.find(b"\x01")
    time.sleep(max(0.0, start - time.time()))
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < seconds:
        buffer.find(b"\x01")
        count += 1
    return count * BUFFER_BYTES / (time.monotonic() - begin)


def _read_together(processes):
    """GB/s of all processes together, the best of three tries."""
    with get_context("fork").Pool(processes) as pool:
        tries = [sum(pool.starmap(_read_for, [(0.5, time.time() + 1)] * processes)) for _ in range(3)]
    return max(tries) / 1e9


@functools.cache
def _bandwidth(processes, prefix):
    """The same, measured by a program that starts as those that are compared."""
    command = shlex.split(prefix) + [sys.executable, __file__, str(processes)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def description(options):
    """The machine, its limits and the settings of the measurement."""
    return _processor() | {
        "bandwidth": _bandwidth(options.threads, options.prefix), "cores": len(os.sched_getaffinity(0)), "memory": _memory("MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "threads": options.threads, "rounds": options.rounds, "prefix": options.prefix, "preload": bool(options.preload),
        "date": date.today().isoformat(), "load": _load}


# The work of others as the measurement begins.
_load = os.getloadavg()[0]

if __name__ == "__main__":
    print(_read_together(int(sys.argv[1])))
