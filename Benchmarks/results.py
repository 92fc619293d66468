"""The page and the picture of what `benchmark.py` measured."""

import itertools
from statistics import median

from chart import bars
from presets import PRESETS

# What starts at random has other first losses in two programs, by a little.
RANDOM_STARTS = ["prefix", "prompt", "adapter"]
RATES = {"train": "tokens_per_second", "generate": "tokens_per_second", "sft": "samples_per_second", "start": "process_seconds"}
METHOD_TITLES = {
    "lora": "LoRA", "lora-all-linear": "LoRA, all linear layers", "prefix": "prefix", "prompt": "prompt", "adapter": "bottleneck adapter",
    "ia3": "(IA)³", "full": "all weights"}


def _values(runs, key):
    return [run[key] for run in runs if key in run]


def case(row):
    """What a row is of, without what was measured and how."""
    return {key: value for key, value in row.items() if key not in ["options", "graft", "peer"]}


def disagreement(row):
    """Why two programs did not do the same: another first loss, other counts of what is trained; none where they did."""
    exact = 1e-4 if row.get("precision") == "bf16" else 1e-5
    bounds = {"first_loss": 5e-3 if row.get("method") in RANDOM_STARTS else exact, "trainable_parameters": 0, "tokens": 0.01}
    for name, runs in row["peer"].items():
        for key, bound in bounds.items():
            for ours, theirs in itertools.product(_values(row["graft"], key), _values(runs, key)):
                if abs(ours - theirs) > bound * abs(theirs):
                    return f"{' '.join(map(str, case(row).values()))}: {key} is {ours} in graft and {theirs} in PyTorch ({name})"
    return None


def best_peer(row):
    """The fastest variant's name and its runs; none where nothing was measured."""
    key, sign = RATES[row["kind"]], -1 if row["kind"] == "start" else 1
    variants = {name: runs for name, runs in row["peer"].items() if _values(runs, key)}
    return max(variants.items(), key=lambda item: sign * median(_values(item[1], key)), default=(None, []))


def _ratios(ours, theirs, key):
    """The ratios within the rounds."""
    return [one[key] / other[key] for one, other in zip(ours, theirs) if key in one and key in other]


def _ratio(row, runs):
    """The median over the rounds of how many times as fast graft is, which single rounds reach from and to."""
    key = RATES[row["kind"]]
    ratios = _ratios(runs, row["graft"], key) if row["kind"] == "start" else _ratios(row["graft"], runs, key)
    return (median(ratios), min(ratios), max(ratios)) if ratios else None


def _number(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _median(runs, key):
    values = _values(runs, key)
    return median(values) if values else None


def _megabytes(runs):
    peak = _median(runs, "peak_memory_bytes")
    return "-" if peak is None else f"{peak / 2**20:,.0f}"


def told(row):
    """A line for whoever waits."""
    _, runs = best_peer(row)
    ratio = _ratio(row, runs)
    failures = {run["failure"] for run in row["graft"] + sum(row["peer"].values(), []) if "failure" in run}
    words = f"graft {_number(_median(row['graft'], RATES[row['kind']]))}, PyTorch {_number(_median(runs, RATES[row['kind']]))}"
    return words + (f", {ratio[0]:.2f} times" if ratio else "") + "".join(f"; {failure}" for failure in failures)


def _cells(row, shown=True):
    """graft, PyTorch, which variant, ratio with its range, memory of both."""
    name, runs = best_peer(row)
    key, ratio = RATES[row["kind"]], _ratio(row, runs)
    spread = f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})" if ratio else "-"
    peer = _number(_median(runs, key)) + (f" ({name})" if shown and name not in (None, row.get("precision")) else "")
    return [_number(_median(row["graft"], key)), peer, spread, _megabytes(row["graft"]), _megabytes(runs)]


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _products(document):
    """The rate of large products and the tile that reaches it, by precision: the best that a process of graft measured behind its steps."""
    found = {}
    for row in _rows(document, "train"):
        for run in row["graft"]:
            if run.get("gemm_peak_gflops", 0) > found.get(row["precision"], (0, ""))[0]:
                found[row["precision"]] = (run["gemm_peak_gflops"], run["matrix_tile"])
    return found


def _peak_share(row, document):
    """The share of the products' measured rate that a step's model FLOPs come to."""
    flops, rate = _median(row["graft"], "model_flops_per_token"), _median(row["graft"], "tokens_per_second")
    return f"{flops * rate / 1e9 / _products(document)[row['precision']][0]:.0%}" if rate else "-"


