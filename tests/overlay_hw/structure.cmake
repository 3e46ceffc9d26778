# The overlay as hardware: lints, wiring, packaging, resources; and the concurrent C-sim.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(XRUN_HW_DIR ${CMAKE_SOURCE_DIR}/overlay_hw)

foreach(kind synth pragma)
  add_test(NAME overlay_lint_samples_${kind}
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint_test.py --lint ${XRUN_HW_DIR}/lint --kind ${kind})
endforeach()
add_test(NAME overlay_lint COMMAND ${XRUN_HW_DIR}/lint/lint.sh B512)
add_test(NAME overlay_resource_units
         COMMAND ${Python3_EXECUTABLE} ${XRUN_HW_DIR}/resources/measure.py
                 --check ${CMAKE_SOURCE_DIR}/tools/driver/resources.cpp)
set_tests_properties(overlay_lint_samples_synth overlay_lint_samples_pragma overlay_lint overlay_resource_units
                     PROPERTIES SKIP_RETURN_CODE 77)
