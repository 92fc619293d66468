"""The values of tiny checkpoints, which scripts and tests make from the tensors' names alone."""

import numpy


def hashed(x):
    """A mixed 32-bit integer (Ettinger's lowbias32)."""
    x = x.astype(numpy.uint64) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return x ^ (x >> 16)


def value(name, shape, centre):
    """Pseudo-random values around `centre` that depend on the name alone."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    count = int(numpy.prod(shape))
    mixed = hashed(numpy.arange(count, dtype=numpy.uint64) + seed)
    return (centre + (mixed.astype(numpy.float64) / 2**32 - 0.5) * 0.8).astype(numpy.float32).reshape(shape)
