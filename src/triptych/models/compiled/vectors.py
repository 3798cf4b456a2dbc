"""SIMD vectors as Numba values, and what kernels call on them.

Why: in the kernels that take one row a step, a step depends on the one before it, so the weights
must stay in registers; Numba's arrays live in memory, and its vectoriser would reload them. A `Vec`
is LLVM's own vector type; where a machine has shorter registers LLVM splits it, so the same code is
correct anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types as numba_types
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic, register_model

from triptych.models.compiled.emit import (
    Value,
    const,
    emit_dot,
    emit_exp,
    emit_logistic,
    emit_relu,
    emit_softplus,
    emit_tanh,
    fma,
    splat,
)

types: Any = numba_types  # Numba's annotations lack what it makes at run time
ELEMENTS = {types.float64: ir.DoubleType(), types.float32: ir.FloatType()}


class Vec(types.Type):
    """The type of `width` floats of type `element`, held in registers.

    Kept as 64-byte pieces: LLVM moves a vector of three registers through a loop in bits and
    pieces of 16 bytes, but three vectors of one register each stay where they are.
    """

    def __init__(self, element: types.Float, width: int) -> None:
        self.element, self.width = element, width
        self.lanes = lanes_of(element)
        self.pieces = width // self.lanes
        super().__init__(name=f"Vec({element}, {width})")


def lanes_of(element: types.Float) -> int:
    """Return how many numbers one 64-byte register holds."""
    return 512 // int(element.bitwidth)


@register_model(Vec)
class VecModel(PrimitiveModel):
    """A `Vec` is an array of LLVM vectors."""

    def __init__(self, manager: Any, vec: Vec) -> None:
        piece = ir.VectorType(ELEMENTS[vec.element], vec.lanes)
        super().__init__(manager, vec, ir.ArrayType(piece, vec.pieces))


def address(context: Any, b: ir.IRBuilder, array_type: Any, array: Value, offset: Value) -> Value:
    """Return the pointer to element `offset` of a contiguous array."""
    data = context.make_array(array_type)(context, b, array).data
    return b.gep(data, [offset])


def load(b: ir.IRBuilder, pointer: Value, vec: Vec) -> Value:
    """Load a `Vec` from any address."""
    kind = ir.VectorType(pointer.type.pointee, vec.lanes)
    size = vec.element.bitwidth // 8
    places = [b.gep(pointer, [types_intp(k * vec.lanes)]) for k in range(vec.pieces)]
    return join(b, [b.load(b.bitcast(p, kind.as_pointer()), align=size) for p in places])


def store(b: ir.IRBuilder, value: Value, pointer: Value, vec: Vec) -> None:
    """Store a `Vec` to any address."""
    for k, piece in enumerate(split(b, value)):
        place = b.gep(pointer, [types_intp(k * vec.lanes)])
        b.store(piece, b.bitcast(place, piece.type.as_pointer()), align=vec.element.bitwidth // 8)


def split(b: ir.IRBuilder, value: Value) -> list[Value]:
    """Return the pieces of a `Vec`."""
    return [b.extract_value(value, k) for k in range(value.type.count)]


def join(b: ir.IRBuilder, pieces: Sequence[Value]) -> Value:
    """Return the `Vec` made of these pieces."""
    value = ir.Constant(ir.ArrayType(pieces[0].type, len(pieces)), ir.Undefined)
    for k, piece in enumerate(pieces):
        value = b.insert_value(value, piece, k)
    return value


def types_intp(number: int) -> Value:
    """Return an index constant."""
    return ir.IntType(types.intp.bitwidth)(number)


def _emit_elementwise(
    emit: Callable[..., Value], b: ir.IRBuilder, signature: Any, values: Sequence[Value]
) -> Value:
    """Apply `emit` piece by piece; scalars among `values` are copied to all elements."""
    vec = signature.return_type
    if not isinstance(vec, Vec):
        return emit(b, *values)
    columns = [
        split(b, value) if isinstance(kind, Vec) else [splat(b, value, vec.lanes)] * vec.pieces
        for value, kind in zip(values, signature.args, strict=True)
    ]
    return join(b, [emit(b, *pieces) for pieces in zip(*columns, strict=True)])


def _elementwise(emit: Callable[..., Value], count: int) -> Any:
    """Make an intrinsic of `count` floats or Vecs (mixed: floats are copied to all elements)."""

    def typing(args: Sequence[Any]) -> Any:
        args = [types.unliteral(a) for a in args]
        result = next((a for a in args if isinstance(a, Vec)), args[0])

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Value:
            return _emit_elementwise(emit, builder, signature, values)

        return result(*args), codegen

    if count == 1:
        return intrinsic(lambda typingctx, x: typing([x]))
    if count == 2:
        return intrinsic(lambda typingctx, x, y: typing([x, y]))
    return intrinsic(lambda typingctx, x, y, z: typing([x, y, z]))


v_fma = _elementwise(fma, 3)
v_fnma = _elementwise(lambda b, x, y, z: fma(b, b.fneg(x), y, z), 3)
v_mul = _elementwise(lambda b, x, y: b.fmul(x, y), 2)
v_sub = _elementwise(lambda b, x, y: b.fsub(x, y), 2)
v_add = _elementwise(lambda b, x, y: b.fadd(x, y), 2)
v_div = _elementwise(lambda b, x, y: b.fdiv(x, y), 2)
v_relu = _elementwise(emit_relu, 1)
v_exp = _elementwise(emit_exp, 1)
v_tanh = _elementwise(emit_tanh, 1)
v_logistic = _elementwise(emit_logistic, 1)
v_softplus = _elementwise(emit_softplus, 1)
v_where_positive = _elementwise(
    lambda b, x, y: b.select(b.fcmp_ordered(">", x, const(x, 0.0)), y, const(x, 0.0)), 2
)


@intrinsic(prefer_literal=True)
def v_load(typingctx: Any, array: Any, offset: Any, width: Any) -> Any:
    """Load `width` (a constant) elements of a contiguous array from `offset` on."""
    vec = Vec(array.dtype, width.literal_value)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        place = context.cast(builder, args[1], signature.args[1], types.intp)
        return load(builder, address(context, builder, signature.args[0], args[0], place), vec)

    return vec(array, types.unliteral(offset), width), codegen


@intrinsic
def panel_load(typingctx: Any, array: Any, offset: Any) -> Any:
    """Load two registers of a contiguous array from `offset` on."""
    vec = Vec(array.dtype, 2 * lanes_of(array.dtype))

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        place = context.cast(builder, args[1], signature.args[1], types.intp)
        return load(builder, address(context, builder, signature.args[0], args[0], place), vec)

    return vec(array, types.unliteral(offset)), codegen


@intrinsic
def v_store(typingctx: Any, array: Any, offset: Any, value: Any) -> Any:
    """Store a Vec into a contiguous array from `offset` on."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        place = context.cast(builder, args[1], signature.args[1], types.intp)
        store(builder, args[2], address(context, builder, signature.args[0], args[0], place), value)
        return context.get_dummy_value()

    return types.void(array, types.unliteral(offset), value), codegen


