"""The machine that is measured on, and the conditions of a measurement."""

import os
import platform
import re
from datetime import date
from pathlib import Path

NOTED_FEATURES = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "bf16", "i8mm", "sve"]


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


def description():
    """The machine."""
    return _processor() | {
        "cores": len(os.sched_getaffinity(0)), "memory": _memory("MemTotal"), "system": f"{platform.system()} {platform.release()}"}


def options(given):
    """The conditions of a row, measured now: others' load among them."""
    return {"threads": given.threads, "rounds": given.rounds, "prefix": given.prefix, "preload": bool(given.preload), "date": date.today().isoformat(),
            "load": os.getloadavg()[0]}
