"""The kernel of `single` for many runs at once, one in each SIMD lane.

Each lane does exactly the operations of the single kernel in the same order, so that a run is
equal to the last bit whether it trains alone or among others. Weights `theta`: the single
kernel's rows without padding, every number as `width` lanes.

The limit is how many vectors can be stored. So each hidden unit's weights are loaded once a step:
changed by the sample before, stored, and used at once for the forward pass of the next sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from triptych.models.compiled.caching import SOURCE, kernel
from triptych.models.compiled.emit import Value, const, emit_logistic, emit_relu, emit_tanh, fma
from triptych.models.compiled.single import IDENTITY, LOGISTIC, RELU, TANH
from triptych.models.compiled.vectors import (
    ELEMENTS,
    Vec,
    address,
    join,
    load,
    split,
    types,
    types_intp,
    v_add,
    v_div,
    v_exp,
    v_load,
    v_mul,
    v_store,
    v_sub,
)

ACTIVATE: dict[int, Any] = {
    RELU: emit_relu,
    TANH: emit_tanh,
    LOGISTIC: emit_logistic,
    IDENTITY: lambda _, x: x,
}
unsigned = np.uintp  # an index that cannot be negative is not tested for it
BLOCK = 16  # steps whose inputs are gathered together; they stay in the first-level cache


def activation_slope(b: ir.IRBuilder, activation: int, h: Value, slope: Value) -> Value:
    """Return `slope` (by the unit's output h) times the derivative of the activation."""
    if activation == RELU:
        zero = const(h, 0.0)
        return b.select(b.fcmp_ordered(">", h, zero), slope, zero)
    if activation == TANH:
        return b.fmul(slope, fma(b, b.fneg(h), h, const(h, 1.0)))
    if activation == LOGISTIC:
        return b.fmul(slope, fma(b, b.fneg(h), h, h))
    return slope


@dataclass(frozen=True)
class Units:
    """Emits the code of all hidden units, one vector register's worth of lanes at a time."""

    context: Any
    b: ir.IRBuilder
    vec: Vec
    sizes: tuple[int, int, int, int]  # inputs, hidden, outputs, activation

    def piece(self, kind: Any, array: Value, place: Value, p: int) -> tuple[Value, Value]:
        """Return the pointer to and the value of piece `p` of the vector at `place`."""
        one = Vec(self.vec.element, self.vec.lanes)
        pointer = address(self.context, self.b, kind, array, place)
        pointer = self.b.gep(pointer, [types_intp(p * self.vec.lanes)])
        return pointer, split(self.b, load(self.b, pointer, one))[0]

    def weights(self, kind: Any, theta: Value, j: int, p: int) -> list[tuple[Value, Value]]:
        """Return (pointer, value) of unit j's weights: inputs, bias, outputs."""
        n_i, n_h, n_o, _ = self.sizes
        places = [types_intp((k * n_h + j) * self.vec.width) for k in range(n_i + 1 + n_o)]
        return [self.piece(kind, theta, place, p) for place in places]

    def inputs(self, kind: Any, x: Value, at: Value) -> list[list[Value]]:
        """Return the inputs of one sample, by input and piece."""
        places = [self.b.add(at, at.type(i * self.vec.width)) for i in range(self.sizes[0])]
        return [[self.piece(kind, x, q, p)[1] for p in range(self.vec.pieces)] for q in places]

    def margin_weight(self, values: list[Value]) -> Value:
        """Return what the unit adds to the margin: the difference of two outputs, or the one."""
        return self.b.fsub(values[-1], values[-2]) if self.sizes[2] == 2 else values[-1]

    def update(
        self, weights: list[tuple[Value, Value]], x: list[Value], h: Value, g: Value
    ) -> list[Value]:
        """Take the step down the slope g, store the unit's weights and return them."""
        b, (n_i, _, n_o, activation) = self.b, self.sizes
        old = [value for _, value in weights]
        slope = activation_slope(b, activation, h, b.fmul(self.margin_weight(old), g))
        new = [fma(b, b.fneg(x_i), slope, w) for x_i, w in zip(x, old, strict=False)]
        new.append(b.fsub(old[n_i], slope))
        if n_o == 2:
            new.append(fma(b, g, h, old[n_i + 1]))
        new.append(fma(b, b.fneg(g), h, old[-1]))
        for (pointer, _), value in zip(weights, new, strict=True):
            size = self.vec.element.bitwidth // 8
            b.store(value, b.bitcast(pointer, value.type.as_pointer()), align=size)
        return new

    def forward(self, values: list[Value], x: list[Value]) -> tuple[Value, Value]:
        """Return the unit's output and its weight in the margin."""
        total = values[self.sizes[0]]
        for x_i, w in zip(x, values, strict=False):
            total = fma(self.b, x_i, w, total)
        activate: Callable[[ir.IRBuilder, Value], Value] = ACTIVATE[self.sizes[3]]
        return activate(self.b, total), self.margin_weight(values)

    def margin(self, unit: Callable[[int], tuple[Value, Value]]) -> Value:
        """Return the sum over units of output times weight, in the order of `emit_dot`."""
        lanes, hidden = self.vec.lanes, self.sizes[1]

        def fold(first: int, stride: int) -> Value:
            if stride < lanes:
                return self.b.fadd(fold(first, 2 * stride), fold(first + stride, 2 * stride))
            if first >= hidden:
                return ir.Constant(ir.VectorType(ELEMENTS[self.vec.element], lanes), [0.0] * lanes)
            total = self.b.fmul(*unit(first))
            for j in range(first + lanes, hidden, lanes):
                total = fma(self.b, *unit(j), total)
            return total

        return fold(0, 1)


def _types(theta: Any, constants: tuple[Any, ...]) -> tuple[Vec, tuple[int, int, int, int], Any]:
    numbers = tuple(c.literal_value for c in constants)
    vec = Vec(theta.dtype, numbers[4])
    return vec, numbers[:4], types.UniTuple(vec, numbers[1])


def _unit_order(lanes: int, hidden: int) -> list[int]:
    """Return the units in the order in which `Units.margin` asks for them."""

    def fold(first: int, stride: int) -> list[int]:
        if stride < lanes:
            return fold(first, 2 * stride) + fold(first + stride, 2 * stride)
        return list(range(first, hidden, lanes))

    return fold(0, 1)


def _emit(
    units: Units, theta: Any, x: Any, at: Any, g: Any, h: Any, next_at: Any
) -> tuple[list[list[Value]], list[Value]]:
    """Emit update (where g is given) and forward pass (where next_at is) of every unit.

    `theta` and `x` are (type, value) pairs. Returns outputs by unit and piece, sums by piece.
    """
    b, vec = units.b, units.vec
    x_old = units.inputs(x[0], x[1], at) if g is not None else []
    x_new = units.inputs(x[0], x[1], next_at) if next_at is not None else []
    outputs: dict[tuple[int, int], Value] = {}
    sums = []
    for p in range(vec.pieces):

        def unit(j: int, p: int = p) -> tuple[Value, Value]:
            weights = units.weights(theta[0], theta[1], j, p)
            values = [value for _, value in weights]
            if g is not None:
                h_j = b.extract_value(h, [j, p])
                values = units.update(
                    weights, [x_i[p] for x_i in x_old], h_j, b.extract_value(g, p)
                )
            if next_at is None:
                return values[0], values[0]
            outputs[j, p], d = units.forward(values, [x_i[p] for x_i in x_new])
            return outputs[j, p], d

        if next_at is not None:
            sums.append(units.margin(unit))
        else:
            for j in _unit_order(vec.lanes, units.sizes[1]):
                unit(j)
    by_unit = (
        [[outputs[j, p] for p in range(vec.pieces)] for j in range(units.sizes[1])] if sums else []
    )
    return by_unit, sums


def _result(
    context: Any, b: ir.IRBuilder, kinds: Any, by_unit: list[list[Value]], sums: list[Value]
) -> Value:
    h = context.make_tuple(b, kinds[0], [join(b, pieces) for pieces in by_unit])
    return context.make_tuple(b, kinds, [h, join(b, sums)])


@intrinsic(prefer_literal=True)
def lanes_first(typingctx, theta, x, at, n_i, n_h, n_o, activation, width) -> Any:  # type: ignore[no-untyped-def]
    """Return hidden outputs and margin without output bias of the sample at `at`."""
    vec, sizes, h = _types(theta, (n_i, n_h, n_o, activation, width))
    result = types.Tuple((h, vec))

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, a: Any) -> Value:
        units, kinds = Units(context, b, vec, sizes), signature.args
        parts = _emit(units, (kinds[0], a[0]), (kinds[1], a[1]), None, None, None, a[2])
        return _result(context, b, result, *parts)

    return result(theta, x, types.intp, n_i, n_h, n_o, activation, width), codegen