@intrinsic
def v_dot(typingctx: Any, x: Any, y: Any) -> Any:
    """Return the scalar product of two Vecs."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return emit_dot(builder, split(builder, args[0]), split(builder, args[1]))

    return x.element(x, y), codegen


@intrinsic(prefer_literal=True)
def rows_load(typingctx: Any, array: Any, first: Any, count: Any, width: Any) -> Any:
    """Load `count` rows of `width` elements from row `first` on as a tuple of Vecs."""
    rows = types.UniTuple(Vec(array.dtype, width.literal_value), count.literal_value)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        size = width.literal_value
        places = [(first.literal_value + k) * size for k in range(rows.count)]
        loaded = [
            load(
                builder,
                address(context, builder, signature.args[0], args[0], types_intp(p)),
                rows.dtype,
            )
            for p in places
        ]
        return context.make_tuple(builder, rows, loaded)

    return rows(array, first, count, width), codegen


@intrinsic
def rows_affine(typingctx: Any, rows: Any, x: Any, offset: Any, bias: Any) -> Any:
    """Return ``bias + sum_i x[offset + i] rows[i]``."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        total = split(builder, args[3])
        for i in range(rows.count):
            place = builder.add(args[2], args[2].type(i))
            scalar = builder.load(address(context, builder, signature.args[1], args[1], place))
            x_i = splat(builder, scalar, bias.lanes)
            row = split(builder, builder.extract_value(args[0], i))
            total = [fma(builder, x_i, w, t) for w, t in zip(row, total, strict=True)]
        return join(builder, total)

    return bias(rows, x, types.intp, bias), codegen


@intrinsic
def rows_down(typingctx: Any, rows: Any, x: Any, offset: Any, slope: Any) -> Any:
    """Return the tuple of ``rows[i] - x[offset + i] slope``."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        result, down = args[0], [builder.fneg(piece) for piece in split(builder, args[3])]
        for i in range(rows.count):
            place = builder.add(args[2], args[2].type(i))
            scalar = builder.load(address(context, builder, signature.args[1], args[1], place))
            x_i = splat(builder, scalar, slope.lanes)
            row = split(builder, builder.extract_value(args[0], i))
            row = [fma(builder, x_i, d, w) for d, w in zip(down, row, strict=True)]
            result = builder.insert_value(result, join(builder, row), i)
        return result

    return rows(rows, x, types.intp, slope), codegen


@intrinsic(prefer_literal=True)
def rows_store(typingctx: Any, array: Any, first: Any, rows: Any) -> Any:
    """Store a tuple of Vecs as rows of an array from row `first` (a constant) on."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        for k in range(rows.count):
            place = types_intp((first.literal_value + k) * rows.dtype.width)
            pointer = address(context, builder, signature.args[0], args[0], place)
            store(builder, builder.extract_value(args[2], k), pointer, rows.dtype)
        return context.get_dummy_value()

    return types.void(array, first, rows), codegen
