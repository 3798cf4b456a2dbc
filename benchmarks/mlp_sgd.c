// Yardstick: exact sequential SGD of a 2-20-2 ReLU softmax MLP, batch size 1, float64.
// gcc -O3 -march=native -shared -fPIC mlp_sgd.c -o mlp_sgd.so     (sizes are compile-time constants)
//
// All weights live in AVX-512 registers for the whole run: 3 vectors of 8 hidden units (20 padded to 24).
// Two-class softmax is one logistic of the margin z1 - z0.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
typedef __m512d v8;
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define FNMA(a, b, c) _mm512_fnmadd_pd(a, b, c)
#define SET1(a) _mm512_set1_pd(a)

// exp(x) for |x| <= 708, degree-11 polynomial, Estrin order; all in one SSE/AVX lane.
static inline double fast_exp(double x) {
  const double magic = 6755399441055744.0;
  double t = __builtin_fma(x, 1.4426950408889634, magic);
  double k = t - magic;
  double r = __builtin_fma(-k, 0.6931471805599453, x);
  r = __builtin_fma(-k, 2.3190468138462996e-17, r);
  double r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
  double p01 = 1.0 + r, p23 = __builtin_fma(r, 1.0 / 6, 0.5);
  double p45 = __builtin_fma(r, 1.0 / 120, 1.0 / 24), p67 = __builtin_fma(r, 1.0 / 5040, 1.0 / 720);
  double p89 = __builtin_fma(r, 1.0 / 362880, 1.0 / 40320), pab = __builtin_fma(r, 1.0 / 39916800, 1.0 / 3628800);
  double q0 = __builtin_fma(p23, r2, p01), q1 = __builtin_fma(p67, r2, p45), q2 = __builtin_fma(pab, r2, p89);
  double p = __builtin_fma(q2, r8, __builtin_fma(q1, r4, q0));
  int64_t bits; memcpy(&bits, &t, 8);
  int64_t scale = (bits + 1023) << 52; double s; memcpy(&s, &scale, 8);
  return p * s;
}