@intrinsic(prefer_literal=True)
def lanes_next(typingctx, theta, x, at, g, h, next_at, n_i, n_h, n_o, activation, width) -> Any:  # type: ignore[no-untyped-def]
    """Learn from the sample at `at`; return what `lanes_first` does for that at `next_at`."""
    vec, sizes, h_kind = _types(theta, (n_i, n_h, n_o, activation, width))
    result = types.Tuple((h_kind, vec))

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, a: Any) -> Value:
        units, kinds = Units(context, b, vec, sizes), signature.args
        parts = _emit(units, (kinds[0], a[0]), (kinds[1], a[1]), a[2], a[3], a[4], a[5])
        return _result(context, b, result, *parts)

    args = (theta, x, types.intp, vec, h_kind, types.intp, n_i, n_h, n_o, activation, width)
    return result(*args), codegen


@intrinsic(prefer_literal=True)
def lanes_last(typingctx, theta, x, at, g, h, n_i, n_h, n_o, activation, width) -> Any:  # type: ignore[no-untyped-def]
    """Learn from the sample at `at`."""
    vec, sizes, h_kind = _types(theta, (n_i, n_h, n_o, activation, width))

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, a: Any) -> Value:
        units, kinds = Units(context, b, vec, sizes), signature.args
        _emit(units, (kinds[0], a[0]), (kinds[1], a[1]), a[2], a[3], a[4], None)
        return context.get_dummy_value()

    args = (theta, x, types.intp, vec, h_kind, n_i, n_h, n_o, activation, width)
    return types.void(*args), codegen


