# The C-sim of each configuration as a shared library of its own, which libxrun loads when a device csim is opened.
# Four are built by default; `--target csim_all` builds all nine; one more with -DXRUN_CSIM_CONFIG=arch.json.
set(XRUN_CSIM_CONFIG "" CACHE FILEPATH "JSON description of a configuration to build the C-sim of, besides the built-in ones")
set(XRUN_CSIM_BUILTIN B512 B800 B1024 B1152 B1600 B2304 B3136 B4096 K26)
set(XRUN_CSIM_DEFAULT B512 B1152 B4096 K26)
find_package(Threads REQUIRED)

# One library: NAME, and DEF, the file of configurations that has it.
function(xrun_add_csim name def)
  add_library(xrun_csim_${name} SHARED
    ${CMAKE_SOURCE_DIR}/overlay_hw/control.cpp
    ${CMAKE_SOURCE_DIR}/overlay_hw/conv.cpp
    ${CMAKE_SOURCE_DIR}/overlay_hw/csim/machine.cpp
    ${CMAKE_SOURCE_DIR}/overlay_hw/fetch.cpp
    ${CMAKE_SOURCE_DIR}/overlay_hw/load.cpp
    ${CMAKE_SOURCE_DIR}/overlay_hw/save.cpp
    ${CMAKE_SOURCE_DIR}/overlay_hw/vector.cpp)
  target_link_libraries(xrun_csim_${name} PRIVATE xrun_warnings Threads::Threads)
  target_compile_definitions(xrun_csim_${name} PRIVATE XRUN_HW_CONFIG=${name} XRUN_HW_CONFIGS_DEF="${def}")
  # C++14 as the hardware; arrays of processing elements are loops of a few steps, unrolled by -O3.
  set_target_properties(xrun_csim_${name} PROPERTIES
    CXX_STANDARD 14 CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
  if(NOT XRUN_SANITIZE)
    # gcc at -O3 cannot see that lanes of a line that were not read are not used either; other builds judge that.
    target_compile_options(xrun_csim_${name} PRIVATE -O3 $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  endif()
endfunction()

foreach(name IN LISTS XRUN_CSIM_BUILTIN)
  xrun_add_csim(${name} overlay_hw/configs.def)
  if(NOT name IN_LIST XRUN_CSIM_DEFAULT OR XRUN_RUNTIME_ONLY)
    set_target_properties(xrun_csim_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  list(APPEND XRUN_CSIM_TARGETS xrun_csim_${name})
endforeach()

if(XRUN_CSIM_CONFIG)
  get_filename_component(XRUN_CSIM_CONFIG_FILE ${XRUN_CSIM_CONFIG} ABSOLUTE)
  file(READ ${XRUN_CSIM_CONFIG_FILE} description)
  string(JSON own_name GET ${description} name)
  if(NOT own_name MATCHES "^[A-Za-z][A-Za-z0-9_]*$")
    message(FATAL_ERROR "XRUN_CSIM_CONFIG: the name '${own_name}' in ${XRUN_CSIM_CONFIG} is not letters, digits and _, "
                        "which it has to be for C++")
  endif()
  if(own_name IN_LIST XRUN_CSIM_BUILTIN)
    message(FATAL_ERROR "XRUN_CSIM_CONFIG: ${XRUN_CSIM_CONFIG} has the name of a built-in configuration, ${own_name}")
  endif()
  set(own_def ${CMAKE_CURRENT_BINARY_DIR}/own_configs.def)
  add_custom_command(OUTPUT ${own_def}
    COMMAND overlay_hw_configs ${XRUN_CSIM_CONFIG_FILE} > ${own_def}
    DEPENDS overlay_hw_configs ${XRUN_CSIM_CONFIG_FILE}
    COMMENT "Configuration ${own_name} for the overlay"
    VERBATIM)
  add_custom_target(overlay_hw_own_def DEPENDS ${own_def})
  xrun_add_csim(${own_name} ${own_def})
  add_dependencies(xrun_csim_${own_name} overlay_hw_own_def)
  list(APPEND XRUN_CSIM_TARGETS xrun_csim_${own_name})
endif()
add_custom_target(csim_all DEPENDS ${XRUN_CSIM_TARGETS})
