"""Writing data files."""

import json
import os


def write(path, text):
    """Writes beside the place and renames, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(text.encode("utf-8"))
    os.replace(partial, path)
    print(f"{len(text.encode('utf-8')):>10,} bytes  {path}")


def write_lines(path, records):
    write(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def write_document(path, document):
    write(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
