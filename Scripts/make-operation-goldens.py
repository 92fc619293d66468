#!/usr/bin/env python3
"""Writes Tests/GraftTensorsTests/Fixtures/operations.json: what torch computes of every operation's specimen in float64.
Beside it, `selection.json` has rows with equal elements, and those that `torch.topk` chooses.

A specimen's inputs are not stored: they are made from its name as `OperationSpecimen.makeInputs` does. A tensor is kept as
its first values and a weighted sum of all. Needs numpy and torch. An operation that is new gets a line in `SPECIMENS` here.

    python Scripts/make-operation-goldens.py
"""

import json
import math
import pathlib

import numpy
import torch
from torch.nn import functional as F

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftTensorsTests" / "Fixtures" / "operations.json"
WORD = 0xFFFFFFFFFFFFFFFF


# -- the random streams of the engine ----------------------------------------------------------------------


def mixed(z):
    """The finaliser of SplitMix64."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def philox(key, counter):
    """Philox 4x32 with ten rounds (Salmon et al. 2011)."""
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    c = [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


class Stream:
    def __init__(self, seed=None, key=None):
        self.key = mixed(seed ^ 0x6772616674736565) if key is None else key

    def split(self, part):
        if isinstance(part, int):
            return Stream(key=mixed((self.key + mixed((part + 0x9E3779B97F4A7C15) & WORD)) & WORD))
        digest = 0xCBF29CE484222325
        for byte in part.encode():
            digest = ((digest ^ byte) * 0x100000001B3) & WORD
        return Stream(key=mixed(self.key ^ mixed(digest)))

    def units(self, count, start=0):
        """Uniform float32 numbers in [0, 1)."""
        return numpy.array(
            [philox(self.key, at >> 2)[at & 3] >> 8 for at in range(start, start + count)], numpy.float32) * numpy.float32(2**-24)

    def uniform(self, shape, low=-1, high=1):
        low, width = numpy.float32(low), numpy.float32(high) - numpy.float32(low)
        return (low + width * self.units(int(numpy.prod(shape)))).reshape(shape)

    def mask(self, count, probability, start=0):
        """What dropout multiplies by."""
        keep = numpy.float32(1) - numpy.float32(probability)
        return torch.from_numpy((self.units(count, start) < keep) / numpy.float64(keep))


# -- the operations ----------------------------------------------------------------------------------------


def attention(query, key, value, heads, groups, spans, window=None, kind="causal", prefixes=(), scale=None, bias=None, dropout=None,
              softcap=None, sinks=None):
    """Softmax attention, a query at a time; `spans` are (queries, keys) as pairs of bounds."""
    size, width = query.shape[1] // heads, value.shape[1] // groups
    scale = size**-0.5 if scale is None else scale
    rows = [[torch.zeros(width, dtype=torch.float64) for _ in range(heads)] for _ in range(len(query))]
    for number, ((q0, q1), (k0, k1)) in enumerate(spans):
        lead = (k1 - k0) - (q1 - q0)
        for row in range(q0, q1):
            place = lead + row - q0
            last = {"causal": place + 1, "bidirectional": k1 - k0, "prefix": max(place + 1, prefixes[number] if prefixes else 0)}[kind]
            first = 0 if window is None else max(0, place - window + 1)
            for head in range(heads):
                group = head // (heads // groups)
                keys = key[k0 + first : k0 + last, group * size : (group + 1) * size]
                scores = keys @ query[row, head * size : (head + 1) * size] * scale
                if softcap is not None:
                    scores = softcap * torch.tanh(scores / softcap)
                if bias is not None:
                    reach = bias.shape[1] // 2
                    scores = scores + bias[head, reach + first - place : reach + last - place]
                if sinks is not None:
                    scores = torch.cat([scores, sinks[head : head + 1]])
                weights = scores.softmax(0)[: last - first]
                if dropout is not None:
                    probability, stream = dropout
                    weights = weights * stream.split(head * len(query) + row).mask(last - first, probability, first)
                rows[row][head] = weights @ value[k0 + first : k0 + last, group * width : (group + 1) * width]
    return torch.stack([torch.cat(row) for row in rows])


def bloom_slopes(heads):
    from transformers.models.bloom.modeling_bloom import _get_alibi_slopes
    return _get_alibi_slopes(heads, "cpu").double()


def rotate_end(x):
    """The last six of every head's eight components, in pairs side by side."""
    order = [h * 8 + c for h in (0, 1) for c in (2, 3, 4, 5, 6, 7, 0, 1)]
    back = [order.index(column) for column in range(16)]
    return rotate(x[:, order], True)[:, back]


