// A struct of 32-bit fields, and as many words as it has, with room behind them.
#pragma once
#include "block.cuh"

template <class T, class Word, int COUNT> DEVICE T as(const Word (&words)[COUNT]) {
  static_assert(sizeof(T) <= sizeof words, "more words than there is room for");
  T fields;
  memcpy(&fields, words, sizeof fields);
  return fields;
}

template <class T, int COUNT> DEVICE void put(const T &fields, int (&words)[COUNT]) {
  static_assert(sizeof(T) <= sizeof words, "more words than there is room for");
  memcpy(words, &fields, sizeof fields);
}
