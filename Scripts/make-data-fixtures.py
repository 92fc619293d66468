"""Writes small Parquet and compressed data files for Tests/GraftDatasetsTests/Fixtures, and their records as JSON.

    python3 Scripts/make-data-fixtures.py      # needs pyarrow
"""
import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet

FIXTURES = Path(__file__).resolve().parent.parent / "Tests/GraftDatasetsTests/Fixtures"

ROWS = [
    {
        "prompt": f"question {i % 7} é" if i % 5 else None,
        "label": i % 3,
        "score": i / 4 if i % 6 else None,
        "flag": i % 2 == 0,
        "count": 10_000_000_000 + i,
        "tags": None if i % 11 == 0 else [f"tag {j}" if j != 1 else None for j in range(i % 4)],
        "messages": [{"role": "user", "content": f"ask {i}"}, {"role": "assistant", "content": "answer " * (i % 3)}][: i % 3],
        "meta": None if i % 4 == 0 else {"source": "a" if i % 2 else None, "page": i},
        "facts": {"k": str(i)} if i % 2 else {},
    }
    for i in range(60)
]
SCHEMA = pyarrow.schema([
    ("prompt", pyarrow.string()), ("label", pyarrow.int32()), ("score", pyarrow.float64()), ("flag", pyarrow.bool_()), ("count", pyarrow.int64()),
    ("tags", pyarrow.list_(pyarrow.string())),
    ("messages", pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))),
    ("meta", pyarrow.struct([("source", pyarrow.string()), ("page", pyarrow.int64())])),
    ("facts", pyarrow.map_(pyarrow.string(), pyarrow.string())),
])


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(
        [{**row, "facts": list(row["facts"].items())} for row in ROWS], schema=SCHEMA)
    (FIXTURES / "records.json").write_text(json.dumps(ROWS, ensure_ascii=False, separators=(",", ":")) + "\n")
    forms = {
        "snappy": {"compression": "snappy"},
        "plain": {"compression": "none", "use_dictionary": False},
        "gzip": {"compression": "gzip", "row_group_size": 25},
        "zstd-pages-2": {"compression": "zstd", "data_page_version": "2.0", "data_page_size": 64, "row_group_size": 32},
    }
    for name, options in forms.items():
        pyarrow.parquet.write_table(table, FIXTURES / f"{name}.parquet", **options)
    pyarrow.parquet.write_table(table.select(["label"]), FIXTURES / "unknown.parquet", use_dictionary=False, compression="none",
                                column_encoding={"label": "DELTA_BINARY_PACKED"})
    lines = "".join(json.dumps({"prompt": f"ask {i}", "completion": "x" * (i % 9)}) + "\n" for i in range(40)).encode()
    # Two members and two frames: both formats may be joined by `cat`.
    half = lines.index(b"\n", len(lines) // 2) + 1
    (FIXTURES / "lines.jsonl").write_bytes(lines)
    (FIXTURES / "lines.jsonl.gz").write_bytes(b"".join(gzip.compress(part, mtime=0) for part in (lines[:half], lines[half:])))
    codec = pyarrow.Codec("zstd")
    (FIXTURES / "lines.jsonl.zst").write_bytes(b"".join(codec.compress(part, asbytes=True) for part in (lines[:half], lines[half:])))


if __name__ == "__main__":
    main()
