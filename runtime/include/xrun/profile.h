#ifndef XRUN_PROFILE_H_
#define XRUN_PROFILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "xrun/export.h"

namespace xrun::api {

/// Where the time of one run went, layer by layer; Session::profile.
struct XRUN_API Profile {
  struct Layer {
    std::string node;           ///< ONNX node
    std::string op;             ///< its operator
    std::string place;          ///< "overlay" or "cpu"
    bool measured = false;      ///< a clock of this machine said so; otherwise modelled by the simulator's timed mode
    uint32_t step = 0;          ///< of the program, counted from 0
    double start_us = 0.0;      ///< from the start of its step
    double microseconds = 0.0;  ///< overlay layers overlap: their sum is more than the whole
    uint64_t cycles = 0;        ///< of the overlay's clock; 0 on the CPU
    uint64_t macs = 0;
    double utilisation = 0.0;  ///< MACs ÷ cycles × the array's MACs a cycle
  };

  std::string device;  ///< its name
  /// The whole run as the sum of its steps.
  double microseconds = 0.0;
  /// What the modelled figures rest on, one line: clock, DRAM.
  std::string assumptions;
  std::vector<Layer> layers;

  /// RFC 4180, a header and a line a layer; column "source" says modelled or measured.
  std::string to_csv() const;
};

}  // namespace xrun::api

#endif  // XRUN_PROFILE_H_
