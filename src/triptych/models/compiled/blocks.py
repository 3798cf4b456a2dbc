"""Matrix products in registers: the inner loop of the convolutions and of recurrence.

Why not BLAS: the products of a convolution in Winograd's form are a hundred rows high, those of a
recurrent network as high as its batch, and BLAS packs its operands anew for each. Here the weights
are packed once a step and the rest is used where it lies (docs/log.md, "Winograd").
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from triptych.models.compiled.caching import helper
from triptych.models.compiled.emit import Value, fma, splat
from triptych.models.compiled.vectors import ELEMENTS, address, lanes_of, types_intp

types: Any = numba_types
LANES = 16  # float32 in a 64-byte register
ROWS = 8  # with two registers of columns, 16 sums: enough to hide the latency of an addition
_UNROLLED = 4


@intrinsic(prefer_literal=True)
def _block(
    typingctx: Any, a: Any, a0: Any, lda: Any, transposed: Any, b: Any, b0: Any, ldb: Any,
    inner: Any, c: Any, c0: Any, ldc: Any, rows: Any, pieces: Any, add: Any,
) -> Any:  # fmt: skip
    """Set or add to `rows` rows of `c`, `pieces` registers wide, the product of `a` and `b`.

    `a` is (rows, inner) from offset `a0` on, rows `lda` apart, or (inner, rows) where `transposed`;
    `b` is (inner, pieces registers). `inner` is a multiple of 4. `transposed`, `rows`, `pieces` and
    `add` are constants, the flags among them 0 or 1. Each sum runs in the order of `inner`,
    whatever the block it is in.
    """
    turned, sums = transposed.literal_value, add.literal_value
    high, lanes = rows.literal_value, lanes_of(a.dtype)
    places = [(i, lanes * p) for i in range(high) for p in range(pieces.literal_value)]

    def codegen(context: Any, b_: ir.IRBuilder, signature: Any, args: Any) -> Value:
        def number(k: int) -> Value:
            return context.cast(b_, args[k], signature.args[k], types.intp)

        def start(k: int) -> Value:
            return address(context, b_, signature.args[k], args[k], number(k + 1))

        register = ir.VectorType(ELEMENTS[a.dtype], lanes)
        size = a.dtype.bitwidth // 8

        def at(pointer: Value, rows: int, stride: Value, column: int) -> Value:
            offset = b_.add(b_.mul(stride, types_intp(rows)), types_intp(column))
            return b_.gep(pointer, [offset])

        def vector(pointer: Value) -> Value:
            return b_.load(b_.bitcast(pointer, register.as_pointer()), align=size)

        lda_, ldb_, ldc_ = number(2), number(6), number(10)
        targets = [at(start(8), i, ldc_, column) for i, column in places]
        zero = ir.Constant(register, [0.0] * lanes)
        first = [vector(t) if sums else zero for t in targets]
        loop = _Loop(b_, [number(7), start(0), start(4), *first])
        left, pa, pb, *totals = loop.values
        for u in range(_UNROLLED):
            columns = {
                column: vector(at(pb, u, ldb_, column)) for column in {c_ for _, c_ in places}
            }
            for i in range(high):
                place = at(pa, u, lda_, i) if turned else at(pa, i, lda_, u)
                x = splat(b_, b_.load(place), lanes)
                for k, (row, column) in enumerate(places):
                    if row == i:
                        totals[k] = fma(b_, x, columns[column], totals[k])
        left = b_.sub(left, types_intp(_UNROLLED))
        step = at(pa, _UNROLLED, lda_, 0) if turned else b_.gep(pa, [types_intp(_UNROLLED)])
        loop.close([left, step, at(pb, _UNROLLED, ldb_, 0), *totals], left)
        for target, total in zip(targets, totals, strict=True):
            b_.store(total, b_.bitcast(target, register.as_pointer()), align=size)
        return context.get_dummy_value()

    i = types.intp
    arguments = (a, i, i, transposed, b, i, i, i, c, i, i, rows, pieces, add)
    return types.void(*arguments), codegen


class _Loop:
    """A loop whose values stay in registers; it runs while a counter is above 0."""

    def __init__(self, builder: ir.IRBuilder, first: list[Value]) -> None:
        self.builder = builder
        before = builder.block
        self.body = builder.append_basic_block("block.body")
        self.after = builder.append_basic_block("block.after")
        builder.branch(self.body)
        builder.position_at_end(self.body)
        self.values: list[Value] = []
        for value in first:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            self.values.append(phi)

    def close(self, following: list[Value], counter: Value) -> None:
        """End the body: the values of the next round, and what must be above 0 for it."""
        phis = self.builder.block.instructions[: len(self.values)]
        for phi, value in zip(phis, following, strict=True):
            phi.add_incoming(value, self.builder.block)
        again = self.builder.icmp_signed(">", counter, types_intp(0))
        self.builder.cbranch(again, self.body, self.after)
        self.builder.position_at_end(self.after)


def panel(columns: int) -> int:
    """Return how many columns of a packed matrix lie side by side: 32, or 16."""
    return 2 * LANES if columns % (2 * LANES) == 0 else LANES


@helper()
def multiply_packed(
    a: Any, a0: int, rows: int, inner: int, b: Any, b0: int, columns: int, out: Any, o0: int
) -> None:
    """Set ``out (rows, columns) = a (rows, inner) b``, each from an offset of a flat array on.

    `b` is packed: panels of `panel` columns, each (inner, panel). `rows` is a multiple of 8, the
    others of 16.
    """
    if columns % 32 == 0:
        for start in range(0, columns, 32):
            for i in range(0, rows, ROWS):
                _block(
                    a, a0 + i * inner, inner, 0, b, b0 + start * inner, 32, inner,
                    out, o0 + i * columns + start, columns, ROWS, 2, 0,
                )  # fmt: skip
        return
    for start in range(0, columns, 16):
        for i in range(0, rows, ROWS):
            _block(
                a, a0 + i * inner, inner, 0, b, b0 + start * inner, 16, inner,
                out, o0 + i * columns + start, columns, ROWS, 1, 0,
            )  # fmt: skip


@helper()
def add_product(
    a: Any, a0: int, width: int, b: Any, b0: int, columns: int, rows: int, out: Any, o0: int
) -> None:
    """Add ``a^T b`` to `out` (width, columns), `a` being (rows, width) and `b` (rows, columns).

    `rows` is a multiple of 4, `width` of 8, `columns` of a register.
    """
    lanes = 64 // a.itemsize
    if columns % (2 * lanes) == 0:
        for start in range(0, columns, 2 * lanes):
            for i in range(0, width, ROWS):
                _block(
                    a, a0 + i, width, 1, b, b0 + start, columns, rows,
                    out, o0 + i * columns + start, columns, ROWS, 2, 1,
                )  # fmt: skip
        return
    for start in range(0, columns, lanes):
        for i in range(0, width, ROWS):
            _block(
                a, a0 + i, width, 1, b, b0 + start, columns, rows,
                out, o0 + i * columns + start, columns, ROWS, 1, 1,
            )  # fmt: skip


@helper()
def add_packed(
    a: Any, a0: int, stride: int, rows: int, inner: int, b: Any, columns: int, out: Any, o0: int
) -> None:
    """Add ``a b`` to `out` (rows, columns); `a` is (rows, inner), its rows `stride` apart.

    `b` is packed as for `multiply_packed`, in panels of two registers. `rows` is any number;
    `inner` is a multiple of 4, `columns` of two registers.
    """
    wide = 128 // a.itemsize
    for start in range(0, columns, wide):
        i = 0
        while i + ROWS <= rows:
            _block(
                a, a0 + i * stride, stride, 0, b, start * inner, wide, inner,
                out, o0 + i * columns + start, columns, ROWS, 2, 1,
            )  # fmt: skip
            i += ROWS
        if i + 4 <= rows:
            _block(
                a, a0 + i * stride, stride, 0, b, start * inner, wide, inner,
                out, o0 + i * columns + start, columns, 4, 2, 1,
            )  # fmt: skip
            i += 4
        while i < rows:
            _block(
                a, a0 + i * stride, stride, 0, b, start * inner, wide, inner,
                out, o0 + i * columns + start, columns, 1, 2, 1,
            )  # fmt: skip
            i += 1
