// expect: indirect-call
#include <cstdint>

struct Stage {
  virtual int32_t Apply(int32_t x) const = 0;
};
struct Twice : Stage {
  int32_t Apply(int32_t x) const override { return 2 * x; }
};
struct Thrice : Stage {
  int32_t Apply(int32_t x) const override { return 3 * x; }
};

extern "C" void top(int32_t* out, int32_t n) {
  const Twice twice;
  const Thrice thrice;
  const Stage& stage = n > 3 ? static_cast<const Stage&>(twice) : thrice;
  out[0] = stage.Apply(n);
}
