# libxrun. Two forms of the same objects:
#   xrun          the shared library that users link: hidden symbols but for the API
#   xrun_runtime  a static one for tests of the insides
find_package(Threads REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/xrt.cmake)

# A program with CPU steps is refused by name, at load, by a libxrun without their kernels.
option(XRUN_CPU_KERNELS "Float kernels of CPU steps in libxrun; OFF makes it small" ON)
if(XRUN_CPU_KERNELS)
  set(xrun_kernels xrun_cpu)
else()
  set(xrun_kernels xrun_cpu_none)
endif()

add_library(xrun_runtime STATIC
  arguments.cpp
  buffer.cpp
  c_api.cpp
  c_request.cpp
  csim_device.cpp
  device.cpp
  executor.cpp
  launch_gate.cpp
  layout.cpp
  mapped_memory.cpp
  plan.cpp
  profile.cpp
  program.cpp
  quantize.cpp
  request_state.cpp
  scheduler.cpp
  session.cpp
  sim_device.cpp
  tensor.cpp)
target_include_directories(xrun_runtime PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_link_libraries(xrun_runtime PRIVATE xrun_warnings
                      PUBLIC xrun_isa ${xrun_kernels} xrun_io xrun_simulator Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(xrun_runtime PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
set_source_files_properties(c_api.cpp PROPERTIES COMPILE_DEFINITIONS "XRUN_VERSION=\"${PROJECT_VERSION}\"")
if(TARGET xrun_xrt)
  target_sources(xrun_runtime PRIVATE xrt_board.cpp xrt_device.cpp xrt_lane.cpp)
  target_compile_definitions(xrun_runtime PUBLIC XRUN_HAVE_XRT)
  target_link_libraries(xrun_runtime PUBLIC xrun_xrt)
endif()
# Per-element loops that the compiler vectorises.
set_source_files_properties(quantize.cpp PROPERTIES COMPILE_OPTIONS "-O3;-fno-trapping-math")
set_source_files_properties(layout.cpp PROPERTIES COMPILE_OPTIONS "-O3")

add_library(xrun SHARED $<TARGET_OBJECTS:xrun_runtime>)
add_library(xrun::xrun ALIAS xrun)  # as find_package calls it
set_target_properties(xrun PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION 0
  LINKER_LANGUAGE CXX)
target_include_directories(xrun PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
target_compile_features(xrun INTERFACE cxx_std_20)
target_link_libraries(xrun PRIVATE xrun_isa ${xrun_kernels} xrun_io xrun_simulator Threads::Threads ${CMAKE_DL_LIBS})
if(TARGET xrun_xrt)
  target_link_libraries(xrun PRIVATE xrun_xrt)
endif()
# Only the API leaves the library, whatever its objects and the static libraries inside define; nothing is left undefined.
target_link_options(xrun PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/libxrun.map)
set_target_properties(xrun PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/libxrun.map)
if(NOT XRUN_SANITIZE)
  target_link_options(xrun PRIVATE -Wl,--no-undefined)
endif()
