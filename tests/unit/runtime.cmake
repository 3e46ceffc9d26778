# The API as users see it: the shared library, no header of the insides but for the TU that makes the program files.
add_executable(runtime_api_test
  ${CMAKE_CURRENT_LIST_DIR}/runtime_api_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime_buffer_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime_test_files.cpp)
target_link_libraries(runtime_api_test PRIVATE xrun_warnings xrun xrun_cpu xrun_isa GTest::gtest_main)
target_include_directories(runtime_api_test PRIVATE ${CMAKE_SOURCE_DIR})
gtest_discover_tests(runtime_api_test DISCOVERY_TIMEOUT 60)

# The insides: rearranging, planning, scheduling against a device that does what the test says.
add_executable(runtime_internal_test
  ${CMAKE_CURRENT_LIST_DIR}/runtime_gate_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime_layout_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime_plan_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime_scheduler_test.cpp)
target_link_libraries(runtime_internal_test PRIVATE xrun_warnings xrun_runtime GTest::gtest_main)
target_include_directories(runtime_internal_test PRIVATE ${CMAKE_SOURCE_DIR})
gtest_discover_tests(runtime_internal_test DISCOVERY_TIMEOUT 60)

# Replaces the process's operator new, so it is alone.
add_executable(runtime_allocation_test
  ${CMAKE_CURRENT_LIST_DIR}/runtime_allocation_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime_test_files.cpp)
target_link_libraries(runtime_allocation_test PRIVATE xrun_warnings xrun xrun_cpu xrun_isa GTest::gtest_main)
target_include_directories(runtime_allocation_test PRIVATE ${CMAKE_SOURCE_DIR})
gtest_discover_tests(runtime_allocation_test DISCOVERY_TIMEOUT 60)
