#include "runtime/device.h"

#include "runtime/csim_device.h"
#include "runtime/io/suggest.h"
#include "runtime/sim_device.h"
#include "runtime/xrt_device.h"

namespace xrun::runtime {
namespace {

/// What each bit of the capability word means, bit 0 first (isa/README.md, section 7).
constexpr const char* kCapabilityNames[] = {"the base instruction set", "staggered programs",
                                            "LoadPacked of parts of image rows"};

/// What names a device's configuration to xcompile: a built-in name, otherwise the device itself.
std::string ArchOf(const Device& device) {
  for (const HardwareConfig& built_in : BuiltInConfigs()) {
    if (Fingerprint(built_in) == Fingerprint(*device.config())) return built_in.name;
  }
  return device.name();
}

}  // namespace

std::string CapabilityText(uint64_t bits) {
  std::string text;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((bits >> bit & 1) == 0) continue;
    if (!text.empty()) text += ", ";
    text += bit < std::size(kCapabilityNames) ? kCapabilityNames[bit] : "capability " + std::to_string(bit);
  }
  return text;
}

Result<std::shared_ptr<Device>> OpenDevice(const std::string& name) {
  const std::string kind = name.substr(0, name.find(':'));
  if (kind == "sim") return OpenSimDevice(name);
  if (kind == "csim") return OpenCsimDevice(name);
  if (kind == "xrt") {
#ifdef XRUN_HAVE_XRT
    return OpenXrtDevice(name);
#else
    return Failure{"device '" + name + "': this build has no XRT support",
                   "install libxrt-dev and build again; the instruction-level simulator is device 'sim'"};
#endif
  }
  std::string hint = io::DidYouMean(kind, {"sim", "csim", "xrt"});
  if (hint.empty()) hint = "devices are sim, csim and xrt:N";
  return Failure{"unknown device '" + name + "'", hint};
}

Status CheckProgram(const Device& device, const Program& program) {
  const std::string who = "program '" + program.model_name + "'";
  if (const auto& config = device.config(); config && Fingerprint(*config) != Fingerprint(program.config)) {
    std::string fields;
    for (const std::string& field : FunctionalDifferences(program.config, *config)) {
      fields += (fields.empty() ? "" : "; ") + field;
    }
    return Failure{who + " was compiled for configuration " + program.config.name + ", device '" + device.name() +
                       "' has " + config->name + " (program here, device there: " + fields + ")",
                   "compile again: xcompile MODEL.onnx --arch " + ArchOf(device)};
  }
  if (program.isa_minor > device.isa_minor()) {
    const std::string major = std::to_string(kIsaMajor) + ".";
    return Failure{who + " was compiled for ISA " + major + std::to_string(program.isa_minor) + ", device '" +
                       device.name() + "' has ISA " + major + std::to_string(device.isa_minor()),
                   "use a newer overlay, or compile with an xcompile of its version"};
  }
  if (const uint64_t missing = program.capabilities & ~device.capabilities(); missing != 0) {
    return Failure{who + " needs what device '" + device.name() + "' lacks: " + CapabilityText(missing),
                   missing == launch::kStaggeredCapability
                       ? "compile again with --no-stagger, or use a newer overlay"
                       : "use a newer overlay, or compile with an xcompile of its version"};
  }
  return {};
}

}  // namespace xrun::runtime