def _bytes_per_second(row, rate):
    width = 4 if row["precision"] == "fp32" else 2
    return rate * width * PRESETS[row["preset"]].read_per_token()


def _rows(document, kind):
    return [row for row in document["rows"] if row["kind"] == kind]


def _training(document):
    parts = []
    for preset in dict.fromkeys(row["preset"] for row in _rows(document, "train")):
        rows = [[METHOD_TITLES[row["method"]], row["precision"], *_cells(row), _peak_share(row, document)]
                for row in sorted(_rows(document, "train"), key=lambda row: list(METHOD_TITLES).index(row["method"])) if row["preset"] == preset]
        shape = PRESETS[preset]
        parts.append(f"### {preset} ({shape.title}), {shape.batch} x {shape.length} tokens\n\n" + _table(
            ["method", "precision", "graft tok/s", "PyTorch tok/s", "ratio", "graft MB", "PyTorch MB", "of the products' rate"], rows))
    return "## Training steps\n\nForward, loss over every label, backward, clipping, AdamW.\n\n" + "\n".join(parts) if parts else ""


def _best(document):
    """LoRA in the faster precision of each program."""
    rows = []
    for preset in dict.fromkeys(row["preset"] for row in _rows(document, "train")):
        ours, theirs = [], []
        for row in _rows(document, "train"):
            if row["preset"] == preset and row["method"] == "lora":
                name, runs = best_peer(row)
                ours.append((_median(row["graft"], "tokens_per_second") or 0, row["precision"], row["graft"]))
                theirs.append((_median(runs, "tokens_per_second") or 0, name, runs))
        if ours and max(theirs)[0] > 0:
            (rate, precision, runs), (other, name, others) = max(ours), max(theirs)
            speed, memory = (median(_ratios(runs, others, key)) for key in ["tokens_per_second", "peak_memory_bytes"])
            rows.append([preset, f"{_number(rate)} ({precision})", f"{_number(other)} ({name})", f"{speed:.2f}", f"{memory:.0%}"])
    return "## LoRA, each program in its faster precision\n\n" + _table(
        ["model", "graft tok/s", "PyTorch tok/s", "ratio", "memory"], rows) if rows else ""


def _bandwidth(document):
    """The bytes that memory hands out in a second: the most that a process of graft measured behind its generation; none where nobody did."""
    return max((rate for row in _rows(document, "generate") for rate in _values(row["graft"], "memory_bytes_per_second")), default=None)


def _generation(document):
    limit = _bandwidth(document)
    rows = []
    for row in _rows(document, "generate"):
        rate = _median(row["graft"], "decode_tokens_per_second")
        share = f"{_bytes_per_second(row, rate) / 1e9:.1f} GB/s, {_bytes_per_second(row, rate) / limit:.0%}" if rate and limit else "-"
        rows.append([row["preset"], row["precision"], *_cells(row), share])
    if not rows:
        return ""
    words = ("One sequence: 32 tokens of prompt, 128 new ones. The last column is of decoding alone; the weights of the small models stay in the\n"
             "caches.")
    header = ["model", "precision", "graft tok/s", "PyTorch tok/s", "ratio", "graft MB", "PyTorch MB", "weights read, of memory's rate"]
    return f"## Greedy generation\n\n{words}\n\n" + _table(header, rows)


def _start(document):
    rows = [["nano, LoRA, one step", *_cells(row, shown=False)] for row in _rows(document, "start")]
    return "## From the start of the process to the end\n\n" + _table(
        ["", "graft s", "PyTorch s", "ratio", "graft MB", "PyTorch MB"], rows) if rows else ""


def _fine_tuning(document):
    rows = []
    for row in _rows(document, "sft"):
        runs = best_peer(row)[1]
        ratios = _ratios(runs, row["graft"], "process_seconds")
        whole = " / ".join(_number(_median(part, "process_seconds")) for part in [row["graft"], runs])
        whole += f" ({median(ratios):.2f})" if ratios else ""
        rows.append([row["model"], row["precision"], str(row["examples"]), *_cells(row), whole])
    if not rows:
        return ""
    return ("## Supervised fine-tuning on real lengths\n\n`graft train` against Transformers' Trainer with PEFT: LoRA r 8, batches of 8, prompts "
            "masked, one epoch; the Trainer pads each batch to its longest example.\n\n" + _table(
                ["model", "precision", "examples", "graft samples/s", "Trainer samples/s", "ratio", "graft MB", "Trainer MB",
                 "whole processes, s"], rows))


