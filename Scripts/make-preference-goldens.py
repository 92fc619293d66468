#!/usr/bin/env python3
"""Writes Tests/GraftTrainingTests/Fixtures/preferences.json: losses, rewards and gradients of TRL's trainers on fixed log-probabilities.

Every loss is computed by the code of TRL itself, which is given log-probabilities of tokens in place of a model's. Needs trl (1.16), datasets
and torch.

    python Scripts/make-preference-goldens.py
"""

import json
from pathlib import Path
from types import SimpleNamespace

import torch
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

FILE = Path(__file__).resolve().parent.parent / "Tests/GraftTrainingTests/Fixtures/preferences.json"
# The numbers of tokens of better and worse answers, and of the answers to other prompts.
LENGTHS = ([3, 1, 4, 2], [2, 5, 1, 3])
LABELS = [True, False, False, True]
ACCELERATOR = SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)


class Metrics(dict):
    def __missing__(self, key):
        self[key] = []
        return self[key]


def stub(**values):
    metrics = {"train": Metrics(), "eval": Metrics()}
    return SimpleNamespace(
        accelerator=ACCELERATOR, model=SimpleNamespace(training=True), _metrics=metrics, aux_loss_enabled=False, precompute_ref_logps=True,
        _total_train_tokens=0, _tp_size=1, **values)


def draw(generator, lengths):
    return [(-3 * torch.rand(length, generator=generator, dtype=torch.float64)).tolist() for length in lengths]


def padded(answers):
    """Log-probabilities behind a prompt of one token, `[answers, tokens]`, and the mask of all tokens."""
    width = max(map(len, answers))
    values = torch.tensor([a + [0.0] * (width - len(a)) for a in answers], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[0] + [1] * len(a) + [0] * (width - len(a)) for a in answers])
    return values, mask


