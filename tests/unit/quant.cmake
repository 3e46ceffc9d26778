add_executable(cpu_kernels_test
  ${CMAKE_CURRENT_LIST_DIR}/cpu_integer_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cpu_kernels_test.cpp)
target_link_libraries(cpu_kernels_test PRIVATE xrun_cpu xrun_warnings GTest::gtest_main)
gtest_discover_tests(cpu_kernels_test)

add_executable(quantize_test ${CMAKE_CURRENT_LIST_DIR}/quantize_ranges_test.cpp
                             ${CMAKE_CURRENT_LIST_DIR}/quantize_copies_test.cpp
                             ${CMAKE_CURRENT_LIST_DIR}/quantize_graph_test.cpp
                             ${CMAKE_CURRENT_LIST_DIR}/quantize_equalize_test.cpp
                             ${CMAKE_CURRENT_LIST_DIR}/quantize_weights_test.cpp
                             ${CMAKE_CURRENT_LIST_DIR}/quantize_qdq_test.cpp)
target_link_libraries(quantize_test PRIVATE xrun_compiler xrun_cpu xrun_warnings GTest::gtest_main)
gtest_discover_tests(quantize_test)
