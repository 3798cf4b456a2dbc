"""Arithmetic as LLVM code, for scalars and vectors alike.

No fast-math flag is used: every operation rounds as written, an element of a vector exactly as a
scalar. That is what makes a run alone and the same run in a SIMD lane equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

Value = Any  # an LLVM value, scalar or vector


def splat(builder: ir.IRBuilder, value: Value, width: int) -> Value:
    """Return `value` in every element of a vector."""
    vector = ir.VectorType(value.type, width)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), mask)


def const(like: Value, number: float) -> Value:
    """Return `number` as a constant of the type of `like`."""
    if isinstance(like.type, ir.VectorType):
        return ir.Constant(like.type, [number] * like.type.count)
    return ir.Constant(like.type, number)


def element_of(kind: ir.Type) -> ir.Type:
    """Return the scalar type behind a scalar or vector type."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def integers_like(kind: ir.Type) -> tuple[ir.Type, int, int, int]:
    """Return the integer type of the same shape, mantissa bits, exponent bias, largest exponent."""
    double = isinstance(element_of(kind), ir.DoubleType)
    whole = ir.IntType(64 if double else 32)
    if isinstance(kind, ir.VectorType):
        whole = ir.VectorType(whole, kind.count)
    return (whole, 52, 1023, 1022) if double else (whole, 23, 127, 126)


def fma(b: ir.IRBuilder, x: Value, y: Value, z: Value) -> Value:
    """Return ``x y + z``, rounded once."""
    name = "llvm.fma." + type_suffix(x.type)
    kind = ir.FunctionType(x.type, [x.type] * 3)
    return b.call(cgutils.get_or_insert_function(b.module, kind, name), [x, y, z])


def type_suffix(kind: ir.Type) -> str:
    """Return LLVM's name of a type as overloaded intrinsics carry it."""
    bits = "f64" if isinstance(element_of(kind), ir.DoubleType) else "f32"
    return f"v{kind.count}{bits}" if isinstance(kind, ir.VectorType) else bits


def clamp(b: ir.IRBuilder, x: Value, bound: float) -> Value:
    """Return x within ±bound; written so that each half is one min or max instruction."""
    low, high = const(x, -bound), const(x, bound)
    x = b.select(b.fcmp_ordered(">", low, x), low, x)
    return b.select(b.fcmp_ordered("<", high, x), high, x)