def _failures(document):
    found = {}
    for row in document["rows"]:
        for name, runs in [("graft", row["graft"]), *row["peer"].items()]:
            for run in runs:
                if "failure" in run:
                    place = " ".join(str(row[key]) for key in ["kind", "preset", "model", "method", "precision"] if key in row)
                    found[f"- {place}, {name if name == 'graft' else 'PyTorch ' + name}: {run['failure']}"] = None
    return "## Without a figure\n\n" + "\n".join(found) + "\n" if found else ""


def _span(document, option, form=""):
    """The least and the greatest value that an option has in the rows, which may have been measured at different times."""
    values = [row["options"][option] for row in document["rows"]]
    least, greatest = (format(value, form) for value in (min(values), max(values)))
    return least if least == greatest else f"{least} to {greatest}"


def _machine(document):
    machine = document["machine"]
    versions = next((run for row in document["rows"] for runs in row["peer"].values() for run in runs if "torch" in run), None)
    kind = f" (family {machine['family']}, model {machine['model']})" if machine["family"] else ""
    products = ", ".join(f"{rate:,.0f} GFLOP/s in {precision} (tile {tile})" for precision, (rate, tile) in _products(document).items())
    memory = _bandwidth(document)
    lines = [
        f"- {machine['processor']}{kind}, {machine['cores']} cores, {machine['memory'] / 2**30:.0f} GiB, {machine['system']}; "
        f"{', '.join(machine['features'])}; {_span(document, 'threads')} threads each.",
        f"- Limits, measured here too: products of 1024 x 1024 {products or 'not measured'}; memory is read at "
        f"{f'{memory / 1e9:.1f} GB/s' if memory else '(not measured)'}.",
        f"- {_span(document, 'date')}, medians of {_span(document, 'rounds')} alternating rounds, each measurement in a process of its own; a ratio is "
        f"the median of the rounds' ratios (least to greatest). Others' load when rows began: {_span(document, 'load', '.1f')}."]
    for prefix in sorted({row["options"]["prefix"] for row in document["rows"]} - {""}):
        lines.append(f"- Both programs were started with `{prefix}`" + (
            "." if all(row["options"]["prefix"] == prefix for row in document["rows"]) else " for some of the rows."))
    if versions:
        preloaded = {row["options"]["preload"] for row in document["rows"]}
        shim = ", as installed" if preloaded == {False} else ", with a preloaded library" + (" for some of the rows" if False in preloaded else "")
        lines.append(f"- PyTorch {versions['torch']}, Transformers {versions['transformers']}{shim}. `bf16` is autocast, `bf16-weights` a base held "
                     "in bfloat16; the faster of both is shown and named where it is not autocast.")
    else:
        lines.append("- No Python with torch, transformers and peft was named, so that there are figures of graft alone.")
    return "\n".join(lines) + "\n"


def page(document):
    head = "# Results\n\nWritten by `make benchmark`; [what is measured and how](README.md).\n\n" + _machine(document)
    picture = "\n![Rates against the machine's limits](results.svg)\n"
    parts = [_best(document), _training(document), _generation(document), _fine_tuning(document), _start(document), _failures(document)]
    return "\n".join([head + picture] + [part for part in parts if part])


def plot(document):
    """Products of LoRA's steps and weights read in generation, each against what the machine can do."""
    groups = []
    for row in _rows(document, "train"):
        flops = _median(row["graft"], "model_flops_per_token")
        if row["method"] != "lora" or flops is None:
            continue
        ours, theirs = _median(row["graft"], "tokens_per_second"), _median(best_peer(row)[1], "tokens_per_second")
        groups.append((f"{row['preset']} {row['precision']}", [rate and flops * rate / 1e9 for rate in (ours, theirs)],
                       _products(document)[row["precision"]][0]))
    limit, reads = _bandwidth(document), []
    for row in _rows(document, "generate"):
        rates = [_median(runs, "decode_tokens_per_second") for runs in (row["graft"], best_peer(row)[1])]
        if rates[0] and limit:
            reads.append((f"{row['preset']} {row['precision']}", [rate and _bytes_per_second(row, rate) / 1e9 for rate in rates], limit / 1e9))
    return bars([
        ("LoRA steps: GFLOP/s of the model's products, of the tile's measured rate", groups),
        ("Greedy generation: GB/s of weights read, of memory's measured rate", reads)], ["graft", "PyTorch"])
