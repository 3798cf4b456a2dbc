"""Activations and losses over a batch, in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from triptych.models.compiled.caching import helper
from triptych.models.compiled.products import SUMS
from triptych.models.compiled.single import GELU, LOGISTIC, RELU, TANH
from triptych.models.compiled.vectors import v_exp, v_logistic, v_softplus, v_tanh

SOFTMAX, SIGMOID, SQUARED, POISSON = range(4)


@helper()
def activate(z_BH: Any, b_H: Any, slope_BH: Any, activation: int) -> None:
    """Turn products into outputs, in place, and set the slope by the input of the activation."""
    one = z_BH.dtype.type(1)
    zero = z_BH.dtype.type(0)
    root_half, pdf_0 = z_BH.dtype.type(math.sqrt(0.5)), z_BH.dtype.type(1 / math.sqrt(2 * math.pi))
    half = z_BH.dtype.type(0.5)
    for r in range(z_BH.shape[0]):
        z_H, slope_H = z_BH[r], slope_BH[r]
        for j in range(len(z_H)):
            z_H[j] += b_H[j]
        if activation == RELU:
            for j in range(len(z_H)):
                z = z_H[j]
                slope_H[j] = one if z > zero else zero
                z_H[j] = zero if z < zero else z
        elif activation == TANH:
            for j in range(len(z_H)):
                h = v_tanh(z_H[j])
                z_H[j], slope_H[j] = h, one - h * h
        elif activation == LOGISTIC:
            for j in range(len(z_H)):
                h = v_logistic(z_H[j])
                z_H[j], slope_H[j] = h, h - h * h
        elif activation == GELU:
            for j in range(len(z_H)):
                slope_H[j] = half + half * math.erf(z_H[j] * root_half)  # Phi
            for j in range(len(z_H)):
                z, phi = z_H[j], slope_H[j]
                z_H[j], slope_H[j] = z * phi, phi + z * pdf_0 * v_exp(-half * z * z)
        else:
            slope_H[:] = one


@helper(fastmath=SUMS)
def softmax_loss(z_BC: Any, y_B: Any, share_B: Any) -> float:
    """Return the cross-entropy, each row with its share, and turn logits into slopes."""
    loss = 0.0
    for r in range(z_BC.shape[0]):
        z_C = z_BC[r]
        top = z_C[0]
        for c in range(1, len(z_C)):
            top = z_C[c] if z_C[c] > top else top
        right = z_C[y_B[r]] - top
        total = z_C.dtype.type(0)
        for c in range(len(z_C)):
            z_C[c] = v_exp(z_C[c] - top)
            total += z_C[c]
        loss += share_B[r] * (np.log(np.float64(total)) - right)
        scale = share_B[r] / total
        for c in range(len(z_C)):
            z_C[c] *= scale
        z_C[y_B[r]] -= share_B[r]
    return loss


@helper(fastmath=SUMS)
def target_loss(z_BO: Any, t_BO: Any, share_B: Any, loss_kind: int) -> float:
    """Return the loss of targets, each row with its share, and turn outputs into slopes."""
    loss = 0.0
    half = z_BO.dtype.type(0.5)
    for r in range(z_BO.shape[0]):
        for o in range(z_BO.shape[1]):
            z, t = z_BO[r, o], t_BO[r, o]
            if loss_kind == SIGMOID:
                loss += share_B[r] * (v_softplus(z) - z * t)
                z_BO[r, o] = share_B[r] * (v_logistic(z) - t)
            elif loss_kind == POISSON:
                rate = z_BO.dtype.type(math.exp(z))  # overflows to inf, which is then found
                best = t * math.log(t) if t > 0 else t - t
                loss += share_B[r] * (best - t * z - t + rate)
                z_BO[r, o] = share_B[r] * (rate - t)
            else:
                loss += share_B[r] * half * (z - t) * (z - t)
                z_BO[r, o] = share_B[r] * (z - t)
    return loss