def estrin(b: ir.IRBuilder, x: Value, coefficients: Sequence[float]) -> Value:
    """Return the polynomial with the given coefficients, lowest first, in few dependent steps."""
    terms = [const(x, c) for c in coefficients]
    while len(terms) > 1:
        pairs = [fma(b, terms[k + 1], x, terms[k]) for k in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[len(terms) - len(terms) % 2 :]
        x = b.fmul(x, x)
    return terms[0]


def exp_parts(b: ir.IRBuilder, x: Value) -> tuple[Value, Value, Value]:
    """Return (r, q, s) with ``exp(x) = s + s q``, s a power of two, q = expm1(r).

    x must lie within ±700 (float64) or ±80 (float32).
    """
    whole, mantissa, bias, _ = integers_like(x.type)
    double = mantissa == 52
    # Adding 1.5 * 2^mantissa leaves the nearest integer in the low bits of the sum.
    shift = const(x, 1.5 * 2.0**mantissa)
    t = fma(b, x, const(x, 1.4426950408889634), shift)
    k = b.fneg(b.fsub(t, shift))
    high, low = (
        (0.6931471805599453, 2.3190468138462996e-17)
        if double
        else (0.693145751953125, 1.42860682030941723212e-6)
    )
    r = fma(b, k, const(x, low), fma(b, k, const(x, high), x))
    tail = estrin(b, r, [1 / factorial(n) for n in range(2, 14 if double else 9)])
    q = fma(b, b.fmul(r, r), tail, r)
    bits = b.add(b.bitcast(t, whole), const_int(whole, bias))
    return r, q, b.bitcast(b.shl(bits, const_int(whole, mantissa)), x.type)


def const_int(kind: ir.Type, number: int) -> Value:
    """Return an integer constant of a scalar or vector type."""
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


def exp_limit(x: Value) -> float:
    """Return the bound within which `exp_parts` may be asked."""
    return 700.0 if isinstance(element_of(x.type), ir.DoubleType) else 80.0


def emit_exp(b: ir.IRBuilder, x: Value) -> Value:
    """Return exp(x), x clamped to where the result is a normal number."""
    _, q, s = exp_parts(b, clamp(b, x, exp_limit(x)))
    return fma(b, s, q, s)


def emit_logistic(b: ir.IRBuilder, x: Value) -> Value:
    """Return ``1 / (1 + exp(-x))``."""
    one = const(x, 1.0)
    return b.fdiv(one, b.fadd(one, emit_exp(b, b.fneg(x))))


def emit_tanh(b: ir.IRBuilder, x: Value) -> Value:
    """Return tanh(x) as ``e / (e + 2)``, e = expm1(2 x), which keeps small x accurate."""
    limit = 20.0 if isinstance(element_of(x.type), ir.DoubleType) else 10.0
    x = clamp(b, x, limit)  # beyond, tanh rounds to ±1
    _, q, s = exp_parts(b, b.fadd(x, x))
    e = fma(b, s, q, b.fsub(s, const(x, 1.0)))
    return b.fdiv(e, b.fadd(e, const(x, 2.0)))


def emit_softplus(b: ir.IRBuilder, x: Value) -> Value:
    """Return ``log(1 + exp(x))`` as ``max(x, 0) + log1p(exp(-|x|))``; NaN and inf stay."""
    zero = const(x, 0.0)
    magnitude = b.select(b.fcmp_ordered("<", x, zero), b.fneg(x), x)
    u = emit_exp(b, b.fneg(magnitude))
    # log1p(u) = 2 atanh(u / (2 + u)), whose argument is at most 1/3 and needs no splitting.
    v = b.fdiv(u, b.fadd(u, const(x, 2.0)))
    double = isinstance(element_of(x.type), ir.DoubleType)
    series = estrin(b, b.fmul(v, v), ATANH if double else [2 / (2 * n + 1) for n in range(8)])
    return fma(b, v, series, b.select(b.fcmp_ordered("<", x, zero), zero, x))


# 2 atanh(sqrt(w)) / sqrt(w) for w in 0 to 1/9, error below 1e-19 (mpmath.chebyfit, 40 digits).
ATANH = (
    2.0, 0.6666666666666669, 0.3999999999999287, 0.28571428572622926, 0.22222222119103674,
    0.18181823422495252, 0.1538444706045997, 0.13336876815743837, 0.11715274668110426,
    0.10976616637947494, 0.06980390498332432, 0.16488285931389568,
)  # fmt: skip


def emit_relu(b: ir.IRBuilder, x: Value) -> Value:
    """Return max(x, 0); NaN stays NaN."""
    zero = const(x, 0.0)
    return b.select(b.fcmp_ordered(">", zero, x), zero, x)


def tree_sum(b: ir.IRBuilder, leaf: Callable[[int], Value], lanes: int) -> Value:
    """Add leaf(0) to leaf(lanes - 1) in the order in which a register is folded in halves."""

    def fold(first: int, stride: int) -> Value:
        if stride == lanes:
            return leaf(first)
        return b.fadd(fold(first, 2 * stride), fold(first + stride, 2 * stride))

    return fold(0, 1)


def part(b: ir.IRBuilder, vector: Value, first: int, count: int) -> Value:
    """Return elements first to first + count - 1 of a vector."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count)))
    return b.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def emit_dot(b: ir.IRBuilder, xs: Sequence[Value], ys: Sequence[Value]) -> Value:
    """Return the scalar product of two vectors given in pieces: piece by piece, then halved."""
    total = b.fmul(xs[0], ys[0])
    for x, y in zip(xs[1:], ys[1:], strict=True):
        total = fma(b, x, y, total)
    lanes = total.type.count
    while lanes > 1:
        lanes //= 2
        total = b.fadd(part(b, total, 0, lanes), part(b, total, lanes, lanes))
    return b.extract_element(total, ir.IntType(32)(0))