def model_of(values):
    zeros = torch.zeros_like(values)
    output = SimpleNamespace(log_probs=values, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    return lambda **inputs: output


def gradients(values, answers):
    return [values.grad[row, : len(answer)].tolist() for row, answer in enumerate(answers)]


def result(loss, values, answers, metrics):
    loss.backward()
    kept = {key: float(torch.as_tensor(value[-1] if isinstance(value, list) else value)) for key, value in metrics.items()
            if key.startswith("rewards/") or key == "kl"}
    return dict(loss=float(loss), gradients=gradients(values, answers), metrics=kept)


def dpo(data, losses, weights=(1.0,), beta=0.1, smoothing=0.0):
    answers = data["chosen"] + data["rejected"]
    values, mask = padded(answers)
    trainer = stub(
        beta=beta, label_smoothing=smoothing, loss_types=list(losses), loss_weights=list(weights), f_divergence_type="reverse_kl", ld_alpha=None,
        use_weighting=False)
    # What does not belong to an answer has no log-probability.
    masked = values * mask[:, 1:]
    inputs = dict(
        input_ids=torch.zeros_like(mask), attention_mask=mask, completion_mask=mask,
        ref_chosen_logps=torch.tensor(data["chosen_references"], dtype=torch.float64),
        ref_rejected_logps=torch.tensor(data["rejected_references"], dtype=torch.float64))
    loss = DPOTrainer._compute_loss(trainer, model_of(masked), inputs, False)
    return result(loss, values, answers, trainer._metrics["train"])


def smoothed_dpo(data, smoothing, beta):
    """DPO with label smoothing, which TRL has in its CPO: on log-ratios in the place of log-probabilities."""
    answers = data["chosen"] + data["rejected"]
    values, mask = padded(answers)
    sums = (values * mask[:, 1:]).sum(1)
    half = len(data["chosen"])
    ratios = sums - torch.tensor(data["chosen_references"] + data["rejected_references"], dtype=torch.float64)
    trainer = stub(alpha=0.0, beta=beta, label_smoothing=smoothing, loss_type="sigmoid")
    losses, better, worse = CPOTrainer.cpo_loss(trainer, ratios[:half], ratios[half:])
    return result(losses.mean(), values, answers, rewards(better, worse))


def rewards(better, worse):
    return {
        "rewards/chosen": better.mean(), "rewards/rejected": worse.mean(), "rewards/margins": (better - worse).mean(),
        "rewards/accuracies": (better > worse).double().mean()}


def without_reference(data, loss_of, is_mean, likelihood):
    answers = data["chosen"] + data["rejected"]
    values, mask = padded(answers)
    masked = values * mask[:, 1:]
    scores = masked.sum(1) / (mask.sum(1) if is_mean else 1)
    half = len(data["chosen"])
    losses, better, worse = loss_of(scores[:half], scores[half:])
    nll = -masked[:half].sum() / mask[:half].sum()
    return result(losses.mean() + likelihood * nll, values, answers, rewards(better, worse))


def cpo(data, loss_type, beta, gamma=0.5, likelihood=0.0, smoothing=0.0):
    trainer = stub(alpha=0.0, beta=beta, label_smoothing=smoothing, loss_type=loss_type, simpo_gamma=gamma)
    return without_reference(data, lambda a, b: CPOTrainer.cpo_loss(trainer, a, b), loss_type == "simpo", likelihood)


def orpo(data, beta):
    def loss_of(a, b):
        losses, better, worse, *_ = ORPOTrainer.odds_ratio_loss(stub(beta=beta), a, b)
        return -losses, better, worse

    # The trainer turns log-probabilities to float32, and so do the expectations here.
    return without_reference(data, loss_of, True, 1.0)


def kto(data, beta, desirable, undesirable):
    answers = data["chosen"]
    values, mask = padded(answers)
    masked = values * mask[:, 1:]
    others, _ = padded(data["rejected"])
    trainer = stub(
        beta=beta, desirable_weight=desirable, undesirable_weight=undesirable, loss_type="kto", calculate_KL=True,
        _compute_kl_logps=lambda model, batch: others.detach().sum(1))
    inputs = dict(
        input_ids=torch.zeros_like(mask), attention_mask=mask, completion_mask=mask, label=torch.tensor(LABELS),
        ref_logps=torch.tensor(data["chosen_references"], dtype=torch.float64),
        ref_KL_logps=torch.tensor(data["rejected_references"], dtype=torch.float64))
    loss = KTOTrainer._compute_loss(trainer, model_of(masked), inputs, False)
    return result(loss, values, answers, trainer._metrics["train"])


def main():
    generator = torch.Generator().manual_seed(0)
    chosen, rejected = (draw(generator, lengths) for lengths in LENGTHS)

    def references(answers):
        return [sum(a) + 2 * torch.rand(1, generator=generator).item() - 1.4 for a in answers]

    data = dict(
        chosen=chosen, rejected=rejected, chosen_references=references(chosen), rejected_references=references(rejected), labels=LABELS)
    cases = [
        ("dpo", dict(beta=0.1), dpo(data, ["sigmoid"])),
        ("dpo", dict(beta=0.7, label_smoothing=0.2), smoothed_dpo(data, 0.2, 0.7)),
        ("dpo", dict(beta=0.5, sft_weight=0.3), dpo(data, ["sigmoid", "sft"], [1.0, 0.3], beta=0.5)),
        ("dpo", dict(beta=1.5, length_normalized=True), dpo(data, ["sigmoid_norm"], beta=1.5)),
        ("hinge", dict(beta=0.9), dpo(data, ["hinge"], beta=0.9)),
        ("ipo", dict(beta=0.4), dpo(data, ["ipo"], beta=0.4)),
        ("robust", dict(beta=0.6, label_smoothing=0.15), dpo(data, ["robust"], beta=0.6, smoothing=0.15)),
        ("orpo", dict(beta=0.25), orpo(data, 0.25)),
        ("simpo", dict(beta=2.0, gamma=0.8), cpo(data, "simpo", 2.0, gamma=0.8)),
        ("simpo", dict(beta=1.2, gamma=0.3, sft_weight=0.5, label_smoothing=0.1), cpo(data, "simpo", 1.2, 0.3, 0.5, 0.1)),
        ("cpo", dict(beta=0.3), cpo(data, "sigmoid", 0.3, likelihood=1.0)),
        ("kto", dict(beta=0.5, desirable_weight=1.3, undesirable_weight=0.8), kto(data, 0.5, 1.3, 0.8)),
    ]
    described = dict(data=data, cases=[dict(loss=name, settings=settings, expected=expected) for name, settings, expected in cases])
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
