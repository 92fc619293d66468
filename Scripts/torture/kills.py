#!/usr/bin/env python3
"""Kills commands and fills their disk, at every call that changes a file and at random moments, and runs them again.

    GRAFT=.build/release/graft python3 Scripts/torture/kills.py [--quick] [--kills 500] [--only train,merge] [--seed 1]

Whatever happened, the next run of the same command must end with the bytes of one that was left alone, nothing may be stuck, a directory must
never be a mixture of old and new, and nothing hidden may remain. Linux, Python 3 and a C compiler are all it needs. Exit code 0: all held.
"""
import argparse
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GRAFT = os.path.abspath(os.environ.get("GRAFT", ROOT / ".build/release/graft"))
# What no two runs have in common.
CLOCKS = {
    "elapsed_seconds", "tokens_per_second", "wall_seconds", "peak_memory_bytes", "created_at", "total_time", "elapsed time", "train_time",
    "accelerator_memory_reserved_avg", "accelerator_memory_max", "accelerator_memory_reserved_99th",
}
DATA = [("one two", " three"), ("red green", " blue"), ("a b", " c d"), ("up and", " down"), ("left", " right"), ("sun and", " moon")]


def graft(*arguments, **options):
    return subprocess.run([GRAFT, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def made(*arguments):
    result = graft(*arguments)
    assert result.returncode == 0, result.stderr
    return result


def without_clocks(value):
    if isinstance(value, dict):
        return {key: without_clocks(member) for key, member in value.items() if key not in CLOCKS}
    return [without_clocks(member) for member in value] if isinstance(value, list) else value


def tree(path):
    """The files below a path with their bytes."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def events(folder):
    """The steps and tags in the event files of a run, sorted."""
    found = []
    for file in folder.glob("events.out.tfevents.*"):
        data, place = file.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = data[place + 12:place + 12 + length]
            place += 16 + length
            step = shift = 0
            if event[9] == 16:
                for byte in event[10:]:
                    step |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
            if event[9] != 26:
                found += [(step, tag) for tag in sorted(set(part.split(b"\x15")[0] for part in event.split(b"\n")[1:] if b"/" in part))]
    return sorted(found)


class Scenario:
    """A command, what it works on, and what must come of it."""

    name, restarts = "", True

    def __init__(self, folder, inputs):
        self.folder, self.inputs, self.output = folder, inputs, folder / "out"

    def prepare(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def command(self):
        raise NotImplementedError

    def result(self):
        return tree(self.output)

    def reference(self):
        self.prepare()
        self.before = self.result() if self.output.exists() else None
        begun = time.monotonic()
        made(*self.command())
        self.seconds = time.monotonic() - begun
        self.expected = self.result()

    def check_between(self):
        """After a kill, before the next run."""

    def check(self, what):
        result = self.result()
        if result != self.expected:
            differing = [key for key in sorted(set(result) | set(self.expected)) if result.get(key) != self.expected.get(key)]
            raise Fault(f"{self.name}: {what}: other than without: {differing[:5]}")
        hidden = [str(path) for path in self.folder.rglob(".*")]
        if hidden:
            raise Fault(f"{self.name}: {what}: leftovers {hidden[:3]}")


class Training(Scenario):
    method = "{peft_type: LORA, r: 4}"

    def prepare(self):
        super().prepare()
        (self.folder / "r.yaml").write_text(f"""
model: {{path: {self.inputs}/base/model}}
method: {self.method}
data: {{train: {self.inputs}/data.jsonl, eval: {self.inputs}/data.jsonl, max_length: 64, packing: false}}
training: {{max_steps: 7, batch_size: 2, save_steps: 2, eval_steps: 3, logging_steps: 2, learning_rate: 3.0e-2, early_stopping_patience: 3}}
""")

    def command(self):
        return ["train", self.folder / "r.yaml", "--output", self.output, "--resume", "--quiet", "--threads", "1"]

    def result(self):
        result = {key: value for key, value in tree(self.output).items() if key.startswith(("adapter", "model/", "recipe"))}
        lines = (self.output / "metrics.jsonl").read_text().splitlines()
        result["metrics.jsonl"] = [without_clocks(json.loads(line)) for line in lines]
        result["summary.json"] = without_clocks(json.loads((self.output / "summary.json").read_text()))
        result["checkpoints"] = sorted(path.name for path in (self.output / "checkpoints").iterdir())
        result["events"] = events(self.output)
        result["report.html"] = (self.output / "report.html").exists()
        return result


class Train(Training):
    name = "train"


class TrainFull(Training):
    name, method = "train-full", "{peft_type: FULL}"


class Compare(Training):
    name = "compare"

    def prepare(self):
        super().prepare()
        recipe = self.folder / "r.yaml"
        recipe.write_text(recipe.read_text() + "seeds: [0]\nmethods:\n  - {name: lora, method: {peft_type: LORA, r: 2}}\n"
                          "  - {name: ia3, method: {peft_type: IA3}}\n")

    def command(self):
        return ["compare", self.folder / "r.yaml", "--output", self.output, "--quiet", "--threads", "1"]

    def result(self):
        result = {f"runs/{path.parent.name}": path.read_bytes() for path in sorted(self.output.glob("runs/*/adapter.h5"))}
        result["results.json"] = without_clocks(json.loads((self.output / "results.json").read_text()))
        result["files"] = sorted(path.name for path in self.output.iterdir())
        return result


class Conversion(Scenario):
    """A command that replaces what an earlier one wrote as a whole."""

    arguments, output_name, restarts = (), "out", False

    def prepare(self):
        super().prepare()
        self.output = self.folder / self.output_name
        made(*self.arguments_for("other"), "--output", self.output)

    def arguments_for(self, which):
        return [str(part).format(inputs=self.inputs, which=which) for part in self.arguments]

    def command(self):
        return [*self.arguments_for("first"), "--output", self.output, "--overwrite", "--quiet"]

    def check_between(self):
        result = self.result() if self.output.exists() else None
        if result not in (self.before, self.expected, None):
            raise Fault(f"{self.name}: a mixture of old and new")


class ExportPEFT(Conversion):
    name, arguments = "export-peft", ("export", "{inputs}/{which}", "--format", "peft")


class ExportHDF5(Conversion):
    name, arguments, output_name = "export-hdf5", ("export", "{inputs}/{which}", "--format", "hdf5"), "out.h5"


class Import(Conversion):
    name, arguments, output_name = "import", ("import", "{inputs}/{which}-peft"), "out.h5"


class Merge(Conversion):
    name, arguments = "merge", ("merge", "--model", "{inputs}/base/model", "--adapter", "{inputs}/{which}")


class Fault(Exception):
    pass


def make_inputs(folder):
    """A tiny base, two adapters on it, and their exports."""
    folder.mkdir()
    (folder / "data.jsonl").write_text("".join(json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in DATA))
    (folder / "base.yaml").write_text(f"""
model:
  tokenizer: Data/models/seedling
  config: {{model_type: llama, vocab_size: 1024, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2,
           num_attention_heads: 4, num_key_value_heads: 2, tie_word_embeddings: true, max_position_embeddings: 128}}
method: {{peft_type: FULL}}
data: {{train: {folder}/data.jsonl}}
training: {{max_steps: 2, batch_size: 2}}
report: {{html: false, tensorboard: false}}
""")
    made("train", folder / "base.yaml", "--output", folder / "base", "--quiet")
    for name, rank in [("first", 2), ("other", 3)]:
        made("train", folder / "base.yaml", f"model={{path: {folder}/base/model}}", f"method={{peft_type: LORA, r: {rank}}}", "--output", folder / name, "--quiet")
        made("export", folder / name, "--format", "peft", "--output", folder / f"{name}-peft")


def faulty(scenario, library, **settings):
    """Runs a command with a fault in it."""
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAULTS_UNDER": str(scenario.folder)}
    environment.update({f"FAULTS_{key.upper()}": str(value) for key, value in settings.items()})
    return graft(*scenario.command(), env=environment)


FULL_DISK = "create,write,sync,mkdir,rename"


def count_calls(scenario, library, calls):
    scenario.prepare()
    counter = scenario.folder.parent / "count"
    result = faulty(scenario, library, calls=calls, count=counter)
    assert result.returncode == 0, result.stderr
    return int(counter.read_text())


def sweep(scenario, library, every):
    """A kill at every call that changes a file, and a disk that is full from each on."""
    kills = count_calls(scenario, library, "change")
    for call in range(1, kills + 1, every):
        scenario.prepare()
        result = faulty(scenario, library, calls="change", at=call, do="kill")
        if result.returncode != -signal.SIGKILL:
            raise Fault(f"{scenario.name}: not killed at call {call}: {result.returncode} {result.stderr}")
        scenario.check_between()
        finish(scenario, f"killed at call {call} of {kills}")
    writes = count_calls(scenario, library, FULL_DISK)
    for call in range(1, writes + 1, every):
        scenario.prepare()
        result = faulty(scenario, library, calls=FULL_DISK, at=call, do="ENOSPC", stays=1)
        what = f"disk full from call {call} of {writes} on"
        lines = result.stderr.strip().splitlines()
        # A disk that fills up while the last files are handed to it may harm nothing.
        if result.returncode != 0 and not (result.returncode in (73, 74) and lines and lines[-1].startswith("error: ")):
            raise Fault(f"{scenario.name}: {what}: {result.returncode} {result.stderr}")
        if result.returncode == 0:
            scenario.check(what + " without an error")
        scenario.check_between()
        finish(scenario, what)
    return kills, writes


def finish(scenario, what):
    result = graft(*scenario.command())
    if result.returncode != 0:
        raise Fault(f"{scenario.name}: {what}: stuck: {result.returncode} {result.stderr}")
    scenario.check(what)


def strike(scenario, dice, signals):
    """Ends a command at random moments with random signals, a few times, then lets it finish."""
    scenario.prepare()
    history = []
    for _ in range(dice.choice([1, 1, 2, 3])):
        process = subprocess.Popen([GRAFT, *map(str, scenario.command())], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(dice.uniform(0, 1.05 * scenario.seconds))
        number = dice.choice(signals)
        process.send_signal(number)
        _, complaint = process.communicate(timeout=120)
        history.append(f"{signal.Signals(number).name} -> {process.returncode}")
        allowed = {0, -number} if number == signal.SIGKILL else {0, 75}
        # Before main() has set anything up a signal is the system's.
        if process.returncode not in allowed | {-number}:
            raise Fault(f"{scenario.name}: {history}: {complaint}")
        scenario.check_between()
        if process.returncode == 0:
            break
    finish(scenario, ", ".join(history))
    return len(history)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every 17th call and 12 signals, as the tests do")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--only", help="names of scenarios, with commas between")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if sys.platform != "linux" or not shutil.which("cc"):
        print("kills: needs Linux and a C compiler; nothing was tried")
        return 0
    os.environ.pop("OPENBLAS_CORETYPE", None)
    os.environ.pop("OPENBLAS_L2_SIZE", None)
    with tempfile.TemporaryDirectory(prefix="graft-kills-") as name:
        work = Path(name)
        library = work / "faults.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "Scripts/torture/faults.c", "-ldl"], check=True)
        make_inputs(work / "inputs")
        kinds = [Train, TrainFull, Compare, ExportPEFT, ExportHDF5, Import, Merge]
        if options.only:
            kinds = [kind for kind in kinds if kind.name in options.only.split(",")]
        if "--overwrite" not in graft("help", "export").stdout:
            kinds = [kind for kind in kinds if not issubclass(kind, Conversion)]
        scenarios = [kind(work / kind.name, work / "inputs") for kind in kinds]
        faults = []
        for scenario in scenarios:
            scenario.reference()
        for scenario in scenarios:
            try:
                kills, writes = sweep(scenario, library, 17 if options.quick else 1)
                print(f"{scenario.name}: killed at {kills} calls, a full disk at {writes}: all held" + (" (every 17th)" if options.quick else ""), flush=True)
            except Fault as fault:
                faults.append(str(fault))
                print(f"FAULT {fault}", flush=True)
        dice, count = random.Random(options.seed), 0
        while count < (12 if options.quick else options.kills):
            try:
                count += strike(dice.choice(scenarios), dice, [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            except Fault as fault:
                count += 1
                faults.append(str(fault))
                print(f"FAULT {fault}", flush=True)
        print(f"{count} random signals: {len(faults)} faults in all", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
