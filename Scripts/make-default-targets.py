#!/usr/bin/env python3
"""Writes the modules that PEFT adapts where a configuration names none, by `model_type`, for Tests/GraftAdaptersTests/Fixtures.

Needs peft.

    python Scripts/make-default-targets.py
"""

import json
import pathlib

from peft.utils import constants

TABLES = {
    "lora": constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING,
    "ia3": constants.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
    "ia3 feed-forward": constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
    "norms": constants.TRANSFORMERS_MODELS_TO_LNTUNING_TARGET_MODULES_MAPPING,
}

folder = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftAdaptersTests" / "Fixtures"
with open(folder / "default-targets.json", "w") as file:
    json.dump(TABLES, file, indent=1, sort_keys=True)
    file.write("\n")
