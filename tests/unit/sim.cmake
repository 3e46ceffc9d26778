# The simulator (simulator/) and the cycle formulas (isa/timing.*).
add_executable(simulator_test
  ${CMAKE_SOURCE_DIR}/tests/unit/count_allocations.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/launch_image_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/simulator_execute_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/simulator_load_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/simulator_machine_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/simulator_timing_test.cpp)
target_link_libraries(simulator_test PRIVATE xrun_warnings xrun_simulator GTest::gtest_main)
gtest_discover_tests(simulator_test DISCOVERY_TIMEOUT 60)

add_executable(timing_test
  ${CMAKE_SOURCE_DIR}/tests/unit/cycle_reference.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/port_rotation_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/timing_formula_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/timing_hand_test.cpp)
target_link_libraries(timing_test PRIVATE xrun_warnings xrun_isa GTest::gtest_main)
gtest_discover_tests(timing_test DISCOVERY_TIMEOUT 60)
