"""Writes what torch, Transformers, tokenizers and scikit-learn make of labels, for the Fixtures of several test targets.

    python3 Scripts/make-label-goldens.py      # needs torch, transformers, tokenizers, scikit-learn and scipy
"""
import json
from pathlib import Path

import numpy
import torch
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, f1_score
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers.trainer_pt_utils import LabelSmoother

TESTS = Path(__file__).resolve().parent.parent / "Tests"


def write(path, fixture):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


def logits(rows, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    # Values that four digits write exactly enough to be read back.
    return (torch.randn(rows, classes, generator=generator, dtype=torch.float64) * 2).round(decimals=4).requires_grad_()


def rounded(values):
    return [round(value, 9) for value in values.flatten().tolist()]


def case(name, z, loss, **parts):
    loss.backward()
    return {
        "name": name, "rows": z.shape[0], "classes": z.shape[1], "logits": rounded(z), "loss": loss.item(),
        "gradient": rounded(z.grad), **parts}


def cross_entropies():
    targets, cases = [2, 0, 3, 3, 1, 4], []
    weights = [0.5, 2.0, 1.0, 0.0, 3.0]
    for index, (smoothing, classes) in enumerate([(0.0, weights), (0.1, None), (0.3, weights), (0.9, [1.0] * 5)]):
        z = logits(6, 5, index)
        weight = torch.tensor(classes, dtype=torch.float64) if classes else None
        loss = cross_entropy(z, torch.tensor(targets), weight=weight, label_smoothing=smoothing)
        cases.append(case(f"torch, smoothing {smoothing}", z, loss, targets=targets, smoothing=smoothing, classWeights=classes))
    # Transformers' own, over the rows that are not ignored.
    z = logits(7, 12, 9)
    labels = torch.tensor([3, -100, 0, 11, 7, -100, 3])
    loss = LabelSmoother(epsilon=0.1)({"logits": z[None]}, labels[None])
    cases.append(case("transformers.LabelSmoother", z, loss, targets=labels.tolist(), smoothing=0.1, classWeights=None))
    return cases


def multi_labels():
    wanted = [[1, 0, 1], [0, 0, 0], [0, 1, 1], [1, 1, 1]]
    cases = []
    for weights in (None, [0.5, 3.0, 1.0]):
        z = logits(4, 3, 5)
        positive = torch.tensor(weights, dtype=torch.float64) if weights else None
        loss = binary_cross_entropy_with_logits(z, torch.tensor(wanted, dtype=torch.float64), pos_weight=positive)
        cases.append(case("BCEWithLogitsLoss", z, loss, wanted=wanted, classWeights=weights))
    return cases


def lengths():
    """How many tokens of each text `longest_first` keeps within a room."""
    words = {chr(97 + index): index for index in range(26)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    found = []
    for first in range(1, 10):
        for second in range(1, 10):
            for room in range(1, first + second):
                tokenizer.enable_truncation(room, strategy="longest_first")
                sequences = tokenizer.encode(" ".join("b" * first), " ".join("c" * second)).sequence_ids
                found.append([first, second, room, sequences.count(0), sequences.count(1)])
    return found


def metrics():
    generator = numpy.random.default_rng(3)
    actual, predicted = generator.integers(0, 2, (12, 4)), generator.integers(0, 2, (12, 4))
    actual[:, 3] = 0
    predicted[:, 3] = 0
    predicted[:5] = actual[:5]
    x, y = generator.integers(0, 5, 15).tolist(), generator.integers(0, 5, 15).tolist()
    return {
        "actual": actual.tolist(), "predicted": predicted.tolist(), "subset_accuracy": accuracy_score(actual, predicted),
        "micro_f1": f1_score(actual, predicted, average="micro"), "macro_f1": f1_score(actual, predicted, average="macro", zero_division=0),
        "x": x, "y": y, "spearman": spearmanr(x, y).statistic}


write(TESTS / "GraftTensorsTests/Fixtures/cross-entropy.json", cross_entropies())
write(TESTS / "GraftLayersTests/Fixtures/multi-label.json", multi_labels())
write(TESTS / "GraftDatasetsTests/Fixtures/longest-first.json", lengths())
write(TESTS / "GraftTrainingTests/Fixtures/label-metrics.json", metrics())
