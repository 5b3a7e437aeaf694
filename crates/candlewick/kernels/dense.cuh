// A fully connected layer: z[o] = b[o] + sum of w[o][i] x[i].
#pragma once
#include "program.cuh"

// `turned` is w as [I][O]: threads beside each other read numbers beside each other.
DEVICE void dense_forward(const Operation &op, const float *turned, const float *b, const float *x, float *z) {
  const int inputs = input_len(op), units = op.out_channels;
  for (int o = FIRST_ITEM; o < units; o += ITEMS_AT_ONCE) {
    float sum = b[o];
    for (int i = 0; i < inputs; i++) sum += turned[(size_t)i * units + o] * x[i];
    z[o] = sum;
  }
}

// dx[i], the sum of w[o][i] dz[o].
DEVICE void dense_input_gradient(const Operation &op, const float *w, const float *dz, float *dx) {
  const int inputs = input_len(op);
  for (int i = FIRST_ITEM; i < inputs; i += ITEMS_AT_ONCE) {
    float sum = 0;
    for (int o = 0; o < op.out_channels; o++) sum += w[(size_t)o * inputs + i] * dz[o];
    dx[i] = sum;
  }
}

// Puts aside what the batch's gradient of the parameters is made of: x, then dz.
DEVICE void dense_record(const Operation &op, const float *x, const float *dz, float *record) {
  const int inputs = input_len(op);
  for (int i = FIRST_ITEM; i < inputs + op.out_channels; i += ITEMS_AT_ONCE) {
    record[op.record + i] = i < inputs ? x[i] : dz[i - inputs];
  }
}
