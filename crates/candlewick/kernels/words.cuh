// A struct of 32-bit fields, and as many words as it has, with room behind them.
#pragma once
#include "block.cuh"

// Word by word, as nvcc would copy memory byte by byte.
template <class T, class Word, int COUNT> DEVICE T as(const Word (&words)[COUNT]) {
  static_assert(sizeof(T) <= sizeof words, "more words than there is room for");
  Word own[(sizeof(T) + sizeof(Word) - 1) / sizeof(Word)];
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) own[i] = words[i];
  T fields;
  memcpy(&fields, own, sizeof fields);
  return fields;
}

template <class T, int COUNT> DEVICE void put(const T &fields, int (&words)[COUNT]) {
  static_assert(sizeof(T) <= sizeof words, "more words than there is room for");
  int own[(sizeof(T) + sizeof(int) - 1) / sizeof(int)];
  memcpy(own, &fields, sizeof fields);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) words[i] = own[i];
}
