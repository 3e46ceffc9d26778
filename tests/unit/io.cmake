# Arrays, pictures, preprocessing and data sets (runtime/io), and what the tools share (tools/common).
find_package(ZLIB REQUIRED)

add_executable(io_test
  ${CMAKE_SOURCE_DIR}/tests/unit/io_array_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/io_dataset_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/io_file_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/io_image_test.cpp
  ${CMAKE_SOURCE_DIR}/tests/unit/io_preprocess_test.cpp)
target_link_libraries(io_test PRIVATE xrun_warnings xrun_io ZLIB::ZLIB GTest::gtest_main)
gtest_discover_tests(io_test)

if(TARGET xrun_tools_common)
  add_executable(tools_common_test
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_common_text_test.cpp
    ${CMAKE_SOURCE_DIR}/tests/unit/tools_common_tool_test.cpp)
  target_link_libraries(tools_common_test PRIVATE xrun_warnings xrun_tools_common GTest::gtest_main)
  gtest_discover_tests(tools_common_test)
endif()