@cache
def make_lanes(n_i: int, n_h: int, n_o: int, activation: int, width: int) -> Any:
    """Return the kernel for these sizes and `width` lanes.

    It takes packed weights, room to work, inputs and signs (flat, with the distance from one run's
    to the next one's), rows (K, n), learning rates (K, n) or (1, n), and sets the first
    columns of the margins (K, block) to those of the steps `first` to `stop`.
    """
    source = SOURCE
    b21_at = (n_i + 1 + n_o) * n_h * width + (n_o - 1) * width
    b20_at = b21_at - (n_o - 1) * width
    row_size, block = n_i * width, BLOCK * width

    @kernel()
    def sgd(  # type: ignore[no-untyped-def]
        theta, work, x, x_step, sign, sign_step, order_KS, lrs_KS, lr_step, first, stop, margins_KS
    ):
        assert source >= 0  # captured, see `caching.SOURCE`
        steps = stop - first
        sign_B, rate_B = work[:block], work[block : 2 * block]
        margins_B, x_B = work[2 * block : 3 * block], work[3 * block :]
        one = theta.dtype.type(1)
        for start in range(0, steps, BLOCK):
            count = min(BLOCK, steps - start)
            for lane in range(width):
                x_at, sign_at = unsigned(lane * x_step), unsigned(lane * sign_step)
                for s in range(count):
                    row = unsigned(order_KS[lane, first + start + s])
                    to = sign[sign_at + row]
                    sign_B[s * width + lane] = to
                    rate_B[s * width + lane] = to * lrs_KS[lane * lr_step, first + start + s]
                    for i in range(n_i):
                        at = x_at + row * unsigned(n_i) + unsigned(i)
                        x_B[s * row_size + i * width + lane] = x[at]
            h, total = lanes_first(theta, x_B, 0, n_i, n_h, n_o, activation, width)
            for s in range(count):
                b21, b20 = v_load(theta, b21_at, width), v_load(theta, b20_at, width)
                d_bias = v_sub(b21, b20) if n_o == 2 else b21
                margin = v_mul(v_load(sign_B, s * width, width), v_add(total, d_bias))
                v_store(margins_B, s * width, margin)
                rate = v_load(rate_B, s * width, width)
                g = v_div(rate, v_add(v_exp(v_mul(margin, -one)), one))
                v_store(theta, b21_at, v_sub(b21, g))
                if n_o == 2:
                    v_store(theta, b20_at, v_add(b20, g))
                here = s * row_size
                if s + 1 < count:
                    h, total = lanes_next(
                        theta, x_B, here, g, h, here + row_size, n_i, n_h, n_o, activation, width
                    )
                else:
                    lanes_last(theta, x_B, here, g, h, n_i, n_h, n_o, activation, width)
            for lane in range(width):
                for s in range(count):
                    margins_KS[lane, start + s] = margins_B[s * width + lane]

    return sgd
