# Fails unless configs.def is what make_configs.cpp writes for the configurations of isa/ and overlay_hw/configs.
execute_process(COMMAND ${PROGRAM} ${FILES} OUTPUT_VARIABLE written RESULT_VARIABLE code)
file(READ ${COMMITTED} committed)
if(NOT code EQUAL 0 OR NOT written STREQUAL committed)
  message(FATAL_ERROR "overlay_hw/configs.def is stale: overlay_hw_configs overlay_hw/configs/*.json > overlay_hw/configs.def")
endif()
