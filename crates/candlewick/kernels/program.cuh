// A network as the kernels see it; engine/cuda/layout.rs lays it out, with the same names in the same order.
//
// Letters: C channels, H height, W width, K kernel; O stands for the output. A block works on one image at a time. Its memory
// holds every value between two operations and, twice, room for the gradient by the longest of them:
//
//   | x of operation 0 | x of operation 1 | ... | logits | gradient | gradient |
#pragma once
#include "block.cuh"

enum Kind { CONV2D, MAX_POOL2D, AVG_POOL2D, DENSE, ACTIVATION };
enum Function { NONE, SIGMOID, RELU, TANH };

struct Operation {
  int kind;
  int function;
  int channels, height, width;
  int out_channels, out_height, out_width;
  int kernel_height, kernel_width;
  int stride_y, stride_x;
  int padding_y, padding_x;
  int weight, bias;   // where they are among all parameters
  int parameter_end;  // after the bias; `weight` and this are equal where there are none
  int gradient;       // conv2d: place of the weight's among a partial gradient, the bias's follows
  int record;         // dense: place of x in an image's record, dz follows
  int x, y;           // places in a block's memory
};

DEVICE int input_len(const Operation &op) { return op.channels * op.height * op.width; }
DEVICE int output_len(const Operation &op) { return op.out_channels * op.out_height * op.out_width; }
DEVICE int taps(const Operation &op) { return op.channels * op.kernel_height * op.kernel_width; }

// All that any of the kernels is told.
struct Arguments {
  const Operation *operations;
  // The images: bytes that count as 0 to 1 or, where there are none, numbers as they are.
  const uint8_t *bytes;
  const float *floats;
  const uint32_t *order;   // the images of the run, by index; null for all in order
  const uint32_t *labels;  // by index
  float *parameters;
  float *turned;    // dense weights as [I][O], in their places among the parameters
  float *gradient;
  float *velocity;
  float *partials;  // a gradient of the convolutions for each block and split
  float *records;   // a record for each image of the batch
  float *losses;    // by place in the run
  uint32_t *correct;
  float *logits;    // by place in the run
  float *scratch;   // the blocks' memory, where shared memory is too small
  double *sums;     // loss and correct answers of the run
  int operation_count;
  int image_len, classes;
  int first, images;  // the batch's place in the run, and its size
  int memory_len;     // numbers of a block's memory
  int gradients;      // where its two gradients begin
  int longest;        // numbers of each
  int gradient_len;   // numbers of a partial gradient
  int record_len;     // numbers of a record
  int partial_count;
  int parameter_count;
  float scale;  // of the loss: 1 / images
  float learning_rate, momentum, weight_decay;
};

// As layout.rs asserts on its side.
static_assert(sizeof(Operation) == 84 && sizeof(Arguments) == 192, "layout.rs has other structs");
