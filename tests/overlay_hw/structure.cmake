# The overlay as hardware: lints, wiring, packaging, resources; and the concurrent C-sim.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(XRUN_HW_DIR ${CMAKE_SOURCE_DIR}/overlay_hw)

foreach(kind synth pragma pipeline)
  add_test(NAME overlay_lint_samples_${kind}
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint_test.py --lint ${XRUN_HW_DIR}/lint --kind ${kind})
  list(APPEND lint_tests overlay_lint_samples_${kind})
endforeach()
# Without arguments lint.sh judges every configuration.
foreach(what B512 K26 ${XRUN_HW_SMALL} pragmas)
  add_test(NAME overlay_lint_${what} COMMAND ${XRUN_HW_DIR}/lint/lint.sh ${what})
  list(APPEND lint_tests overlay_lint_${what})
endforeach()
add_test(NAME overlay_resource_units
         COMMAND ${Python3_EXECUTABLE} ${XRUN_HW_DIR}/resources/measure.py
                 --check ${CMAKE_SOURCE_DIR}/tools/driver/resources.cpp)
set_tests_properties(${lint_tests} overlay_resource_units PROPERTIES SKIP_RETURN_CODE 77)

# How C-sim is wired, to be compared with the block design; no engine is linked.
add_executable(csim_pins csim_pins.cpp)
target_link_libraries(csim_pins PRIVATE xrun_warnings Threads::Threads)
target_compile_definitions(csim_pins PRIVATE XRUN_HW_CONFIG=B512)
set_target_properties(csim_pins PROPERTIES CXX_STANDARD 14)
add_test(NAME overlay_packaging
         COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/packaging_test.py --root ${CMAKE_SOURCE_DIR}
                 --pins $<TARGET_FILE:csim_pins> --make-xclbin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/make_xclbin)
set_tests_properties(overlay_packaging PROPERTIES SKIP_RETURN_CODE 77)

# The concurrent C-sim against the simulator. More seeds: XRUN_CSIM_SEEDS=1000 csim_test --gtest_filter='*Random*'.
if(NOT XRUN_RUNTIME_ONLY)
  add_executable(csim_test csim_test.cpp csim_unit.cpp)
  target_link_libraries(csim_test PRIVATE xrun_warnings xrun_simulator GTest::gtest_main Threads::Threads ${CMAKE_DL_LIBS})
  set(libraries "")
  foreach(config B512 B1152 B4096 K26)
    list(APPEND libraries "{\"${config}\", \"$<TARGET_FILE:xrun_csim_${config}>\"}")
    add_dependencies(csim_test xrun_csim_${config})
  endforeach()
  list(JOIN libraries ", " libraries)
  target_compile_definitions(csim_test PRIVATE "XRUN_CSIM_LIBRARIES=${libraries}")
  gtest_discover_tests(csim_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 1200)
endif()

# RTL of the sequential top by an open HLS tool where there is one; the same testbench as C++ everywhere.
if(TARGET xcompile)
  add_executable(rtl_vectors rtl/rtl_vectors.cpp csim_unit.cpp)
  target_link_libraries(rtl_vectors PRIVATE xrun_warnings xrun_simulator ${CMAKE_DL_LIBS})
  set(rtl_check ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/rtl/rtl_check.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  add_test(NAME overlay_rtl COMMAND ${rtl_check})
  add_test(NAME overlay_rtl_native COMMAND ${rtl_check} --native)
  set_tests_properties(overlay_rtl PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 7200)
  add_custom_target(rtl_check COMMAND ${rtl_check} DEPENDS rtl_vectors xcompile USES_TERMINAL)
endif()

add_test(NAME overlay_verilog COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/rtl/verilog_check.py)
set_tests_properties(overlay_verilog PROPERTIES SKIP_RETURN_CODE 77)

# Networks of published size on C-sim and on the simulator: a few seconds.
if(TARGET make_structure AND TARGET xcompile AND TARGET xinfer)
  add_test(NAME overlay_structures
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/structures.py --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  set_tests_properties(overlay_structures PROPERTIES TIMEOUT 1200)
endif()
