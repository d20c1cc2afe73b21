"""Which task a prompt goes to, by Spark's hash of it, so that work can be dealt unevenly."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench_job import new_prompts

_SEED, _ROUND = 42, 0xE6546B64
_MASK = 0xFFFFFFFF


def skewed_prompts(count: int, tasks: int, times: int) -> list[str]:
    """New prompts of which one task gets `times` as many as each of the others."""
    small = round(count / (times + tasks - 1))
    wanted = [count - (tasks - 1) * small, *[small] * (tasks - 1)]
    dealt: list[list[str]] = [[] for _ in range(tasks)]
    while any(len(have) < most for have, most in zip(dealt, wanted, strict=True)):
        for prompt in new_prompts(tasks * count):
            dealt[task_of(prompt, tasks)].append(prompt)
    return [p for have, most in zip(dealt, wanted, strict=True) for p in have[:most]]


def task_of(prompt: str, tasks: int) -> int:
    """The task of that many to which Spark's hash partitioning sends a text.

    Args:
        prompt: text.
        tasks: how many there are.

    >>> task_of("Spark", 2**32)  # as `SELECT hash('Spark')` says
    228093765
    """
    value = _murmur3(prompt.encode())
    signed = value - 2**32 if value >= 2**31 else value
    return signed % tasks


def _murmur3(data: bytes) -> int:
    """MurmurHash3 (Appleby, 2011), 32 bits, as Spark does it: the last 1 to 3 bytes one by one."""
    whole = len(data) // 4 * 4
    words: Sequence[int] = [
        *(int.from_bytes(data[i : i + 4], "little") for i in range(0, whole, 4)),
        *(byte - 256 if byte >= 128 else byte for byte in data[whole:]),
    ]
    value = _SEED
    for word in words:
        value ^= _rotated(word * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK
        value = (_rotated(value, 13) * 5 + _ROUND) & _MASK
    value ^= len(data)
    value = (value ^ value >> 16) * 0x85EBCA6B & _MASK
    value = (value ^ value >> 13) * 0xC2B2AE35 & _MASK
    return value ^ value >> 16


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 32 - bits) & _MASK