def latent(joined, rotary, values=False):
    """Three heads of two key and four value columns, with three rotary columns that they share."""
    heads = joined.reshape(-1, 3, 6)
    keys = torch.cat([heads[:, :, :2], rotary[:, None].expand(-1, 3, -1)], 2).flatten(1)
    return torch.cat([keys, heads[:, :, 2:].flatten(1)], 1)


def rotate(x, interleaved):
    frequencies = numpy.array([1, 0.3, 0.02], numpy.float32)
    angles = torch.tensor(numpy.array([[numpy.float32(p) * f for f in frequencies] for p in (0, 1, 2, 7, 9)]).astype(numpy.float64))
    cosine, sine, heads = angles.cos(), angles.sin(), []
    for head in x.split(8, 1):
        first, second = (head[:, 0:6:2], head[:, 1:6:2]) if interleaved else (head[:, 0:3], head[:, 3:6])
        turned = first * cosine - second * sine, second * cosine + first * sine
        heads += [torch.stack(turned, 2).flatten(1) if interleaved else torch.cat(turned, 1), head[:, 6:]]
    return torch.cat(heads, 1)


def rms_norm(x, weight, offset=0):
    parts = x.reshape(-1, len(weight))
    return (parts / (parts.pow(2).mean(1, keepdim=True) + 1e-5).sqrt() * (weight + offset)).reshape(x.shape)


def weighted_cross_entropy(logits, targets, weights):
    return (F.cross_entropy(logits, torch.tensor(targets), reduction="none") * torch.tensor(weights)).sum()


def capped(z, limit):
    return limit * torch.tanh(z / limit)


def log_probabilities(z, targets):
    return z.log_softmax(1).gather(1, torch.tensor(targets).reshape(len(z), -1))


def cayley(angles, size, coefficients):
    blocks = []
    for row in angles:
        skew = torch.zeros(size, size, dtype=torch.float64).index_put(tuple(torch.triu_indices(size, size, 1)), row)
        skew, one = skew - skew.T, torch.eye(size, dtype=torch.float64)
        power, total = one, torch.zeros_like(one)
        for factor in coefficients:
            total, power = total + factor * power, power @ skew
        blocks.append((total if coefficients else (one - skew) @ torch.linalg.inv(one + skew)).flatten())
    return torch.stack(blocks)


def multiply_blocks(x, blocks):
    parts = x.split(3, 1)
    return torch.cat([part @ blocks[number % len(blocks)].reshape(3, -1) for number, part in enumerate(parts)], 1)


def insert(inserted, x):
    return torch.cat([inserted, x[:2], inserted, x[2:], inserted])


def replace(x, replacements):
    return torch.stack([x[0], replacements[1], replacements[0], replacements[1]])


def expert_linear(x, weights, experts, scale=1):
    """x is sorted by expert; weights are [in, out], or None."""
    return torch.stack([scale * row @ weights[e] if weights[e] is not None else 0 * row.sum() * torch.ones(5, dtype=torch.float64)
                        for row, e in zip(x, sorted(experts))])


def expert_rows(experts, choices):
    """The choice that every row of the sorted order holds."""
    return sorted(range(len(experts)), key=lambda choice: experts[choice]), choices


