#ifndef XRUN_OVERLAY_HW_CSIM_BENCHES_H_
#define XRUN_OVERLAY_HW_CSIM_BENCHES_H_

// MakeBench of every configuration of configs.def. Who calls one links its library xrun_hw_<name>.

#include <memory>

#include "overlay_hw/csim/bench.h"

namespace xrun {
namespace hw {

#define XRUN_HW_CONFIGURATION(name, ...)    \
  namespace name {                          \
  std::unique_ptr<csim::Bench> MakeBench(); \
  }
#include "overlay_hw/configs.def"
#undef XRUN_HW_CONFIGURATION

}  // namespace hw
}  // namespace xrun

#endif  // XRUN_OVERLAY_HW_CSIM_BENCHES_H_
