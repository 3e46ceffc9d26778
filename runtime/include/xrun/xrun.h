#ifndef XRUN_XRUN_H_
#define XRUN_XRUN_H_

// libxrun: run compiled models on the overlay. This is the header for users:
//
//   auto program = xrun::Program::load("resnet.xprog");
//   auto device  = xrun::Device::open("sim");
//   xrun::Session session(device, program, {.in_flight = 4, .timeout = 2s});
//   session.run({{session.inputs()[0].name, x}}, {{session.outputs()[0].name, y}});
//
// The classes live in xrun::api, the other headers of this folder declare them there, and only this one gives them
// their short names: libxrun's own sources and tools include the others beside isa/program.h, whose xrun::Program is
// the file.

#include "xrun/buffer.h"
#include "xrun/device.h"
#include "xrun/error.h"
#include "xrun/export.h"
#include "xrun/profile.h"
#include "xrun/program.h"
#include "xrun/session.h"
#include "xrun/tensor.h"

namespace xrun {
using api::Buffer;
using api::BufferOptions;
using api::Callback;
using api::Device;
using api::DeviceLayout;
using api::DType;
using api::Error;
using api::ErrorCode;
using api::Layout;
using api::NamedInput;
using api::NamedOutput;
using api::Priority;
using api::Profile;
using api::Program;
using api::Request;
using api::Session;
using api::SessionOptions;
using api::TensorInfo;
using api::TensorMemory;
}  // namespace xrun

#endif  // XRUN_XRUN_H_
