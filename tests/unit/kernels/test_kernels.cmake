target_sources(test_kernels PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/kernel_check.c
  ${CMAKE_SOURCE_DIR}/tests/support/guarded.c)