def dispatch(x, experts=(4, 0, 1, 4, 0, 3, 0, 4)):
    order, choices = expert_rows(experts, 2)
    return x[[choice // choices for choice in order]]


def combine(y, weights, base=0, experts=(4, 0, 1, 4, 0, 3, 0, 4)):
    order, choices = expert_rows(experts, 2)
    rows = [order.index(choice) for choice in range(len(experts))]
    return base + (y[rows].reshape(-1, choices, y.shape[1]) * weights[:, :, None]).sum(1)


def clamped_gate(x, alpha=1.702, limit=1.25):
    gate, up = x[:, ::2].clamp(max=limit), x[:, 1::2].clamp(-limit, limit)
    return (up + 1) * gate * torch.sigmoid(alpha * gate)


def along(spans, function, *tensors, states=None):
    """What a function makes of every sequence's rows, and of its state where there are some; zero in rows of none."""
    parts, at = [], 0
    for index, (first, last) in enumerate(spans):
        own = function(*(tensor[first:last] for tensor in tensors), *([] if states is None else [states[index]]))
        parts += [torch.zeros(first - at, own.shape[1], dtype=own.dtype), own]
        at = last
    return torch.cat(parts)


def causal_convolution(x, weight, bias=None):
    """A row of no sequence, between two, sees itself alone."""
    def own(x):
        padded = F.pad(x.T[None], (weight.shape[2] - 1, 0))
        return F.conv1d(padded, weight, bias, groups=len(weight))[0].T

    return torch.cat([own(x[0:3]), own(x[3:4]), own(x[4:9])])


def token_shift(x, mix, of_previous=False):
    share = 1 - mix[0] if of_previous else mix[0]

    def own(x):
        return x * share + F.pad(x, (0, 0, 1, -1)) * (1 - share)

    return torch.cat([own(x[0:3]), own(x[3:4]), own(x[4:9])])


def selective_scan(spans):
    def function(x, delta, rates, b, c, skip, state=None):
        def own(x, delta, b, c, state=torch.zeros_like(rates.T)):
            h, out = state.reshape(rates.T.shape).T, []
            for row, step in enumerate(F.softplus(delta)):
                h = torch.exp(-step[:, None] * rates.exp()) * h + (step * x[row])[:, None] * b[row]
                out.append(h @ c[row] + skip * x[row])
            return torch.stack(out)

        return along(spans, own, x, delta, b, c, states=state)

    return function


def structured_scan(spans, least=0.0, most=math.inf):
    """Mamba-2's scan of four heads in two groups, row after row."""
    def function(x, delta, bias, rates, b, c, skip, state=None):
        heads, groups = len(rates), 2
        sizes = (heads, b.shape[1] // groups, x.shape[1] // heads)

        def own(x, delta, b, c, state=torch.zeros(sizes, dtype=x.dtype)):
            s, out = state.reshape(sizes), []
            for row, raw in enumerate(delta):
                step = F.softplus(raw + bias).clamp(least, most)
                own = x[row].reshape(heads, -1)
                b_row, c_row = (t[row].reshape(groups, -1).repeat_interleave(heads // groups, 0) for t in (b, c))
                s = torch.exp(-step * rates.exp())[:, None, None] * s + (step[:, None] * b_row)[:, :, None] * own[:, None, :]
                out.append(((c_row[:, :, None] * s).sum(1) + skip[:, None] * own).flatten())
            return torch.stack(out)

        return along(spans, own, x, delta, b, c, states=state)

    return function


def weighted_key_value(spans):
    def function(key, value, decay, first, state=None):
        def own(key, value, state=None):
            n, d, out = 0, 0, []
            if state is not None:
                n, d, exponent = state.reshape(3, -1)
                n, d = n * exponent.exp(), d * exponent.exp()
            for k, v in zip(key, value):
                out.append((n + torch.exp(first + k) * v) / (d + torch.exp(first + k)))
                n, d = torch.exp(-decay.exp()) * n + torch.exp(k) * v, torch.exp(-decay.exp()) * d + torch.exp(k)
            return torch.stack(out)

        return along(spans, own, key, value, states=state)

    return function


def delta_rule(spans, size):
    """RWKV-7's recurrence, as `rwkv` computes it."""
    def function(receptance, decay, key, value, removal, rate, state=None):
        heads = key.shape[1] // size

        def own(r, w, k, v, kk, a, state=torch.zeros(heads, size, size, dtype=key.dtype)):
            s, out = state.reshape(heads, size, size).transpose(1, 2), []
            w = torch.exp(-math.exp(-0.5) * torch.sigmoid(w))
            for row in zip(*(t.reshape(len(t), heads, size) for t in (r, w, k, v, kk, a))):
                r_, w_, k_, v_, kk_, a_ = row
                s = s * w_[:, None] + (s @ -kk_[:, :, None]) @ (kk_ * a_)[:, None] + v_[:, :, None] @ k_[:, None]
                out.append((s @ r_[:, :, None]).flatten())
            return torch.stack(out)

        return along(spans, own, receptance, decay, key, value, removal, rate, states=state)

    return function


def key_bonus(x, receptance, key, value, bonus):
    heads = (len(x), *bonus.shape)
    share = (receptance.reshape(heads) * key.reshape(heads) * bonus).sum(-1, keepdim=True)
    return x + (share * value.reshape(heads)).reshape(x.shape)


ACTIVATIONS = {
    "relu": F.relu, "gelu": F.gelu, "geluTanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu,
    "quickGELU": lambda x: x * torch.sigmoid(1.702 * x), "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "relu6": F.relu6, "reluSquared": lambda x: F.relu(x) ** 2, "leakyReLU": F.leaky_relu, "clippedGELU": lambda x: F.gelu(x).clip(-10, 10),
    "mish": F.mish, "laplace": lambda x: 0.5 * (1 + torch.erf((x - 0.707107) / (0.282095 * 2**0.5))), "hardSwish": F.hardswish,
    "rootSoftplus": lambda x: F.softplus(x).sqrt(), "negativeExponential": lambda x: torch.where(x < 0, torch.expm1(x) - x, 0 * x),
}
# Away from kinks.
BOUNDS = {"relu": (0.1, 2), "relu6": (0.1, 2), "reluSquared": (0.1, 2), "leakyReLU": (-2, -0.1), "hardSwish": (-2.9, 2.9),
          "clippedGELU": (-1, 3)}

def mix_rows(logits, bank):
    """Mixtures of the three vectors with the largest logits, which lie apart."""
    place = torch.arange(30).reshape(5, 6)
    apart = (place // 6 * 7 + place % 6 * 5) % 6 / 2
    largest, chosen = (logits + apart).topk(3)
    return (largest.softmax(-1).unsqueeze(-1) * bank[chosen]).sum(1)

ROUTED = (2, 0, 0, 2, 2, 2, 0)

SPECIMENS = {
    "add": ({"a": (3, 5), "b": (3, 5)}, torch.add),
    "subtract": ({"a": (3, 5), "b": (3, 5)}, torch.sub),
    "multiply": ({"a": (3, 5), "b": (3, 5)}, torch.mul),
    "scale": ({"a": (7,)}, lambda a: -1.5 * a),
    "sum": ({"a": (4, 6)}, torch.sum),
    "euclideanNorm": ({"a": (4, 6)}, torch.linalg.vector_norm),
    "scaleColumns": ({"a": (600, 3), "row": (3,)}, torch.mul),
    "scaleRows": ({"a": (600, 3), "column": (600, 1)}, torch.mul),
    "addRow": ({"a": (600, 3), "row": (3,)}, torch.add),
    "linear": (
        {"x": (5, 4), "weight": (3, 4), "bias": (3,), "base": (5, 3)}, lambda x, w, bias, base: base + 0.5 * x @ w.T + bias),
    "linear, input by output": ({"x": (5, 4), "weight": (4, 3)}, torch.mm),
    "linear, twice from one input": ({"x": (70, 4), "first": (3, 4), "second": (3, 4)}, lambda x, a, b: x @ a.T + x @ b.T),
    "rmsNorm": ({"x": (300, 6), "weight": ((6,), 0.5, 1.5)}, rms_norm),
    "rmsNorm, per head, weight minus one": ({"x": (3, 12), "weight": (4,)}, lambda x, w: rms_norm(x, w, 1)),
    "layerNorm": (
        {"x": (300, 6), "weight": ((6,), 0.5, 1.5), "bias": (6,)}, lambda x, w, bias: F.layer_norm(x, (6,), w, bias, 1e-5)),
    "layerNorm, per head": ({"x": (3, 12), "weight": (4,), "bias": (4,)}, lambda x, w, bias: F.layer_norm(
        x.reshape(9, 4), (4,), w, bias, 1e-5).reshape(3, 12)),
    "gatherRows": ({"table": (5, 4)}, lambda table: table[[3, 0, 3, 1]]),
    "rotate, halves": ({"x": (5, 16)}, lambda x: rotate(x, False)),
    "rotate, interleaved": ({"x": (5, 16)}, lambda x: rotate(x, True)),
    "rotate, the end of a head": ({"x": (5, 16)}, rotate_end),
    "latentKeysAndValues": ({"joined": (5, 18), "rotary": (5, 3)}, lambda joined, rotary: latent(joined, rotary)),
    "latentKeysAndValues, keys alone": ({"joined": (5, 18), "rotary": (5, 3)}, lambda joined, rotary: latent(joined, rotary)[:, :15]),
    "attention, causal, grouped, packed": (
        {"query": (7, 12), "key": (7, 6), "value": (7, 4)},
        lambda q, k, v: attention(q, k, v, 4, 2, [((0, 3), (0, 3)), ((3, 7), (3, 7))])),
    "attention, several blocks": (
        {"query": (150, 4), "key": (150, 4), "value": (150, 4)}, lambda q, k, v: attention(q, k, v, 2, 2, [((0, 150), (0, 150))])),
    "attention, window, padding": (
        {"query": (9, 4), "key": (9, 2), "value": (9, 3)},
        lambda q, k, v: attention(q, k, v, 2, 1, [((0, 4), (0, 4)), ((5, 8), (5, 8))], window=2)),
    "attention, cached keys": (
        {"query": (2, 4), "key": (5, 4), "value": (5, 4)}, lambda q, k, v: attention(q, k, v, 2, 2, [((0, 2), (0, 5))])),
    # The rows that the spans read, laid out one after another.
    "attention, runs of keys": (
        {"query": (5, 4), "key": (9, 2), "value": (9, 3)},
        lambda q, k, v: attention(
            q, k[[0, 1, 4, 5, 6, 0, 1, 8, 3]], v[[0, 1, 4, 5, 6, 0, 1, 8, 3]], 2, 1, [((0, 3), (0, 5)), ((3, 5), (5, 9))])),
    "attention, dropout": (
        {"query": (70, 4), "key": (70, 4), "value": (70, 4)},
        lambda q, k, v: attention(q, k, v, 2, 2, [((0, 70), (0, 70))], dropout=(0.3, Stream(3)))),
    "attention, prefix": (
        {"query": (6, 4), "key": (6, 4), "value": (6, 4)},
        lambda q, k, v: attention(q, k, v, 1, 1, [((0, 6), (0, 6))], kind="prefix", prefixes=[3])),
    "attention, bidirectional, distance bias": (
        {"query": (5, 4), "key": (5, 4), "value": (5, 4), "bias": (2, 13)},
        lambda q, k, v, bias: attention(q, k, v, 2, 2, [((0, 5), (0, 5))], kind="bidirectional", scale=1, bias=bias)),
    "attention, scaled, distance bias": (
        {"query": (4, 4), "key": (4, 2), "value": (4, 3), "bias": (2, 9)},
        lambda q, k, v, bias: attention(q, k, v, 2, 1, [((0, 4), (0, 4))], scale=0.3, bias=bias)),
    "attention, window, several blocks": (
        {"query": (90, 4), "key": (90, 4), "value": (90, 2)},
        lambda q, k, v: attention(q, k, v, 2, 2, [((0, 75), (0, 75)), ((75, 90), (75, 90))], window=20)),
    "attention, softcap": (
        {"query": ((40, 8), -3, 3), "key": ((40, 4), -3, 3), "value": (40, 6)},
        lambda q, k, v: attention(q, k, v, 4, 2, [((0, 35), (0, 35))], scale=0.7, softcap=2)),
    "attention, softcap, distance bias, dropout": (
        {"query": ((6, 4), -3, 3), "key": ((6, 4), -3, 3), "value": (6, 4), "bias": (2, 13)},
        lambda q, k, v, bias: attention(
            q, k, v, 2, 2, [((0, 6), (0, 6))], kind="bidirectional", bias=bias, dropout=(0.3, Stream(3)), softcap=1.5)),
    # BLOOM's slopes of three heads, and key positions where they are counted from the query's.
    "attention, slopes": (
        {"query": (7, 6), "key": (9, 6), "value": (9, 6)},
        lambda q, k, v: attention(
            q, k, v, 3, 3, [((0, 2), (0, 4)), ((2, 7), (4, 9))],
            bias=bloom_slopes(3)[:, None] * torch.arange(-5, 6, dtype=torch.float64)[None])),
    "attention, sinks": (
        {"query": (45, 8), "key": (45, 4), "value": (45, 6), "sinks": (4,)},
        lambda q, k, v, sinks: attention(q, k, v, 4, 2, [((0, 3), (0, 3)), ((3, 45), (3, 45))], window=5, sinks=sinks)),
    "attention, sinks, dropout": (
        {"query": (5, 4), "key": (5, 4), "value": (5, 4), "sinks": (2,)},
        lambda q, k, v, sinks: attention(q, k, v, 2, 2, [((0, 5), (0, 5))], dropout=(0.3, Stream(3)), sinks=sinks)),
    "attention, key blocks, grouped": (
        {"query": (640, 8), "key": (640, 4), "value": (640, 6)},
        lambda q, k, v: attention(q, k, v, 4, 2, [((0, 600), (0, 600)), ((600, 635), (600, 635))])),
    "attention, key blocks, bidirectional, distance bias": (
        {"query": (530, 4), "key": (530, 4), "value": (530, 4), "bias": (2, 1059)},
        lambda q, k, v, bias: attention(q, k, v, 2, 2, [((0, 530), (0, 530))], kind="bidirectional", scale=0.3, bias=bias)),
    "attention, key blocks, window, sinks, dropout": (
        {"query": (1100, 4), "key": (1100, 2), "value": (1100, 3), "sinks": (2,)},
        lambda q, k, v, sinks: attention(q, k, v, 2, 1, [((0, 1100), (0, 1100))], window=520, dropout=(0.3, Stream(3)), sinks=sinks)),
    "attention, key blocks, prefix, softcap": (
        {"query": ((560, 4), -3, 3), "key": ((560, 4), -3, 3), "value": (560, 2)},
        lambda q, k, v: attention(q, k, v, 2, 2, [((0, 560), (0, 560))], kind="prefix", prefixes=[520], scale=0.7, softcap=2)),
    "attention, key blocks, runs of keys": (
        {"query": (46, 4), "key": (700, 2), "value": (700, 3)},
        lambda q, k, v: attention(
            q, torch.cat([k[:100], k[150:640], k[:100], k[640:]]), torch.cat([v[:100], v[150:640], v[:100], v[640:]]), 2, 1,
            [((0, 40), (0, 590)), ((40, 46), (590, 750))])),
    "attention, key blocks, another source": (
        {"query": (560, 4), "key": (8, 4), "value": (8, 4), "sinks": (2,)},
        lambda q, k, v, sinks: attention(q, k, v, 2, 2, [((0, 550), (0, 8))], kind="bidirectional", sinks=sinks)),
    "linearCrossEntropy, in chunks": (
        {"hidden": (1100, 2), "head": (5, 2), "bias": (5,)},
        lambda h, w, bias: 0.01 * F.cross_entropy(h @ w.T + bias, torch.arange(1100) * 7 % 5, reduction="sum")),
    "linearCrossEntropy": (
        {"hidden": (6, 4), "head": (9, 4), "bias": (9,)},
        lambda h, w, bias: 0.25 * F.cross_entropy(h @ w.T + bias, torch.tensor([0, 8, 3, 3, 5, 1]), reduction="sum")),
    "crossEntropy": ({"logits": (4, 5)}, lambda z: 0.5 * F.cross_entropy(z, torch.tensor([0, 4, 2, 2]), reduction="sum")),
    "linearCrossEntropy, weighted": (
        {"hidden": (4, 3), "head": (5, 3)}, lambda h, w: 0.25 * weighted_cross_entropy(h @ w.T, [0, 4, 2, 2], [1, 0, 0.5, 2])),
    "crossEntropy, weighted": (
        {"logits": (4, 5)}, lambda z: 0.5 * weighted_cross_entropy(z, [0, 4, 2, 2], [1, 0, 0.5, 2])),
    "linearCrossEntropy, smoothed": (
        {"hidden": (4, 3), "head": (5, 3)},
        lambda h, w: 0.25 * F.cross_entropy(h @ w.T, torch.tensor([0, 4, 2, 2]), reduction="sum", label_smoothing=0.2)),
    "crossEntropy, smoothed with classes weighed": (
        {"logits": (4, 5)},
        lambda z: 0.5 * F.cross_entropy(
            z, torch.tensor([0, 4, 2, 2]), torch.tensor([1, 2, 0.5, 0, 3], dtype=torch.float64), reduction="sum", label_smoothing=0.1)),
    "linearCrossEntropy, softcap": (
        {"hidden": ((4, 3), -3, 3), "head": ((5, 3), -3, 3), "bias": (5,)},
        lambda h, w, bias: 0.25 * weighted_cross_entropy(capped(h @ w.T + bias, 2), [0, 4, 2, 2], [1, 0, 0.5, 2])),
    "softcap": ({"x": ((4, 9), -9, 9)}, lambda x: capped(x, 3)),
    "targetLogProbabilities": ({"logits": (4, 5)}, lambda z: log_probabilities(z, [0, 4, 2, 2]).flatten()),
    "targetLogProbabilities, several a row": ({"logits": (3, 5)}, lambda z: log_probabilities(z, [0, 4, 2, 2, 1, 3])),
    "linearTargetLogProbabilities": (
        {"hidden": (6, 4), "head": (9, 4), "bias": (9,)},
        lambda h, w, bias: log_probabilities(h @ w.T + bias, [0, 8, 3, 3, 5, 1]).flatten()),
    "linearTargetLogProbabilities, softcap": (
        {"hidden": ((4, 3), -3, 3), "head": ((5, 3), -3, 3)},
        lambda h, w: log_probabilities(capped(h @ w.T, 2), [0, 4, 2, 2, 1, 3, 0, 1])),
    "linearTargetLogProbabilities, in chunks": (
        {"hidden": (1100, 2), "head": (5, 2), "bias": (5,)},
        lambda h, w, bias: log_probabilities(h @ w.T + bias, [row * 7 % 5 for row in range(1100)]).flatten()),
    "dropout": ({"x": (8, 8)}, lambda x: x * Stream(5).mask(64, 0.4).reshape(8, 8)),
    "reshape": ({"x": (4, 6)}, lambda x: x.reshape(3, 8)),
    "transpose": ({"x": (3, 5)}, lambda x: x.T),
    "rows": ({"x": (5, 3)}, lambda x: x[1:4]),
    "columns": ({"x": (5, 6)}, lambda x: x[:, 2:5]),
    "concatenateRows": ({"a": (2, 3), "b": (4, 3)}, lambda a, b: torch.cat([a, b, a])),
    "recomputed": ({"x": (5, 4), "weight": (4, 4)}, lambda x, w: torch.tanh(x @ w.T) + x),
    "insertRows": ({"inserted": (2, 3), "x": (5, 3)}, insert),
    "mixRows": ({"logits": ((5, 6), -0.2, 0.2), "bank": (6, 4)}, mix_rows),
    "replaceRows": ({"x": (4, 3), "replacements": (2, 3)}, replace),
    "transposeRows": ({"x": (3, 12)}, lambda x: x.reshape(3, 3, 4).transpose(1, 2).reshape(3, 12)),
    "cayleyTransform, exact": ({"angles": (2, 6)}, lambda a: cayley(a, 4, [])),
    "cayleyTransform, five terms": ({"angles": (2, 6)}, lambda a: cayley(a, 4, [1, 2, 2, 2, 1])),
    "cayleyTransform, two terms": ({"angles": (1, 3)}, lambda a: cayley(a, 3, [1, 2])),
    "softmax": ({"x": ((4, 7), -3, 3)}, lambda x: x.softmax(1)),
    "logSumExp": ({"x": ((4, 7), -3, 3)}, lambda x: x.logsumexp(1, keepdim=True)),
    "normalizeRows": ({"x": ((4, 3), 0.1, 1)}, lambda x: x / (x.sum(1, keepdim=True) + 0.01)),
    "gatherColumns": ({"x": (3, 5)}, lambda x: x.gather(1, torch.tensor([[4, 0], [1, 2], [3, 1]]))),
    "dispatchRows": ({"x": (4, 3)}, dispatch),
    "combineRows": ({"y": (8, 3), "weights": (4, 2), "base": (4, 3)}, combine),
    "combineRows, alone": ({"y": (8, 3), "weights": (4, 2)}, combine),
    "expertLinear": (
        {"x": (7, 4), "weights": (3, 5, 4), "bias": (3, 5), "base": (7, 5)},
        lambda x, w, bias, base: base + expert_linear(x, w.mT, ROUTED, 0.5) + bias[sorted(ROUTED)]),
    "expertLinear, input by output": ({"x": (7, 4), "weights": (3, 4, 5)}, lambda x, w: expert_linear(x, w, ROUTED)),
    "expertLinear, separate": ({"x": (7, 4), "first": (5, 4), "third": (5, 4)}, lambda x, a, c: expert_linear(x, [a.T, None, c.T], ROUTED)),
    "expertLinear, an expert without a matrix": ({"x": (7, 4), "first": (5, 4)}, lambda x, a: expert_linear(x, [a.T, None, None], ROUTED)),
    "expertFactors": ({"b": (4, 6)}, lambda b: b.reshape(4, 2, 3).permute(2, 0, 1)),
    "clampedGate": ({"x": ((4, 12), -2, 2)}, clamped_gate),
    "causalConvolution": ({"x": (9, 5), "weight": (5, 1, 4), "bias": (5,)}, causal_convolution),
    "causalConvolution, without bias": ({"x": (9, 70), "weight": (70, 1, 2)}, causal_convolution),
    "tokenShift": ({"x": (9, 5), "mix": (1, 1, 5)}, token_shift),
    "tokenShift, the share of the row before": (
        {"x": (9, 5), "mix": (1, 1, 5)}, lambda x, mix: token_shift(x, mix[0], of_previous=True)),
    "selectiveScan": (
        {"x": (9, 5), "delta": (9, 5), "rates": (5, 3), "input": (9, 3), "output": (9, 3), "skip": (5,)},
        selective_scan([(0, 3), (4, 9)])),
    "selectiveScan, from a state": (
        {"x": (9, 5), "delta": (9, 5), "rates": (5, 3), "input": (9, 3), "output": (9, 3), "skip": (5,), "state": (2, 15)},
        selective_scan([(0, 3), (4, 9)])),
    "selectiveScan, chunks": (
        {"x": (40, 66), "delta": ((40, 66), -2, 2), "rates": ((66, 2), -2, 1), "input": (40, 2), "output": (40, 2), "skip": (66,)},
        selective_scan([(0, 35), (35, 40)])),
    "weightedKeyValue": (
        {"key": ((9, 5), -2, 2), "value": (9, 5), "decay": (5,), "first": (5,)}, weighted_key_value([(0, 3), (4, 9)])),
    "weightedKeyValue, from a state": (
        {"key": ((9, 5), -2, 2), "value": (9, 5), "decay": (5,), "first": (5,), "state": ((2, 15), 0.5, 1.5)},
        weighted_key_value([(0, 3), (4, 9)])),
    "weightedKeyValue, chunks": (
        {"key": ((40, 66), -2, 2), "value": (40, 66), "decay": ((66,), -5, 0), "first": (66,)},
        weighted_key_value([(0, 35), (35, 40)])),
    "structuredScan": (
        {"x": (9, 12), "delta": ((9, 4), -2, 2), "stepBias": (4,), "rates": (4,), "input": (9, 6), "output": (9, 6), "skip": (4,),
         "state": (2, 36)},
        structured_scan([(0, 3), (4, 9)], 0.53, 1.38)),
    "structuredScan, blocks": (
        {"x": (80, 4), "delta": ((80, 4), -4, -1), "stepBias": (4,), "rates": (4,), "input": (80, 4), "output": (80, 4), "skip": (4,),
         "state": (2, 8)},
        structured_scan([(0, 70), (70, 80)])),
    "generalizedDeltaRule": (
        {"receptance": (9, 6), "decay": ((9, 6), -2, 2), "key": (9, 6), "value": (9, 6), "removal": ((9, 6), -0.5, 0.5), "rate": ((9, 6), 0, 1),
         "state": (2, 18)},
        delta_rule([(0, 3), (4, 9)], 3)),
    "generalizedDeltaRule, chunks": (
        {"receptance": (40, 4), "decay": ((40, 4), -2, 2), "key": (40, 4), "value": (40, 4), "removal": ((40, 4), -0.5, 0.5),
         "rate": ((40, 4), 0, 1)},
        delta_rule([(0, 35), (35, 40)], 2)),
    "addKeyBonus": ({"x": (9, 6), "receptance": (9, 6), "key": (9, 6), "value": (9, 6), "bonus": (2, 3)}, key_bonus),
    "multiplyBlocks": ({"x": (5, 6), "blocks": (2, 9)}, multiply_blocks),
    "multiplyBlocks, oblong": ({"x": (5, 6), "blocks": (2, 12)}, multiply_blocks),
    "multiplyBlocks, shared": ({"x": (5, 6), "blocks": (1, 9)}, multiply_blocks),
}
for name, function in ACTIVATIONS.items():
    bounds = BOUNDS.get(name, (-3, 3))
    SPECIMENS[f"activate, {name}"] = ({"x": ((4, 9), *bounds)}, function)
    SPECIMENS[f"gated, {name}"] = (
        {"gate": ((4, 9), *bounds), "up": (4, 9)}, lambda gate, up, function=function: function(gate) * up)


# -- the file ----------------------------------------------------------------------------------------------


def described(tensor):
    values = tensor.detach().flatten().numpy()
    weights = ((numpy.arange(len(values)) * 37) % 101 - 50) / 50
    return [float(f"{x:.8g}") for x in [float(values @ weights), *values[:8]]]


def selections():
    """Rows of few different values, with the columns of the largest."""
    cases = []
    for columns in (1, 2, 5, 8, 16, 60, 64, 128, 256):
        for count in (1, 2, 3, 4, 6, 8):
            for values in (1, 2, 3):
                if count <= columns:
                    row = [(7 * place + place * place // 3) % values for place in range(columns)]
                    chosen = torch.tensor(row, dtype=torch.float32).topk(count)[1]
                    cases.append({"values": row, "chosen": sorted(chosen.tolist())})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    FILE.with_name("selection.json").write_text("[\n" + lines + "\n]\n")


def main():
    selections()
    goldens = {}
    for name, (inputs, function) in SPECIMENS.items():
        tensors = {}
        for key, shape in inputs.items():
            shape, *bounds = shape if isinstance(shape[0], tuple) else (shape,)
            values = Stream(20).split(name).split(key).uniform(shape, *bounds)
            tensors[key] = torch.tensor(values.astype(numpy.float64), requires_grad=True)
        out = function(*tensors.values())
        seed = Stream(7).split(name).split("output").uniform(tuple(out.shape))
        out.backward(torch.tensor(seed.astype(numpy.float64)))
        goldens[name] = {
            "shape": list(out.shape), "output": described(out),
            "gradients": {key: described(tensor.grad) for key, tensor in tensors.items()},
        }
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(golden, separators=(',', ':'))}" for name, golden in goldens.items())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("{\n" + lines + "\n}\n")


main()
