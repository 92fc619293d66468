"""Ends exports, imports and merges at every call that changes a file, and lets the disk be full from there on.

Each is run once onto nothing and once over an earlier result. Afterwards the place has the old content, the new one, or nothing where there
was nothing; the next run succeeds and leaves nothing else. GRAFT is the program; needs a C compiler, and Linux.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GRAFT = str((ROOT / os.environ.get("GRAFT", ".build/release/graft")).resolve())
BASE = ROOT / "Data/models/seedling"


def content(path):
    """Every file below a path with its bytes' hash; of a file itself likewise."""
    if path.is_dir():
        return {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(path.rglob("*")) if f.is_file()}
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def graft(arguments, **faults):
    environment = dict(os.environ, **faults)
    return subprocess.run([GRAFT, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False)


def must(arguments):
    done = graft(arguments)
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr}")


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="graft-outputs-"))
    library = work / "faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "Scripts/torture/faults.c", "-ldl"], check=True)
    (work / "data.jsonl").write_text('{"prompt": "a b", "completion": " c"}\n')
    for name, seed in (("old", 1), ("new", 2)):
        (work / "recipe.yaml").write_text(
            f"model: {{path: {BASE}}}\nmethod: {{peft_type: LORA, r: 2, target_modules: [q_proj]}}\ndata: {{train: {work}/data.jsonl}}\n"
            f"training: {{max_steps: 2, batch_size: 1, seed: {seed}}}\nreport: {{html: false, tensorboard: false}}\n")
        must(["train", work / "recipe.yaml", "--output", work / name, "--quiet"])
        must(["export", work / name, "--format", "peft", "--output", work / f"{name}-peft"])
    places, failures, ends = work / "places", 0, 0
    commands = {
        "export-peft": lambda which, place: ["export", work / which, "--format", "peft", "--output", place, "--overwrite"],
        "export-hdf5": lambda which, place: ["export", work / which, "--format", "hdf5", "--output", place],
        "import": lambda which, place: ["import", work / f"{which}-peft", "--output", place],
        "merge": lambda which, place: ["merge", "--model", BASE, "--adapter", work / which, "--output", place, "--overwrite"],
    }
    for command, arguments in commands.items():
        for existing in (False, True):
            def fresh():
                shutil.rmtree(places, ignore_errors=True)
                places.mkdir()
                place = places / ("out.h5" if command in ("export-hdf5", "import") else "out")
                if existing:
                    must(arguments("old", place))
                return place
            place = fresh()
            old = content(place)
            count = work / "count"
            settings = dict(LD_PRELOAD=str(library), FAULTS_UNDER=str(places), FAULTS_CALLS="change")
            graft(arguments("new", place), **settings, FAULTS_COUNT=str(count))
            new, calls = content(place), int(count.read_text())
            for at in range(1, calls + 1):
                for how in ({"FAULTS_DO": "kill"}, {"FAULTS_DO": "ENOSPC", "FAULTS_STAYS": "1"}):
                    place = fresh()
                    graft(arguments("new", place), **settings, FAULTS_AT=str(at), **how)
                    after = content(place)
                    ends += 1
                    if after not in (old, new, None if not existing else old):
                        failures += 1
                        print(f"{command} existing={existing} call {at} {how}: mixed: {after}")
                    must(arguments("new", place))
                    rest = [name for name in os.listdir(places) if name != place.name]
                    if content(place) != new or rest:
                        failures += 1
                        print(f"{command} existing={existing} call {at} {how}: the next run leaves {rest}")
            print(f"{command:<12} existing={existing!s:<5} {calls} calls", flush=True)
    shutil.rmtree(work)
    print(f"{ends} ends, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