// w1: (2, 24), b1: (24), w2: (2, 24) [output-major], b2: (2), order: (S), x: (N, 2), y: (N), margins: (S)
void train(double *w1, double *b1, double *w2, double *b2, const double *x, const int64_t *y,
           const int64_t *order, int64_t steps, double lr, double *margins) {
  v8 u0a = _mm512_loadu_pd(w1), u0b = _mm512_loadu_pd(w1 + 8), u0c = _mm512_loadu_pd(w1 + 16);
  v8 u1a = _mm512_loadu_pd(w1 + 24), u1b = _mm512_loadu_pd(w1 + 32), u1c = _mm512_loadu_pd(w1 + 40);
  v8 ca = _mm512_loadu_pd(b1), cb = _mm512_loadu_pd(b1 + 8), cc = _mm512_loadu_pd(b1 + 16);
  v8 pa = _mm512_loadu_pd(w2), pb = _mm512_loadu_pd(w2 + 8), pc = _mm512_loadu_pd(w2 + 16);
  v8 qa = _mm512_loadu_pd(w2 + 24), qb = _mm512_loadu_pd(w2 + 32), qc = _mm512_loadu_pd(w2 + 40);
  double e0 = b2[0], e1 = b2[1];
  const v8 zero = _mm512_setzero_pd();
  for (int64_t s = 0; s < steps; s++) {
    int64_t n = order[s];
    v8 x0 = SET1(x[2 * n]), x1 = SET1(x[2 * n + 1]);
    double sign = y[n] ? -1.0 : 1.0;
    v8 da = _mm512_sub_pd(qa, pa), db = _mm512_sub_pd(qb, pb), dc = _mm512_sub_pd(qc, pc);
    v8 ha = _mm512_max_pd(FMA(x1, u1a, FMA(x0, u0a, ca)), zero);
    v8 hb = _mm512_max_pd(FMA(x1, u1b, FMA(x0, u0b, cb)), zero);
    v8 hc = _mm512_max_pd(FMA(x1, u1c, FMA(x0, u0c, cc)), zero);
    v8 acc = FMA(hc, dc, FMA(hb, db, _mm512_mul_pd(ha, da)));
    __m256d a4 = _mm256_add_pd(_mm512_castpd512_pd256(acc), _mm512_extractf64x4_pd(acc, 1));
    __m128d a2 = _mm_add_pd(_mm256_castpd256_pd128(a4), _mm256_extractf128_pd(a4, 1));
    double z = (a2[0] + a2[1]) + (e1 - e0);
    double m = z * sign;                       // minus the margin: loss = softplus(m)
    margins[s] = m;
    double mc = m < -700 ? -700 : (m > 700 ? 700 : m);
    double ex = fast_exp(-mc);
    double g = -sign / (1.0 + ex);             // minus d loss / d z1
    double lg = lr * (-g) ;                    // sign * p_wrong * lr = lr * dloss/dz1
    lg = -lg;                                  // step of z1's weights is + lg * h, of z0's weights - lg * h
    v8 vlg = SET1(lg);
    __mmask8 ma = _mm512_cmp_pd_mask(ha, zero, _CMP_GT_OQ), mb = _mm512_cmp_pd_mask(hb, zero, _CMP_GT_OQ), mc2 = _mm512_cmp_pd_mask(hc, zero, _CMP_GT_OQ);
    v8 ta = _mm512_maskz_mul_pd(ma, da, vlg), tb = _mm512_maskz_mul_pd(mb, db, vlg), tc = _mm512_maskz_mul_pd(mc2, dc, vlg);
    u0a = FMA(x0, ta, u0a); u0b = FMA(x0, tb, u0b); u0c = FMA(x0, tc, u0c);
    u1a = FMA(x1, ta, u1a); u1b = FMA(x1, tb, u1b); u1c = FMA(x1, tc, u1c);
    ca = _mm512_add_pd(ca, ta); cb = _mm512_add_pd(cb, tb); cc = _mm512_add_pd(cc, tc);
    qa = FMA(vlg, ha, qa); qb = FMA(vlg, hb, qb); qc = FMA(vlg, hc, qc);
    pa = FNMA(vlg, ha, pa); pb = FNMA(vlg, hb, pb); pc = FNMA(vlg, hc, pc);
    e1 += lg; e0 -= lg;
  }
  _mm512_storeu_pd(w1, u0a); _mm512_storeu_pd(w1 + 8, u0b); _mm512_storeu_pd(w1 + 16, u0c);
  _mm512_storeu_pd(w1 + 24, u1a); _mm512_storeu_pd(w1 + 32, u1b); _mm512_storeu_pd(w1 + 40, u1c);
  _mm512_storeu_pd(b1, ca); _mm512_storeu_pd(b1 + 8, cb); _mm512_storeu_pd(b1 + 16, cc);
  _mm512_storeu_pd(w2, pa); _mm512_storeu_pd(w2 + 8, pb); _mm512_storeu_pd(w2 + 16, pc);
  _mm512_storeu_pd(w2 + 24, qa); _mm512_storeu_pd(w2 + 32, qb); _mm512_storeu_pd(w2 + 40, qc);
  b2[0] = e0; b2[1] = e1;
}

// losses = softplus(margins), 8 at a time: log1p(u) = 2 atanh(u / (2 + u)), 18 terms.
void softplus_many(const double *m, double *losses, int64_t steps) {
  const v8 magic = SET1(6755399441055744.0), zero = _mm512_setzero_pd();
  for (int64_t s = 0; s < steps; s += 8) {
    __mmask8 some = steps - s >= 8 ? 0xFF : (1 << (steps - s)) - 1;
    v8 x = _mm512_maskz_loadu_pd(some, m + s);
    v8 a = _mm512_max_pd(_mm512_sub_pd(zero, _mm512_abs_pd(x)), SET1(-700.0));
    v8 k = _mm512_sub_pd(FMA(a, SET1(1.4426950408889634), magic), magic);
    v8 r = FNMA(k, SET1(2.3190468138462996e-17), FNMA(k, SET1(0.6931471805599453), a));
    v8 p = SET1(1.0 / 39916800);
    const double c[11] = {1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800};
    for (int n = 10; n >= 0; n--) p = FMA(p, r, SET1(c[n]));
    v8 u = _mm512_scalef_pd(p, k), v = _mm512_div_pd(u, _mm512_add_pd(u, SET1(2.0))), w = _mm512_mul_pd(v, v);
    v8 q = SET1(2.0 / 35);
    for (int n = 16; n >= 0; n--) q = FMA(q, w, SET1(2.0 / (2 * n + 1)));
    _mm512_mask_storeu_pd(losses + s, some, FMA(v, q, _mm512_max_pd(x, zero)));
  }
}
